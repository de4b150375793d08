/* Direct convolution on channel-blocked tensors, for CPU devices: one item computes whole register tiles with wide vectors.
 * The kernel is kernels/direct.cl; its output goes through the generated accessor, so that maps ride along and any layout is
 * written. */
#include "engines/conv.h"

/* How the work is cut; a variant's numbers. */
enum { BLOCKS_OF_TILE, PIXELS_OF_TILE, CHUNK, ROWS };

struct tile {
    int b, xb;           /* filters in a vector; channels of x that lie together */
    int ob, tw;          /* blocks of filters and pixels in registers */
    int64_t blocks;      /* of filters, in all */
    int64_t chunk, rows; /* blocks of channels whose weights are used again and again; rows an item computes */
};

static bool supports(const struct mi_problem *problem)
{
    struct mi_conv conv;
    const mica_device *device = problem->device;
    if (!device->is_cpu || device->vector_width < 4 || problem->c.out.value->type != MI_FLOAT || problem->plain_only)
        return false;
    return mi_conv_match(&problem->c, &conv) && conv.k >= device->vector_width / 2 && conv.out[1] >= 2;
}

static double cost(const struct mi_problem *problem)
{
    const mica_device *device = problem->device;
    return mi_problem_products(problem) / (0.5 * 4.8e9 * device->vector_width * device->info.compute_units);
}

enum {
    TILES = 4,
    WEIGHT_BYTES = 40 << 10, /* of a chunk, in the nearest caches */
    SUMS_BYTES = 64 << 10,   /* of an item's sums between chunks */
    PIXELS_OF_ITEM = 200,
    MOST_ITEMS = 65535 /* along a dimension of the grid */
};

/* Channels of x that lie together: few channels stay in planes. */
static int x_block(const struct mi_problem *problem, const struct mi_conv *conv)
{
    int b = problem->device->vector_width;
    return conv->c < b ? 1 : b;
}

static int64_t blocks_of(int64_t count, int block)
{
    return (count + block - 1) / block;
}

/* Pixels whose sums wait in local memory at a time: an item's, unless its rows are very long. */
static int64_t strip_of(const struct mi_conv *conv, const struct tile *t)
{
    int64_t pixels = t->rows * conv->out[1], most = SUMS_BYTES / ((int64_t)sizeof(float) * t->ob * t->b);
    return pixels < most ? pixels : most;
}

static struct tile read_tile(const struct mi_problem *problem, const struct mi_conv *conv)
{
    const int32_t *number = problem->variant.number;
    struct tile t = {.b = problem->device->vector_width, .xb = x_block(problem, conv)};
    t.blocks = blocks_of(conv->k, t.b);
    t.ob = number[BLOCKS_OF_TILE];
    t.tw = number[PIXELS_OF_TILE];
    t.chunk = number[CHUNK];
    t.rows = number[ROWS];
    return t;
}

/* The register tiles that a device's registers hold: blocks of filters and pixels. */
static const int wide_tiles[][2] = {{4, 6}, {2, 12}, {3, 8}, {1, 24}},
                 narrow_tiles[][2] = {{4, 3}, {2, 6}, {3, 4}, {1, 12}};

static struct mi_variant variant_of(const struct mi_problem *problem, const struct mi_conv *conv, const int *shape)
{
    const mica_device *device = problem->device;
    int b = device->vector_width, xb = x_block(problem, conv), ob = shape[0];
    int64_t groups = blocks_of(blocks_of(conv->k, b), ob), channels = blocks_of(conv->c, xb);
    int64_t bytes = conv->kernel[0] * conv->kernel[1] * xb * b * ob * (int64_t)sizeof(float);
    int64_t chunk = bytes < WEIGHT_BYTES ? WEIGHT_BYTES / bytes : 1;
    chunk = chunk > 16 ? 16 : chunk;
    int64_t all = problem->batch * conv->out[0], wanted = 4 * (int64_t)device->info.compute_units;
    int64_t rows = blocks_of(PIXELS_OF_ITEM, (int)conv->out[1]);
    if (groups * blocks_of(all, (int)rows) < wanted)
        rows = all * groups / wanted;
    rows = rows <= all / MOST_ITEMS ? all / MOST_ITEMS + 1 : rows;
    return (struct mi_variant){{ob, shape[1], (int32_t)(chunk < channels ? chunk : channels), (int32_t)rows}};
}

static int variants(const struct mi_problem *problem, struct mi_variant *list, int most)
{
    struct mi_conv conv;
    mi_conv_match(&problem->c, &conv);
    bool wide = problem->device->vector_width >= 16;
    int count = 0;
    for (int i = 0; i < TILES && count < most; i++) {
        const int *shape = wide ? wide_tiles[i] : narrow_tiles[i];
        list[count++] = variant_of(problem, &conv, shape);
    }
    return count;
}
static void wishes(const struct mi_problem *problem, struct mi_wishes *wishes)
{
    struct mi_conv conv;
    mi_conv_match(&problem->c, &conv);
    struct tile t = read_tile(problem, &conv);
    int rank = conv.spatial + 2;
    struct mi_layout x = mi_conv_input_layout(&conv, t.xb);
    struct mi_layout w = mi_layout_plain(rank);
    int at = 0;
    w.order[at++] = (int8_t)conv.w_k;
    w.order[at++] = (int8_t)conv.w_c;
    for (int i = 2 - conv.spatial; i < 2; i++)
        w.order[at++] = (int8_t)conv.w_r[i];
    w.block[conv.w_k] = (int16_t)(t.ob * t.b);
    w.block[conv.w_c] = (int16_t)t.xb;
    if (t.xb > 1)
        w.inner[w.inners++] = (int8_t)conv.w_c;
    w.inner[w.inners++] = (int8_t)conv.w_k;
    bool x_is_a = conv.x == &problem->c.a;
    *wishes = (struct mi_wishes){.wanted = true, .a = x_is_a ? x : w, .b = x_is_a ? w : x};
}

/* Fills the halo of one output's rows from `first` to `last` (exclusive), columns from a to b. */
static void halo_fill(struct mi_emitter *e, mi_value *value, int spatial, const char *first, const char *last,
                      int64_t a, int64_t b)
{
    if (a >= b)
        return;
    struct mi_coordinate at[4] = {{.at = "img"}, {"(kb*B + v)", "kb", "v", e->device->vector_width}};
    size_t rows = mi_scope_open(e, "for (int h_ = %s; h_ < %s; h_++) ", first, last);
    size_t columns = mi_scope_open(e, "for (int w_ = %lld; w_ < %lld; w_++) ", (long long)a, (long long)b);
    bool blocked = e->tensors[value->id].layout.block[1] == e->device->vector_width;
    size_t lanes =
        blocked ? mi_scope_open(e, "for (int v = 0; v < B; v++) ")
                : mi_scope_open(e, "for (int v = 0; v < B && kb*B + v < %lld; v++) ", (long long)value->shape.dim[1].b);
    if (spatial == 2)
        at[2] = (struct mi_coordinate){.at = "h_"};
    at[1 + spatial] = (struct mi_coordinate){.at = "w_"};
    float fill = e->tensors[value->id].layout.fill;
    mi_emit_store(e, value, at, mi_arena_format(e->arena, "(float)%.9g", (double)fill), NULL);
    mi_scope_close(e, lanes);
    mi_scope_close(e, columns);
    mi_scope_close(e, rows);
}

/* The halo that goes with a row: left and right of it, above the first and below the last. */
static const char *emit_halo(struct mi_emitter *e, const struct mi_conv *conv)
{
    e->indent = 2;
    for (int o = 0; o < e->kernel->outs; o++) {
        mi_value *value = e->kernel->out[o];
        const struct mi_layout *layout = &e->tensors[value->id].layout;
        int rank = value->shape.rank, h = rank - 2, w = rank - 1;
        int64_t top = conv->spatial == 2 ? layout->low[h] : 0, bottom = conv->spatial == 2 ? layout->high[h] : 0;
        int64_t left = layout->low[w], right = layout->high[w], height = conv->out[0], width = conv->out[1];
        halo_fill(e, value, conv->spatial, "oh", "oh + 1", -left, 0);
        halo_fill(e, value, conv->spatial, "oh", "oh + 1", width, width + right);
        if (top) {
            size_t scope = mi_scope_open(e, "if (oh == 0) ");
            halo_fill(e, value, conv->spatial, mi_arena_format(e->arena, "-%lld", (long long)top), "0", -left,
                      width + right);
            mi_scope_close(e, scope);
        }
        if (bottom) {
            size_t scope = mi_scope_open(e, "if (oh == OH - 1) ");
            halo_fill(e, value, conv->spatial, "OH", mi_arena_format(e->arena, "%lld", (long long)(height + bottom)),
                      -left, width + right);
            mi_scope_close(e, scope);
        }
    }
    return mi_emit_take(e);
}

static mica_status emit(struct mi_emitter *e, const struct mi_problem *problem, struct mi_codes *codes)
{
    struct mi_conv conv;
    struct mi_text defines = {0};
    mi_conv_match(&problem->c, &conv);
    struct tile t = read_tile(problem, &conv);
    mi_conv_define(e, &conv, t.b, t.xb, &defines);
    mi_define(&defines, "OB", t.ob);
    mi_define(&defines, "TW", t.tw);
    mi_define(&defines, "BLOCKS", t.blocks);
    mi_define(&defines, "CHUNK", t.chunk);
    mi_define(&defines, "ROWS", t.rows);
    int64_t strip = strip_of(&conv, &t);
    mi_define(&defines, "STRIP", strip);
    mi_define(&defines, "SUMS", (strip + t.tw) * t.ob * t.b);
    mi_define(&defines, "OUTS", e->kernel->outs);
    mi_text_add(&defines, "#define UNROLL_KW %s\n", t.xb == 1 ? "_Pragma(\"unroll\")" : "");
    mi_text_add(&defines, "#define W p%d\n", mi_emit_argument(e, conv.w->value, false));
    const char *with[3];
    mi_conv_emit_stores(e, &conv, t.b, 4, with);
    with[2] = emit_halo(e, &conv);
    int64_t rows = problem->batch * conv.out[0];
    struct mi_grid grid = {.dims = 2,
                           .global = {(size_t)((t.blocks + t.ob - 1) / t.ob), (size_t)((rows + t.rows - 1) / t.rows)},
                           .local = {1, 1}};
    const char *name = mi_arena_format(e->arena, "mica_direct_%s", e->kernel->anchor->op->name);
    return mi_emit_file(e, "direct.cl", name, &defines, (const char *const[]){"MICA_RESULT", "MICA_STORE", "MICA_HALO"},
                        with, 3, grid, codes);
}

const struct mi_engine mi_engine_direct = {.name = "direct",
                                           .supports = supports,
                                           .cost = cost,
                                           .variants = variants,
                                           .epilogue = true,
                                           .memory = true,
                                           .blocked = true,
                                           .wishes = wishes,
                                           .emit = emit};
