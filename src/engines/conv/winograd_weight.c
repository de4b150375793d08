/* The weight gradient of a 3 x 3 convolution by the transposed Winograd algorithm, on channel-blocked tensors, for CPU devices
 * (Lavin, Gray: "Fast Algorithms for Convolutional Neural Networks", 2015, arXiv:1509.09308). The forward pass
 * A^T [(G w G^T) * (B^T x B)] A is linear in w, so its gradient by w is the transposed map of the gradient of the result:
 *
 *     dw = G^T [ sum over tiles of (A dy A^T) * (B^T x B) ] G        with tiles of m x m results, m 2 or 4
 *
 * 2.25 and 4 times fewer products than the plain sum. The kernel is kernels/winograd_weight.cl. It rounds as winograd.c does. */
#include "engines/conv/conv.h"

enum { NUMBER_TILE, NUMBER_TILES, NUMBER_BLOCKS, NUMBER_CHANNELS, NUMBER_OB, NUMBER_TC };

struct gradient {
    struct mi_conv conv;
    int b, tile, edge;         /* lanes; results and inputs along a tile's side */
    int tiles;                 /* transformed at a time */
    int blocks, channels;      /* of an item: blocks of filters, and of channels */
    int ob, tc;                /* blocks of filters and channels in registers */
    int64_t kb, cb;            /* blocks of filters and of channels in all */
    int64_t rows, columns;     /* tiles of an image */
};

static bool match(const struct mi_problem *problem, struct mi_conv *conv)
{
    return mi_conv_weight_match(&problem->c, conv) && mi_conv_takes_tiles(conv) && conv->groups == 1 &&
           conv->dilation[0] == 1 && conv->dilation[1] == 1 && conv->c >= problem->device->vector_width;
}

static void configure(const struct mi_problem *problem, const struct mi_variant *variant, struct gradient *g)
{
    g->b = problem->device->vector_width;
    g->tile = variant->number[NUMBER_TILE];
    g->edge = g->tile + 2;
    g->tiles = variant->number[NUMBER_TILES];
    g->blocks = variant->number[NUMBER_BLOCKS];
    g->channels = variant->number[NUMBER_CHANNELS];
    g->ob = variant->number[NUMBER_OB];
    g->tc = variant->number[NUMBER_TC];
    g->kb = mi_divide_up(g->conv.k, g->b);
    g->cb = mi_divide_up(g->conv.c, g->b);
    g->rows = mi_divide_up(g->conv.out[0], g->tile);
    g->columns = mi_divide_up(g->conv.out[1], g->tile);
    mi_conv_tile_halo(&g->conv, g->tile);
}

/* ---- Variants ---- */

/* Elements of an item's sums, of its transformed gradients, and of its transformed inputs; the kernel says how they lie. */
static int64_t sums_of(const struct gradient *g)
{
    return (int64_t)g->edge * g->edge * g->blocks * g->channels * g->b * g->b;
}

static int64_t transformed(const struct gradient *g, int blocks)
{
    return (int64_t)g->edge * g->edge * (g->tiles * blocks + 1) * g->b;
}

static bool fits(const struct mi_problem *problem, const struct gradient *g)
{
    int64_t floats = sums_of(g) + transformed(g, g->blocks) + transformed(g, g->channels);
    return (uint64_t)floats * sizeof(float) + 8192 <= problem->device->info.local_memory_bytes; /* some is the driver's */
}

/* A way to go about it: results along a tile's side, and how many tiles, blocks of filters and of channels, at most. */
struct way {
    int tile, tiles, blocks, channels;
};

static int64_t items_of(const struct gradient *g)
{
    return mi_divide_up(g->kb, g->blocks) * mi_divide_up(g->cb, g->channels);
}

/* The variant for one way, with smaller items where some cores would have none or local memory is small; false: it does not
 * fit. */
static bool plan_variant(const struct mi_problem *problem, const struct way *way, struct mi_variant *variant)
{
    struct gradient g;
    int64_t wanted = 4 * (int64_t)problem->device->info.compute_units;
    *variant = (struct mi_variant){{way->tile, way->tiles, way->blocks, way->channels, 2, 4}};
    if (!match(problem, &g.conv))
        return false;
    for (configure(problem, variant, &g); !fits(problem, &g) || items_of(&g) < wanted; configure(problem, variant, &g)) {
        int32_t *number = variant->number;
        if (number[NUMBER_BLOCKS] > 2 && g.kb <= number[NUMBER_BLOCKS] / 2)
            number[NUMBER_BLOCKS] /= 2;
        else if (number[NUMBER_CHANNELS] > 1 && number[NUMBER_CHANNELS] >= number[NUMBER_BLOCKS])
            number[NUMBER_CHANNELS] /= 2;
        else if (number[NUMBER_BLOCKS] > 2)
            number[NUMBER_BLOCKS] /= 2;
        else
            return fits(problem, &g);
    }
    return true;
}

static int variants(const struct mi_problem *problem, struct mi_variant *list, int most)
{
    static const struct way ways[] = {{4, 12, 4, 4}, {4, 12, 8, 4}, {4, 24, 4, 4}, {4, 16, 4, 2}, {2, 24, 8, 4}};
    struct mi_variant variant;
    int count = 0;
    for (size_t i = 0; i < MI_COUNT(ways); i++)
        if (plan_variant(problem, &ways[i], &variant))
            count = mi_variant_add(list, count, most, variant);
    return count;
}

static bool supports(const struct mi_problem *problem)
{
    const mica_device *device = problem->device;
    struct mi_conv conv;
    struct mi_variant variant;
    if (problem->exact || problem->plain_only || !device->is_cpu || device->vector_width < 4)
        return false;
    return match(problem, &conv) && mi_contraction_is_float(&problem->c) && variants(problem, &variant, 1) > 0;
}

static double cost(const struct mi_problem *problem)
{
    const mica_device *device = problem->device;
    struct mi_variant variant = mi_variant_of(&mi_engine_winograd_weight, problem, 0);
    struct gradient g;
    match(problem, &g.conv);
    configure(problem, &variant, &g);
    double lanes = 4.8e9 * device->vector_width * device->info.compute_units, places = (double)g.edge * g.edge;
    double k = (double)mi_divide_up(g.kb, g.blocks) * g.blocks * g.b, c = (double)mi_divide_up(g.cb, g.channels) * g.channels * g.b;
    double tiles = (double)(problem->batch * g.rows * g.columns);
    /* Products; both transforms, which are repeated for every item that needs them; the way back from places to taps. */
    double products = places * tiles * k * c / 0.8;
    double transforms = 6 * places * tiles * (c * k / (g.blocks * g.b) + k * c / (g.channels * g.b)) / 0.55;
    return (products + transforms + 12 * places * k * c) / lanes;
}

/* ---- Operands and kernel ---- */

static void read_variant(const struct mi_problem *problem, struct gradient *g)
{
    match(problem, &g->conv);
    configure(problem, &problem->variant, g);
}

static void wishes(const struct mi_problem *problem, struct mi_wishes *wishes)
{
    struct gradient g;
    read_variant(problem, &g);
    *wishes = mi_conv_wishes(problem, &g.conv, mi_conv_input_layout(&g.conv, g.b), mi_layout_blocked(4, 1, g.b));
}

static void define(struct mi_emitter *e, const struct gradient *g, struct mi_text *text)
{
    mi_conv_define(e, &g->conv, g->b, g->b, text);
    mi_conv_define_gradient(e, &g->conv, g->b, text);
    mi_define(text, "TILE", g->tile);
    mi_define(text, "EDGE", g->edge);
    mi_define(text, "TILES", g->tiles);
    mi_define(text, "ITEM_BLOCKS", g->blocks);
    mi_define(text, "ITEM_CHANNELS", g->channels);
    mi_define(text, "OB", g->ob);
    mi_define(text, "TC", g->tc);
    mi_define_size(text, "BLOCKS", g->kb);
    mi_define_size(text, "ROW_TILES", g->rows);
    mi_define_size(text, "COLUMN_TILES", g->columns);
    mi_add_file(text, "winograd_tile.cl", NULL, NULL, 0);
}

static mica_status emit(struct mi_emitter *e, const struct mi_problem *problem, struct mi_codes *codes)
{
    struct gradient g;
    struct mi_text defines = {0};
    read_variant(problem, &g);
    define(e, &g, &defines);
    mi_emit_local(e, "float", "sums", sums_of(&g));
    mi_emit_local(e, "float", "dyt", transformed(&g, g.blocks));
    mi_emit_local(e, "float", "xt", transformed(&g, g.channels));
    const char *with = mi_conv_emit_weight_store(e, 4);
    struct mi_grid grid = {.dims = 2,
                           .global = {(size_t)mi_divide_up(g.kb, g.blocks), (size_t)mi_divide_up(g.cb, g.channels)},
                           .local = {1, 1}};
    const char *name = mi_arena_format(e->arena, "mica_winograd%d_%s", g.tile, e->kernel->anchor->op->name);
    return mi_emit_file(e, "winograd_weight.cl", name, &defines, (const char *const[]){"MICA_STORE"}, &with, 1, grid, codes);
}

const struct mi_engine mi_engine_winograd_weight = {.name = "winograd_weight",
                                                    .supports = supports,
                                                    .cost = cost,
                                                    .variants = variants,
                                                    .epilogue = true,
                                                    .memory = true,
                                                    .wishes = wishes,
                                                    .emit = emit};
