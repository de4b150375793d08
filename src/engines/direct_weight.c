/* The weight gradient of a convolution, directly on blocked tensors (kernels/direct_weight.cl). */
#include "engines/conv.h"

#include <string.h>

/* How the work is cut; a variant's numbers. */
enum { BLOCKS_OF_TILE, TAPS_OF_TILE, CHANNELS_OF_ITEM, ROWS, IMAGES };

struct tile {
    int b, xb;            /* filters in a vector; channels of x that lie together */
    int ob, taps;         /* blocks of filters and taps (places of a filter) in registers */
    int64_t blocks;       /* of filters, in all */
    int64_t channels;     /* of an item */
    int64_t rows, images; /* of a chunk that all of an item's taps meet */
};

static bool supports(const struct mi_problem *problem)
{
    struct mi_conv conv;
    const mica_device *device = problem->device;
    if (!device->is_cpu || device->vector_width < 4 || problem->c.out.value->type != MI_FLOAT || problem->plain_only)
        return false;
    return mi_conv_weight_match(&problem->c, &conv) && conv.k >= device->vector_width / 2 &&
           mi_conv_groups_fit(&conv, device->vector_width) && conv.kernel[0] * conv.kernel[1] <= 121;
}

static double cost(const struct mi_problem *problem)
{
    const mica_device *device = problem->device;
    return mi_problem_products(problem) / (0.95 * 4.8e9 * device->vector_width * device->info.compute_units);
}

/* The register tiles that a device's registers hold: blocks of filters and taps. */
static const int wide_tiles[][2] = {{4, 6}, {2, 12}, {3, 8}, {1, 24}},
                 narrow_tiles[][2] = {{4, 3}, {2, 6}, {3, 4}, {1, 12}};

enum {
    TILES = 4,
    MOST_SUMS = 64 << 10,  /* bytes of an item's sums */
    CHUNK_BYTES = 24 << 10 /* of what a chunk reads, in the nearest cache */
};

static struct tile read_tile(const struct mi_problem *problem, const struct mi_conv *conv)
{
    const int32_t *number = problem->variant.number;
    struct tile t = {.b = problem->device->vector_width};
    t.xb = conv->c < t.b ? 1 : t.b;
    t.blocks = mi_divide_up(conv->k, t.b);
    t.ob = number[BLOCKS_OF_TILE];
    t.taps = number[TAPS_OF_TILE];
    t.channels = number[CHANNELS_OF_ITEM];
    t.rows = number[ROWS];
    t.images = number[IMAGES];
    return t;
}

static int64_t at_most(int64_t value, int64_t most)
{
    return value < 1 ? 1 : value > most ? most : value;
}

static struct mi_variant variant_of(const struct mi_problem *problem, const struct mi_conv *conv, const int *shape)
{
    const mica_device *device = problem->device;
    int b = device->vector_width, ob = shape[0];
    int64_t window = conv->kernel[0] * conv->kernel[1], groups = mi_divide_up(conv->k, b) / ob;
    int64_t line = (int64_t)ob * b * (int64_t)sizeof(float), wanted = 4 * (int64_t)device->info.compute_units;
    int64_t channels = at_most(at_most(72 / window, MOST_SUMS / line / window), conv->c);
    if (channels > 8)
        channels = channels / 8 * 8;
    while (channels > 1 && groups * mi_divide_up(conv->c, channels) < wanted)
        channels = (channels + 1) / 2;
    int64_t pixel = line + channels * (int64_t)sizeof(float), row = conv->out[1] * pixel;
    int64_t rows = at_most(CHUNK_BYTES / row, conv->out[0]), images = 1;
    if (rows == conv->out[0])
        images = at_most(CHUNK_BYTES / (rows * row), problem->batch);
    return (struct mi_variant){{ob, shape[1], (int32_t)channels, (int32_t)rows, (int32_t)images}};
}

static int variants(const struct mi_problem *problem, struct mi_variant *list, int most)
{
    struct mi_conv conv;
    mi_conv_weight_match(&problem->c, &conv);
    int b = problem->device->vector_width, count = 0;
    int64_t blocks = mi_divide_up(conv.k, b);
    for (int i = 0; i < TILES && count < most; i++) {
        const int *shape = b >= 16 ? wide_tiles[i] : narrow_tiles[i];
        if (blocks % shape[0] == 0 && mi_conv_in_group(&conv, b, shape[0]))
            list[count++] = variant_of(problem, &conv, shape);
    }
    return count;
}

static void wishes(const struct mi_problem *problem, struct mi_wishes *wishes)
{
    struct mi_conv conv;
    mi_conv_weight_match(&problem->c, &conv);
    struct tile t = read_tile(problem, &conv);
    struct mi_layout x = mi_conv_input_layout(&conv, t.xb);
    struct mi_layout dy = mi_layout_blocked(conv.spatial + 2, 1, t.b);
    *wishes = mi_conv_wishes(problem, &conv, x, dy);
}

static void define_gradient(struct mi_emitter *e, const struct mi_conv *conv, const struct tile *t,
                            struct mi_text *text)
{
    mi_define(text, "OB", t->ob);
    mi_define(text, "TAPS", t->taps);
    mi_define(text, "IC", t->channels);
    mi_define_size(text, "ROWS", t->rows);
    mi_define_size(text, "IMAGES", t->images);
    mi_emit_local(e, "float", "sums", (t->channels * conv->kernel[0] * conv->kernel[1] + t->taps) * t->ob * t->b);
    /* Measured on POCL: of a window's taps, more than one pixel at a time makes sums spill; others are faster with a few. */
    bool window = conv->kernel[0] * conv->kernel[1] > 1 && t->taps <= t->ob;
    mi_text_add(text, "#define UNROLL_OW _Pragma(\"unroll %d\")\n", window ? 1 : 4);
    mi_conv_define_gradient(e, conv, t->b, text);
}

static mica_status emit(struct mi_emitter *e, const struct mi_problem *problem, struct mi_codes *codes)
{
    struct mi_conv conv;
    struct mi_text defines = {0};
    mi_conv_weight_match(&problem->c, &conv);
    struct tile t = read_tile(problem, &conv);
    mi_conv_define(e, &conv, t.b, t.xb, &defines);
    define_gradient(e, &conv, &t, &defines);
    mi_conv_define_groups(&conv, t.b, &defines);
    const char *with = mi_conv_emit_weight_store(e, 2);
    struct mi_grid grid = {
        .dims = 2, .global = {(size_t)(t.blocks / t.ob), (size_t)mi_divide_up(conv.c, t.channels)}, .local = {1, 1}};
    const char *name = mi_arena_format(e->arena, "mica_direct_%s", e->kernel->anchor->op->name);
    return mi_emit_file(e, "direct_weight.cl", name, &defines, (const char *const[]){"MICA_STORE"}, &with, 1, grid,
                        codes);
}

const struct mi_engine mi_engine_direct_weight = {.name = "direct_weight",
                                                  .supports = supports,
                                                  .cost = cost,
                                                  .variants = variants,
                                                  .epilogue = true,
                                                  .memory = true,
                                                  .wishes = wishes,
                                                  .emit = emit};
