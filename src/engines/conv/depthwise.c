/* Depthwise convolution on channel-blocked tensors, forward and the gradient of the data, for CPU devices: vectors of
 * channels, one item for some rows of a block of channels (kernels/depthwise.cl, depthwise_gather.cl). Maps ride along, and
 * any layout is written; the engine's own blocks are stored as vectors. */
#include "engines/conv/depthwise.h"

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

/* Pixels of a phase in registers, `most` at most: the fewest tiles, then the narrowest of those. */
static int even_width(int64_t width, int64_t most)
{
    return (int)mi_divide_up(width, mi_divide_up(width, most < width ? most : width));
}

static int64_t rows_of(const struct mi_problem *problem, const struct mi_conv *conv, int items_a_unit)
{
    int64_t items = mi_divide_up(conv->c, problem->device->vector_width) * problem->batch;
    int64_t wanted = items_a_unit * (int64_t)problem->device->info.compute_units,
            parts = items < 1 ? 1 : mi_divide_up(wanted, items);
    return mi_divide_up(conv->out[0], parts < conv->out[0] ? parts : conv->out[0]);
}

static int variants(const struct mi_problem *problem, struct mi_variant *list, int most)
{
    struct mi_depthwise d;
    mi_depthwise_match(&problem->c, &d);
    int registers = problem->device->vector_width >= 16 ? 28 : problem->device->vector_width == 8 ? 12 : 8, count = 0;
    const int widths[] = {registers, 7, 10, 4}, parts[] = {8, 2, 32};
    int64_t width = mi_divide_up(d.conv.out[1], d.divisor[1]);
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

const char *mi_depthwise_emit_stores(struct mi_emitter *e, const struct mi_conv *conv)
{
    int b = e->device->vector_width;
    bool tail = conv->k % b != 0;
    const char *real = tail ? mi_arena_format(e->arena, "kb*B + v < @%lld", (long long)conv->k) : NULL;
    struct mi_coordinate at[4];
    e->indent = 4;
    mi_bind(e, e->kernel->anchor->out[0], "lane[v]");
    mi_conv_set_at(at, conv->spatial,
                   tail ? (struct mi_coordinate){.at = "k_"} : (struct mi_coordinate){"k_", "kb", "v", b}, "oh", "w_");
    for (int o = 0; o < e->kernel->outs; o++)
        if (mi_conv_in_vectors(e, e->kernel->out[o]))
            mi_line(e, "float out%d[B];", o);
    size_t lanes = mi_scope_open(e, "for (int v = 0; v < B; v++) ");
    mi_line(e, tail ? "const int k_ = min(kb*B + v, @%lld);" : "const int k_ = kb*B + v;", (long long)conv->k - 1);
    for (int o = 0; o < e->kernel->outs; o++) {
        mi_value *value = e->kernel->out[o];
        const char *text = mi_emit_value(e, value, at, NULL);
        if (mi_conv_in_vectors(e, value)) {
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
        if (mi_conv_in_vectors(e, e->kernel->out[o]))
            mi_conv_store_vector(e, e->kernel->out[o], "oh", "w_", mi_arena_format(e->arena, "VLOAD(0, out%d)", o));
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
        mi_text_add(text, "#define INSIDE(i) min(i, @%lld)\n", (long long)(conv->in[1] - 1 + x->high[w]));
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
    int64_t rows = problem->variant.number[ROWS], tiles = mi_divide_up(conv->out[1], tw * d.divisor[1]);
    bool gather = d.divisor[0] * d.divisor[1] > 1;
    mi_conv_define(e, conv, b, b, &defines);
    mi_define(&defines, "TW", tw);
    mi_define_size(&defines, "ROWS", rows);
    mi_define_size(&defines, "TILES", tiles);
    int64_t reach = (conv->kernel[1] - 1) * conv->dilation[1];
    mi_define(&defines, "FIRST", reach < 0 ? reach : 0);
    mi_define(&defines, "LAST", (tw - 1) * conv->stride[1] + (reach > 0 ? reach : 0));
    if (gather)
        define_gather(e, &d, tw, tiles, &defines);
    mi_text_add(&defines, "#define W p%d\n", mi_emit_argument(e, conv->w->value, false));
    const char *with[2] = {mi_depthwise_emit_stores(e, conv),
                           mi_conv_emit_halo(e, conv, 1, &(struct mi_conv_rows){"r0", "r1", "r0 == 0", "r1 == OH"})};
    struct mi_grid grid = {
        .dims = 3,
        .global = {(size_t)mi_divide_up(conv->k, b), (size_t)mi_divide_up(conv->out[0], rows), (size_t)problem->batch},
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
