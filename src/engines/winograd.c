/* Winograd convolution F(2x2, 3x3) and F(4x4, 3x3) on channel-blocked tensors, for CPU devices (Lavin, Gray: "Fast Algorithms
 * for Convolutional Neural Networks", 2015, arXiv:1509.09308):
 *
 *     Y = A^T [ sum over c of (G w G^T) * (B^T x B) ] A        for each tile of m x m results, m 2 or 4
 *
 * which multiplies (m + 2)^2 times where the plain sum does 9 m^2 times: 2.25 and 4 times less. The transformed weights are the
 * node's third input, made by the operator WinogradWeight. The kernel is kernels/winograd.cl.
 *
 * It rounds more than the plain sum: the largest error, relative to the largest result, is about 1e-6 for m 2 and 3e-6 for
 * m 4 (5e-7 and 1e-6 for the plain sum). A NaN or infinity in x makes every result of the tiles that read it NaN, also those beside its own windows. */
#include "engines/conv.h"

enum { NUMBER_TILE, NUMBER_TILES, NUMBER_WIDTH, NUMBER_BLOCKS, NUMBER_PARTS };

struct winograd {
    struct mi_conv conv;
    int b, tile, edge;        /* lanes; results and inputs along a tile's side */
    int ob, tw, tiles, parts; /* blocks of filters and tiles in registers; an item's tiles; parts of the filters */
    int64_t rows, columns;    /* tiles of an image */
    int64_t cb, groups;       /* blocks of channels; groups of ob blocks of filters */
};

static int64_t up(int64_t count, int64_t block)
{
    return (count + block - 1) / block;
}

/* Elements of one slice of local memory, and between its tiles: one block more, lest all begin at one place of the cache. */
static int64_t slice_row(const struct winograd *w)
{
    return (w->cb + 1) * w->b;
}

static int64_t slice_products(const struct winograd *w)
{
    return (up(w->groups, w->parts) * w->ob + 1) * w->b;
}

static int64_t slice_size(const struct winograd *w)
{
    int64_t row = slice_row(w), products = slice_products(w);
    return w->tiles * (row > products ? row : products);
}

static uint64_t local_bytes(const struct winograd *w)
{
    return (uint64_t)(w->edge * w->edge + 1) * (uint64_t)slice_size(w) * sizeof(float);
}

/* Leaves some of the local memory to the driver. */
static bool fits(const struct mi_problem *problem, const struct winograd *w)
{
    uint64_t most = problem->device->info.local_memory_bytes;
    return w->cb < 1 << 16 && w->groups < 1 << 16 && local_bytes(w) + 8192 <= most;
}

/* Reads a variant's numbers; what the last tiles read beyond the image becomes part of the halo. */
static void configure(const struct mi_problem *problem, const struct mi_variant *variant, struct winograd *w)
{
    struct mi_conv *conv = &w->conv;
    w->b = problem->device->vector_width;
    w->tile = variant->number[NUMBER_TILE];
    w->tiles = variant->number[NUMBER_TILES];
    w->tw = variant->number[NUMBER_WIDTH];
    w->ob = variant->number[NUMBER_BLOCKS];
    w->parts = variant->number[NUMBER_PARTS];
    w->edge = w->tile + 2;
    w->rows = up(conv->out[0], w->tile);
    w->columns = up(conv->out[1], w->tile);
    w->cb = up(conv->c, w->b);
    w->groups = up(conv->k, (int64_t)w->b * w->ob);
    for (int i = 0; i < 2; i++) {
        int64_t first = conv->offset[i] - (conv->dilation[i] < 0 ? 2 : 0);
        int64_t end = first + ((i ? w->columns : w->rows) - 1) * w->tile + w->edge;
        conv->low[i] = first < 0 ? -first : 0;
        conv->high[i] = end > conv->in[i] ? end - conv->in[i] : 0;
    }
}

static bool match(const struct mi_problem *problem, struct mi_conv *conv)
{
    if (!mi_conv_match(&problem->c, conv) || conv->spatial != 2 || conv->w != &problem->c.b)
        return false;
    for (int i = 0; i < 2; i++)
        if (conv->kernel[i] != 3 || conv->stride[i] != 1 || conv->w_r[i] != 2 + i || conv->dilation[i] != conv->dilation[0] ||
            conv->out[i] < 1 || conv->in[i] < 1)
            return false;
    return conv->dilation[0] == 1 || conv->dilation[0] == -1;
}

/* ---- Variants ---- */

/* An item's weights: those of one part are used by one item after the other, from the cache that all cores share. */
enum { WEIGHT_BYTES = 6 << 20 };

/* Tiles in registers: few enough, and such that little is done for nothing. */
static int best_width(int64_t tiles, int most)
{
    int best = most;
    for (int width = most - 1; width >= 2 && width >= most / 2; width--)
        if (up(tiles, width) * width < up(tiles, best) * best)
            best = width;
    return tiles < best ? (int)tiles : best;
}

/* One way with tiles of `tile` and at most `turns` registers full of tiles an item; false: it does not fit local memory. */
static bool plan_variant(const struct mi_problem *problem, const struct mi_conv *conv, int tile, int turns,
                         struct mi_variant *variant)
{
    int b = problem->device->vector_width, registers = b >= 16 ? 28 : b == 8 ? 12 : 8;
    struct winograd w = {.conv = *conv};
    int64_t all = problem->batch * up(conv->out[0], tile) * up(conv->out[1], tile);
    int ob = up(conv->k, b) > 1 ? 2 : 1, width = best_width(all, registers / ob);
    for (; turns > 0; turns--) {
        int64_t items = up(all, (int64_t)width * turns), wanted = 2 * (int64_t)problem->device->info.compute_units;
        int64_t groups = up(conv->k, (int64_t)b * ob), parts = items < wanted ? up(wanted, items) : 1;
        int64_t bytes = (tile + 2) * (tile + 2) * up(conv->c, b) * b * groups * ob * b * (int64_t)sizeof(float);
        if (items > 1 && parts < up(bytes, WEIGHT_BYTES))
            parts = up(bytes, WEIGHT_BYTES);
        parts = parts > groups ? groups : parts;
        *variant = (struct mi_variant){{tile, width * turns, width, ob, (int32_t)parts}};
        configure(problem, variant, &w);
        if (fits(problem, &w))
            return true;
    }
    return false;
}

static int variants(const struct mi_problem *problem, struct mi_variant *list, int most)
{
    static const int way[][2] = {{4, 2}, {4, 1}, {4, 4}, {2, 2}, {2, 4}, {2, 1}};
    struct mi_conv conv;
    int count = 0;
    if (!match(problem, &conv))
        return 0;
    for (size_t i = 0; i < MI_COUNT(way) && count < most; i++)
        count += plan_variant(problem, &conv, way[i][0], way[i][1], &list[count]);
    return count;
}

static bool supports(const struct mi_problem *problem)
{
    const mica_device *device = problem->device;
    struct mi_conv conv;
    struct mi_variant variant;
    if (problem->exact || problem->plain_only || !device->is_cpu || device->vector_width < 4)
        return false;
    return match(problem, &conv) && conv.x->value->type == MI_FLOAT && conv.w->value->type == MI_FLOAT &&
           problem->c.out.value->type == MI_FLOAT && variants(problem, &variant, 1) > 0;
}

static void read_variant(const struct mi_problem *problem, struct winograd *w)
{
    match(problem, &w->conv);
    configure(problem, &problem->variant, w);
}

/* ---- Cost ---- */

static double cost(const struct mi_problem *problem)
{
    const mica_device *device = problem->device;
    struct mi_variant variant = mi_variant_of(&mi_engine_winograd, problem, 0);
    struct winograd w;
    match(problem, &w.conv);
    configure(problem, &variant, &w);
    double lanes = 4.8e9 * device->vector_width * device->info.compute_units;
    double tiles = (double)up(problem->batch * w.rows * w.columns, w.tiles) * w.tiles, places = (double)w.edge * w.edge;
    double c = (double)w.cb * w.b, k = (double)w.groups * w.ob * w.b, weights = places * c * k;
    double seconds = tiles * weights / (0.4 * lanes) + tiles * places * 6 * (c * w.parts + k) / (0.2 * lanes);
    return seconds + (problem->constant ? 0 : weights * 1e-9 / device->info.compute_units);
}

/* ---- Operands and kernel ---- */

static void wishes(const struct mi_problem *problem, struct mi_wishes *wanted)
{
    struct winograd w;
    read_variant(problem, &w);
    *wanted = (struct mi_wishes){.wanted = true, .a = mi_conv_input_layout(&w.conv, w.b), .b = mi_layout_plain(4)};
}

static mi_value *prepare(struct mi_graph *graph, const struct mi_problem *problem)
{
    struct winograd w;
    read_variant(problem, &w);
    return MI_APPLY(graph, "WinogradWeight", ((mi_value *[]){problem->node->in[1]}), MI_INT("tile", w.tile),
                    MI_INT("transposed", w.conv.w_k == 1), MI_INT("turned", w.conv.dilation[0] < 0),
                    MI_INT("block", w.ob * w.b), MI_INT("channels", w.b));
}

static void define(struct mi_emitter *e, const struct winograd *w, struct mi_text *text)
{
    const char *functions = mi_kernel_text("winograd_tile.cl");
    mi_conv_define(e, &w->conv, w->b, w->b, text);
    mi_define(text, "TILE", w->tile);
    mi_define(text, "EDGE", w->edge);
    mi_define(text, "TILES", w->tiles);
    mi_define(text, "TW", w->tw);
    mi_define(text, "OB", w->ob);
    mi_define(text, "ROW_TILES", w->rows);
    mi_define(text, "COLUMN_TILES", w->columns);
    mi_define(text, "FILTER_BLOCKS", up(w->conv.k, w->b));
    mi_define(text, "ALL_GROUPS", w->groups);
    mi_define(text, "GROUPS", up(w->groups, w->parts));
    mi_define(text, "BEHIND", w->conv.dilation[0] < 0 ? 2 : 0);
    mi_define(text, "ROW", slice_row(w));
    mi_define(text, "PRODUCTS", slice_products(w));
    mi_define(text, "SLICE", slice_size(w));
    mi_text_add(text, "#define U p%d\n%s", mi_emit_argument(e, e->kernel->anchor->in[2], false), functions ? functions : "");
}

static mica_status emit(struct mi_emitter *e, const struct mi_problem *problem, struct mi_codes *codes)
{
    struct winograd w;
    struct mi_text defines = {0};
    read_variant(problem, &w);
    define(e, &w, &defines);
    mi_text_add(&e->locals, "    __local float slice[%d*SLICE];\n", w.edge * w.edge + 1);
    mi_define(&defines, "OUTS", e->kernel->outs);
    const char *with[3];
    mi_conv_emit_stores(e, &w.conv, w.b, 6, with);
    with[2] = mi_conv_emit_border(e, w.b, 3);
    size_t items = (size_t)up(problem->batch * w.rows * w.columns, w.tiles);
    struct mi_grid grid = {.dims = 2, .global = {items, (size_t)w.parts}, .local = {1, 1}, .fixed = true};
    const char *name = mi_arena_format(e->arena, "mica_winograd%d_%s", w.tile, e->kernel->anchor->op->name);
    return mi_emit_file(e, "winograd.cl", name, &defines, (const char *const[]){"MICA_RESULT", "MICA_STORE", "MICA_HALO"},
                        with, 3, grid, codes);
}

const struct mi_engine mi_engine_winograd = {.name = "winograd",
                                             .supports = supports,
                                             .cost = cost,
                                             .variants = variants,
                                             .epilogue = true,
                                             .memory = true,
                                             .blocked = true,
                                             .wishes = wishes,
                                             .prepare = prepare,
                                             .emit = emit};
