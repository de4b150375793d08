/* Depthwise convolution on channel-blocked tensors, forward and the gradient of the data, for CPU devices: vectors of
 * channels, one item for some rows of a block of channels (kernels/depthwise.cl, depthwise_gather.cl). Maps ride along, and
 * any layout is written; the engine's own blocks are stored as vectors. */
#include "engines/depthwise.h"

/* The numbers of a variant. */
enum { WIDTH, ROWS };

static bool supports(const struct mi_problem *problem)
{
    struct mi_depthwise d;
    return mi_depthwise_match(&problem->c, &d) && mi_depthwise_fits(problem, &d);
}

/* Bound by memory, or by the loads of an operand for each product. */
static double cost(const struct mi_problem *problem)
{
    const mica_device *device = problem->device;
    struct mi_depthwise d;
    mi_depthwise_match(&problem->c, &d);
    double steps = (double)(d.divisor[0] * d.divisor[1]);
    double products =
        mi_problem_products(problem) / steps / (0.3 * 4.8e9 * device->vector_width * device->info.compute_units);
    double bytes = 4.0 * (double)mi_shape_count(&d.conv.x->value->shape, problem->batch) +
                   4.0 * (double)mi_shape_count(&problem->c.out.value->shape, problem->batch);
    return products + bytes / (8e9 * device->info.compute_units);
}

/* ---- Tiles ---- */

static int64_t up(int64_t x, int64_t y)
{
    return (x + y - 1) / y;
}

/* Pixels of a phase in registers, `most` at most: the fewest tiles, then the narrowest of those. */
static int even_width(int64_t width, int64_t most)
{
    return (int)up(width, up(width, most < width ? most : width));
}

static int64_t rows_of(const struct mi_problem *problem, const struct mi_conv *conv, int items_a_unit)
{
    int64_t items = up(conv->c, problem->device->vector_width) * problem->batch;
    int64_t wanted = items_a_unit * (int64_t)problem->device->info.compute_units,
            parts = items < 1 ? 1 : up(wanted, items);
    return up(conv->out[0], parts < conv->out[0] ? parts : conv->out[0]);
}

static int variants(const struct mi_problem *problem, struct mi_variant *list, int most)
{
    struct mi_depthwise d;
    mi_depthwise_match(&problem->c, &d);
    int registers = problem->device->vector_width >= 16 ? 28 : problem->device->vector_width == 8 ? 12 : 8, count = 0;
    const int widths[] = {registers, 7, 10, 4}, parts[] = {8, 2, 32};
    int64_t width = up(d.conv.out[1], d.divisor[1]);
    for (size_t p = 0; p < MI_COUNT(parts); p++)
        for (size_t w = 0; w < MI_COUNT(widths); w++) {
            struct mi_variant v = {{even_width(width, widths[w]), (int32_t)rows_of(problem, &d.conv, parts[p])}};
            count = mi_variant_add(list, count, most, v);
        }
    return count;
}

static void wishes(const struct mi_problem *problem, struct mi_wishes *wishes)
{
    struct mi_depthwise d;
    mi_depthwise_match(&problem->c, &d);
    int b = problem->device->vector_width;
    struct mi_layout x = mi_conv_input_layout(&d.conv, b), w = mi_layout_blocked(d.conv.spatial + 2, 0, b);
    *wishes = mi_conv_wishes(problem, &d.conv, x, w);
}

/* ---- Stores ---- */

static bool is_vectors(const struct mi_emitter *e, const mi_value *value)
{
    return value->type == MI_FLOAT && e->tensors[value->id].layout.block[1] == e->device->vector_width;
}

/* Coordinates in a kernel's loops: image img, channel `channel`, row `row`, column `column`. */
static void set_at(struct mi_coordinate *at, int spatial, struct mi_coordinate channel, const char *row,
                   const char *column)
{
    at[0] = (struct mi_coordinate){.at = "img"};
    at[1] = channel;
    if (spatial == 2)
        at[2] = (struct mi_coordinate){.at = row};
    at[1 + spatial] = (struct mi_coordinate){.at = column};
}

/* A vector of one output, at lane 0 of block kb. */
static void store_vector(struct mi_emitter *e, mi_value *value, int spatial, const char *row, const char *column,
                         const char *vector)
{
    struct mi_coordinate at[4];
    set_at(at, spatial, (struct mi_coordinate){"kb*B", "kb", "0", e->device->vector_width}, row, column);
    const char *place = mi_layout_place(e->arena, &e->tensors[value->id].layout, &value->shape, at);
    mi_line(e, "VSTORE(%s, 0, p%d + (%s));", vector, mi_emit_argument(e, value, true), place);
}

/* Stores the B channels of `lane`: computed lane by lane, stored as vectors where the layout has such blocks. */
static const char *emit_stores(struct mi_emitter *e, const struct mi_conv *conv)
{
    int b = e->device->vector_width;
    bool tail = conv->k % b != 0;
    const char *real = tail ? mi_arena_format(e->arena, "kb*B + v < %lld", (long long)conv->k) : NULL;
    struct mi_coordinate at[4];
    e->indent = 4;
    mi_bind(e, e->kernel->anchor->out[0], "lane[v]");
    set_at(at, conv->spatial, tail ? (struct mi_coordinate){.at = "k_"} : (struct mi_coordinate){"k_", "kb", "v", b},
           "oh", "w_");
    for (int o = 0; o < e->kernel->outs; o++)
        if (is_vectors(e, e->kernel->out[o]))
            mi_line(e, "float out%d[B];", o);
    size_t lanes = mi_scope_open(e, "for (int v = 0; v < B; v++) ");
    mi_line(e, tail ? "const int k_ = min(kb*B + v, %lld);" : "const int k_ = kb*B + v;", (long long)conv->k - 1);
    for (int o = 0; o < e->kernel->outs; o++) {
        mi_value *value = e->kernel->out[o];
        const char *text = mi_emit_value(e, value, at, NULL);
        if (is_vectors(e, value)) {
            double fill = (double)e->tensors[value->id].layout.fill;
            mi_line(e, real ? "out%d[v] = %s ? %s : (float)%.9g;" : "out%d[v] = %s%s;", o, real ? real : "", text,
                    fill);
        } else {
            size_t scope = mi_scope_open(e, "if (%s) ", real ? real : "true");
            mi_emit_store(e, value, at, text, NULL);
            mi_scope_close(e, scope);
        }
    }
    mi_scope_close(e, lanes);
    for (int o = 0; o < e->kernel->outs; o++)
        if (is_vectors(e, e->kernel->out[o]))
            store_vector(e, e->kernel->out[o], conv->spatial, "oh", "w_",
                         mi_arena_format(e->arena, "VLOAD(0, out%d)", o));
    return mi_emit_take(e);
}

/* Fills the padding of rows first to last - 1 and columns a to b - 1. */
static void fill(struct mi_emitter *e, mi_value *value, int spatial, const char *first, const char *last, int64_t a,
                 int64_t b)
{
    const char *with = mi_arena_format(e->arena, "(float)%.9g", (double)e->tensors[value->id].layout.fill);
    if (a >= b)
        return;
    size_t rows = mi_scope_open(e, "for (int h_ = %s; h_ < %s; h_++) ", first, last);
    size_t columns = mi_scope_open(e, "for (int w_ = %lld; w_ < %lld; w_++) ", (long long)a, (long long)b);
    if (is_vectors(e, value))
        store_vector(e, value, spatial, "h_", "w_", mi_arena_format(e->arena, "(VEC)(%s)", with));
    else {
        struct mi_coordinate at[4];
        set_at(at, spatial, (struct mi_coordinate){.at = "k_"}, "h_", "w_");
        size_t lanes = mi_scope_open(e, "for (int k_ = kb*B; k_ < kb*B + B && k_ < %lld; k_++) ",
                                     (long long)value->shape.dim[1].b);
        mi_emit_store(e, value, at, with, NULL);
        mi_scope_close(e, lanes);
    }
    mi_scope_close(e, columns);
    mi_scope_close(e, rows);
}

/* The padding that goes with an item's rows: left and right of them, above the first and below the last. */
static const char *emit_halo(struct mi_emitter *e, const struct mi_conv *conv)
{
    e->indent = 1;
    for (int o = 0; o < e->kernel->outs; o++) {
        mi_value *value = e->kernel->out[o];
        const struct mi_layout *layout = &e->tensors[value->id].layout;
        int s = conv->spatial, h = s, w = s + 1;
        int64_t top = s == 2 ? layout->low[h] : 0, bottom = s == 2 ? layout->high[h] : 0;
        int64_t left = layout->low[w], right = layout->high[w], width = conv->out[1];
        fill(e, value, s, "r0", "r1", -left, 0);
        fill(e, value, s, "r0", "r1", width, width + right);
        if (top || bottom) {
            mi_line(e, "const int above%d = r0 == 0 ? %lld : 0, below%d = r1 == OH ? %lld : 0;", o, (long long)top, o,
                    (long long)bottom);
            fill(e, value, s, mi_arena_format(e->arena, "-above%d", o), "0", -left, width + right);
            fill(e, value, s, "OH", mi_arena_format(e->arena, "OH + below%d", o), -left, width + right);
        }
    }
    return mi_emit_take(e);
}

/* ---- The kernel ---- */

static void define_gather(struct mi_emitter *e, const struct mi_depthwise *d, int tw, int64_t tiles,
                          struct mi_text *text)
{
    const struct mi_conv *conv = &d->conv;
    const struct mi_layout *x = &e->tensors[conv->x->value->id].layout;
    int w = conv->spatial + 1;
    mi_define(text, "VH", d->divisor[0]);
    mi_define(text, "VW", d->divisor[1]);
    mi_define(text, "OFFH", conv->offset[0]);
    mi_define(text, "OFFW", conv->offset[1]);
    mi_define(text, "LOWH", conv->spatial == 2 ? x->low[w - 1] : 0);
    mi_define(text, "LOWW", x->low[w]);
    if (tiles * tw * d->divisor[1] > conv->out[1])
        mi_text_add(text, "#define INSIDE(i) min(i, %lld)\n", (long long)(conv->in[1] - 1 + x->high[w]));
    else
        mi_text_add(text, "#define INSIDE(i) (i)\n");
}

static mica_status emit(struct mi_emitter *e, const struct mi_problem *problem, struct mi_codes *codes)
{
    struct mi_depthwise d;
    struct mi_text defines = {0};
    mi_depthwise_match(&problem->c, &d);
    const struct mi_conv *conv = &d.conv;
    int b = problem->device->vector_width, tw = problem->variant.number[WIDTH];
    int64_t rows = problem->variant.number[ROWS], tiles = up(conv->out[1], tw * d.divisor[1]);
    bool gather = d.divisor[0] * d.divisor[1] > 1;
    mi_conv_define(e, conv, b, b, &defines);
    mi_define(&defines, "TW", tw);
    mi_define(&defines, "ROWS", rows);
    mi_define(&defines, "TILES", tiles);
    int64_t reach = (conv->kernel[1] - 1) * conv->dilation[1];
    mi_define(&defines, "FIRST", reach < 0 ? reach : 0);
    mi_define(&defines, "LAST", (tw - 1) * conv->stride[1] + (reach > 0 ? reach : 0));
    if (gather)
        define_gather(e, &d, tw, tiles, &defines);
    mi_text_add(&defines, "#define W p%d\n", mi_emit_argument(e, conv->w->value, false));
    const char *with[2] = {emit_stores(e, conv), emit_halo(e, conv)};
    struct mi_grid grid = {.dims = 3,
                           .global = {(size_t)up(conv->k, b), (size_t)up(conv->out[0], rows), (size_t)problem->batch},
                           .local = {1, 1, 1}};
    const char *name = mi_arena_format(e->arena, "mica_depthwise_%s", e->kernel->anchor->op->name);
    return mi_emit_file(e, gather ? "depthwise_gather.cl" : "depthwise.cl", name, &defines,
                        (const char *const[]){"MICA_STORE", "MICA_HALO"}, with, 2, grid, codes);
}

const struct mi_engine mi_engine_depthwise = {.name = "depthwise",
                                              .supports = supports,
                                              .cost = cost,
                                              .variants = variants,
                                              .epilogue = true,
                                              .memory = true,
                                              .blocked = true,
                                              .wishes = wishes,
                                              .emit = emit};
