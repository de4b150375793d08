/* A depthwise convolution and the pointwise one that makes what it reads, through maps: one kernel for CPU devices, which keeps
 * the few rows of that tensor that it needs in the nearest cache (kernels/expand.cl). Where the pointwise convolution widens an
 * image, as in networks for small devices, its result is the largest tensor there is, and is never in memory. */
#include "engines/conv/depthwise.h"

/* The numbers of a variant: blocks of channels and places of a tile of the tensor between, then places and rows of results. */
enum { BLOCKS, PLACES, WIDTH, ROWS };

enum { TILES = 4, RING_BYTES = 96 << 10, ITEMS_OF_UNIT = 8 };

/* What the two have between them. Along the last axis a line of what the depthwise convolution reads begins `left` places before
 * the tensor, or at its place `from`, and `places` of it are in the tensor. */
struct expand {
    struct mi_conv point;
    struct mi_depthwise d;
    int64_t line, left, from, places;
    int64_t reach; /* rows from the first to the last that one row of results reads */
};

static int64_t least(int64_t x, int64_t y)
{
    return x < y ? x : y;
}

static bool is_pointwise(const struct mi_conv *conv)
{
    for (int i = 0; i < 2; i++)
        if (conv->kernel[i] != 1 || conv->stride[i] != 1 || conv->offset[i] != 0 || conv->in[i] != conv->out[i])
            return false;
    return true;
}

/* ahead: the contraction ahead is pointwise, and the other one reads it in windows, channel by channel. */
static bool match(const struct mi_problem *problem, struct expand *x)
{
    if (!problem->ahead || !mi_depthwise_match(&problem->c, &x->d) || x->d.divisor[0] * x->d.divisor[1] != 1 ||
        x->d.conv.x->value != problem->ahead->result || !mi_conv_match(&problem->ahead->c, &x->point) ||
        x->point.spatial != x->d.conv.spatial)
        return false;
    const struct mi_conv *conv = &x->d.conv;
    x->line = (conv->out[1] - 1) * conv->stride[1] + (conv->kernel[1] - 1) * conv->dilation[1] + 1;
    x->reach = (conv->kernel[0] - 1) * conv->dilation[0] + 1;
    x->left = conv->offset[1] < 0 ? -conv->offset[1] : 0;
    x->from = conv->offset[1] < 0 ? 0 : conv->offset[1];
    x->places = least(conv->in[1] - x->from, x->line - x->left);
    return is_pointwise(&x->point) && conv->dilation[0] > 0 && conv->dilation[1] > 0 && x->places > 0;
}

/* Bytes of local memory for the rows of `blocks` blocks. */
static int64_t ring_bytes(const struct mi_problem *problem, const struct expand *x, int64_t blocks)
{
    return blocks * x->reach * x->line * problem->device->vector_width * (int64_t)sizeof(float);
}

static int64_t most_bytes(const struct mi_problem *problem)
{
    return least(RING_BYTES, (int64_t)problem->device->info.local_memory_bytes / 2);
}

/* ---- Tiles ---- */

/* The register tiles that a device's registers hold: blocks of channels and places. */
static const int wide_tiles[TILES][2] = {{4, 6}, {3, 8}, {2, 12}, {4, 4}},
                 narrow_tiles[TILES][2] = {{2, 6}, {4, 3}, {3, 4}, {2, 5}};

static const int (*tiles_of(const struct mi_problem *problem))[2]
{
    return problem->device->vector_width >= 16 ? wide_tiles : narrow_tiles;
}

/* How many times over what is needed a tile computes: places past a line's end, blocks that are not there. */
static double waste(const struct mi_problem *problem, const struct expand *x, const int *tile)
{
    int64_t blocks = mi_divide_up(x->point.k, problem->device->vector_width);
    return (double)(mi_divide_up(x->places, tile[1]) * tile[1]) / (double)x->places *
           (double)(mi_divide_up(blocks, tile[0]) * tile[0]) / (double)blocks;
}

/* Time for a product, in a full tile's: those with few loads for each are a little faster. */
static double merit(const struct mi_problem *problem, const struct expand *x, const int *tile)
{
    double loads = (double)(tile[0] + tile[1]) / (double)(tile[0] * tile[1]);
    return waste(problem, x, tile) * (0.8 + 0.3 * loads);
}

static bool tile_fits(const struct mi_problem *problem, const struct expand *x, const int *tile)
{
    return tile[1] <= x->places && ring_bytes(problem, x, tile[0]) <= most_bytes(problem);
}

/* Rows of an item: whole images where there are items enough, for the first rows of each item are computed twice. */
static int64_t rows_of(const struct mi_problem *problem, const struct expand *x, int blocks)
{
    int64_t groups = mi_divide_up(mi_divide_up(x->point.k, problem->device->vector_width), blocks) * problem->batch;
    int64_t wanted = ITEMS_OF_UNIT * (int64_t)problem->device->info.compute_units, height = x->d.conv.out[0];
    int64_t parts = groups < 1 ? 1 : mi_divide_up(wanted, groups);
    return mi_divide_up(height, least(parts, height));
}

/* Pixels in registers: the fewest tiles of a row, then the narrowest of those. */
static int even_width(const struct mi_problem *problem, const struct expand *x)
{
    int64_t width = x->d.conv.out[1], most = problem->device->vector_width >= 16  ? 28
                                             : problem->device->vector_width == 8 ? 8
                                                                                  : 8;
    return (int)mi_divide_up(width, mi_divide_up(width, least(most, width)));
}

static struct mi_variant variant_of(const struct mi_problem *problem, const struct expand *x, const int *tile)
{
    return (struct mi_variant){{tile[0], tile[1], even_width(problem, x), (int32_t)rows_of(problem, x, tile[0])}};
}

static int variants(const struct mi_problem *problem, struct mi_variant *list, int most)
{
    struct expand x;
    match(problem, &x);
    const int(*tiles)[2] = tiles_of(problem);
    int count = 0;
    bool taken[TILES] = {false};
    for (int best = 0; best >= 0 && count < most;) {
        best = -1;
        for (int i = 0; i < TILES; i++)
            if (!taken[i] && tile_fits(problem, &x, tiles[i]) &&
                (best < 0 || merit(problem, &x, tiles[i]) < merit(problem, &x, tiles[best])))
                best = i;
        if (best < 0)
            break;
        taken[best] = true;
        count = mi_variant_add(list, count, most, variant_of(problem, &x, tiles[best]));
    }
    return count;
}

static bool supports(const struct mi_problem *problem)
{
    struct expand x;
    struct mi_variant any[1];
    if (!match(problem, &x) || !mi_depthwise_fits(problem, &x.d))
        return false;
    return x.point.c >= problem->device->vector_width && mi_contraction_is_float(&problem->ahead->c) &&
           variants(problem, any, 1) > 0;
}

/* The products of both, those that are computed twice included, and what is read and written. A full tile is a little faster than
 * one of the direct engine, which stores its sums before maps go over them. */
static double cost(const struct mi_problem *problem)
{
    const mica_device *device = problem->device;
    struct mi_variant list[1] = {{{0}}};
    struct expand x;
    match(problem, &x);
    variants(problem, list, 1);
    const int tile[2] = {list[0].number[BLOCKS], list[0].number[PLACES]};
    const struct mi_conv *conv = &x.d.conv;
    int64_t twice = x.reach > conv->stride[0] ? x.reach - conv->stride[0] : 0; /* rows where two items meet */
    double rows = (double)(conv->in[0] + (mi_divide_up(conv->out[0], list[0].number[ROWS]) - 1) * twice);
    double ahead = rows * (double)x.places * (double)x.point.k * (double)x.point.c * (double)problem->batch;
    double bytes = 4.0 * (double)mi_shape_count(&x.point.x->value->shape, problem->batch) +
                   4.0 * (double)mi_shape_count(&problem->c.out.value->shape, problem->batch);
    double unit = 4.8e9 * device->vector_width * device->info.compute_units;
    return ahead * waste(problem, &x, tile) / (1.15 * unit) + mi_problem_products(problem) / (0.3 * unit) +
           bytes / (8e9 * device->info.compute_units);
}

static void wishes(const struct mi_problem *problem, struct mi_wishes *wishes)
{
    struct expand x;
    match(problem, &x);
    int b = problem->device->vector_width, rank = x.point.spatial + 2;
    struct mi_layout v = mi_layout_plain(rank);
    v.order[0] = (int8_t)x.point.w_k;
    v.order[1] = (int8_t)x.point.w_c;
    for (int i = 2 - x.point.spatial; i < 2; i++)
        v.order[i + x.point.spatial] = (int8_t)x.point.w_r[i];
    v.block[x.point.w_k] = (int16_t)(problem->variant.number[BLOCKS] * b);
    v.block[x.point.w_c] = (int16_t)b;
    v.inner[v.inners++] = (int8_t)x.point.w_c;
    v.inner[v.inners++] = (int8_t)x.point.w_k;
    struct mi_layout in = mi_layout_blocked(rank, 1, b), w = mi_layout_blocked(rank, 0, b);
    *wishes = mi_conv_wishes(problem, &x.d.conv, in, w);
    bool is_a = x.point.x == &problem->ahead->c.a;
    wishes->ahead_a = is_a ? in : v;
    wishes->ahead_b = is_a ? v : in;
}

/* ---- The kernel ---- */

/* What maps make of the B channels of `lane`, into `wide`. Channels that are not there repeat the last: their weights are 0. */
static const char *emit_ahead(struct mi_emitter *e, const struct mi_problem *problem, const struct expand *x)
{
    int b = e->device->vector_width;
    bool tail = x->point.k % b != 0;
    size_t memos = e->memos;
    struct mi_coordinate at[4];
    e->indent = 6;
    mi_bind(e, problem->ahead->node->out[0], "lane[v]");
    mi_conv_set_at(at, x->point.spatial,
                   tail ? (struct mi_coordinate){.at = "k_"} : (struct mi_coordinate){"k_", "kb", "v", b}, "ih", "iw");
    size_t lanes = mi_scope_open(e, "for (int v = 0; v < B; v++) ");
    mi_line(e, tail ? "const int k_ = min(kb*B + v, @%lld);" : "const int k_ = kb*B + v;", (long long)x->point.k - 1);
    mi_line(e, "wide[v] = %s;", mi_emit_value(e, problem->ahead->result, at, NULL));
    mi_scope_close(e, lanes);
    e->memos = memos;
    return mi_emit_take(e);
}

static void define_ahead(struct mi_emitter *e, const struct expand *x, const int32_t *number, struct mi_text *text)
{
    const mi_value *in = x->point.x->value;
    const struct mi_layout *layout = &e->tensors[in->id].layout;
    int64_t stride[MI_MAX_RANK] = {0};
    bool two = x->point.spatial == 2;
    int b = e->device->vector_width, w = x->point.spatial + 1;
    mi_layout_strides(layout, &in->shape, stride);
    mi_define(text, "B", b);
    mi_text_add(text, "#define VEC float%d\n#define VLOAD vload%d\n#define VSTORE vstore%d\n", b, b, b);
    mi_define(text, "OB", number[BLOCKS]);
    mi_define(text, "TP", number[PLACES]);
    mi_define_size(text, "BLOCKS", mi_divide_up(x->point.k, b));
    mi_define_size(text, "CB", mi_divide_up(x->point.c, b));
    mi_define_size(text, "HEIGHT", two ? x->point.out[0] : 1);
    mi_define_size(text, "LINE", x->line);
    mi_define_size(text, "LINE_TILES", mi_divide_up(x->places, number[PLACES]));
    mi_define_size(text, "PLACES", x->places);
    mi_define(text, "LEFT", x->left);
    mi_define(text, "FROM", x->from);
    mi_define_size(text, "XH0", two ? layout->low[w - 1] : 0);
    mi_define_size(text, "XW0", layout->low[w] + x->from);
    mi_define_size(text, "XSN", stride[0]);
    mi_define_size(text, "XSC", stride[1]);
    mi_define_size(text, "XSH", two ? stride[w - 1] : 0);
    mi_text_add(text, "#define X p%d\n", mi_emit_argument(e, x->point.x->value, false));
    mi_text_add(text, "#define V p%d\n", mi_emit_argument(e, x->point.w->value, false));
}

static void define_behind(struct mi_emitter *e, const struct expand *x, const int32_t *number, struct mi_text *text)
{
    const struct mi_conv *conv = &x->d.conv;
    int64_t tw = number[WIDTH];
    mi_define(text, "RING", x->reach);
    mi_define(text, "REACH", x->reach);
    mi_define(text, "TOP", conv->offset[0]);
    mi_define_size(text, "OH", conv->out[0]);
    mi_define_size(text, "OW", conv->out[1]);
    mi_define(text, "KH", conv->kernel[0]);
    mi_define(text, "KW", conv->kernel[1]);
    mi_define(text, "SH", conv->stride[0]);
    mi_define(text, "SW", conv->stride[1]);
    mi_define(text, "DH", conv->dilation[0]);
    mi_define(text, "DW", conv->dilation[1]);
    mi_define(text, "TW", tw);
    mi_define(text, "LAST", (tw - 1) * conv->stride[1] + (conv->kernel[1] - 1) * conv->dilation[1]);
    mi_define_size(text, "TILES", mi_divide_up(conv->out[1], tw));
    mi_define_size(text, "ROWS", number[ROWS]);
    mi_text_add(text, "#define W p%d\n", mi_emit_argument(e, conv->w->value, false));
}

static mica_status emit(struct mi_emitter *e, const struct mi_problem *problem, struct mi_codes *codes)
{
    struct expand x;
    struct mi_text defines = {0};
    const int32_t *number = problem->variant.number;
    match(problem, &x);
    const struct mi_conv *conv = &x.d.conv;
    mi_emit_local(e, "float", "ring", ring_bytes(problem, &x, number[BLOCKS]) / (int64_t)sizeof(float));
    define_ahead(e, &x, number, &defines);
    define_behind(e, &x, number, &defines);
    const char *with[3] = {emit_ahead(e, problem, &x), mi_depthwise_emit_stores(e, conv),
                           mi_conv_emit_halo(e, conv, 2, &(struct mi_conv_rows){"r0", "r1", "r0 == 0", "r1 == OH"})};
    int64_t groups = mi_divide_up(mi_divide_up(conv->k, e->device->vector_width), number[BLOCKS]);
    struct mi_grid grid = {
        .dims = 3,
        .global = {(size_t)groups, (size_t)mi_divide_up(conv->out[0], number[ROWS]), (size_t)problem->batch},
        .local = {1, 1, 1}};
    const char *name = mi_arena_format(e->arena, "mica_expand_%s", e->kernel->anchor->op->name);
    return mi_emit_file(e, "expand.cl", name, &defines, (const char *const[]){"MICA_WIDE", "MICA_STORE", "MICA_HALO"},
                        with, 3, grid, codes);
}

const struct mi_engine mi_engine_expand = {.name = "expand",
                                           .supports = supports,
                                           .cost = cost,
                                           .variants = variants,
                                           .epilogue = true,
                                           .memory = true,
                                           .blocked = true,
                                           .ahead = true,
                                           .wishes = wishes,
                                           .emit = emit};
