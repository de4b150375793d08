/* The weight gradient of a convolution, directly on blocked tensors (kernels/direct_weight.cl). */
#include "engines/conv/conv.h"

#include <string.h>

/* How the work is cut; a variant's numbers. */
enum { BLOCKS_OF_TILE, TAPS_OF_TILE, CHANNELS_OF_ITEM, GROUPS_OF_ITEM, PIXELS };

struct tile {
    int b, xb;             /* filters in a vector; channels of x that lie together */
    int ob, taps;          /* blocks of filters and taps (places of a filter) in registers */
    int64_t filter_groups; /* of ob blocks, in all ... */
    int64_t groups;        /* ... and of an item */
    int64_t channels;      /* of an item */
    int64_t pixels;        /* of a chunk, about */
};

static bool supports(const struct mi_problem *problem)
{
    struct mi_conv conv;
    const mica_device *device = problem->device;
    if (!device->is_cpu || device->vector_width < 4 || problem->c.out.value->type != MI_FLOAT || problem->plain_only)
        return false;
    return mi_conv_weight_match(&problem->c, &conv) && conv.k >= device->vector_width / 2 &&
           mi_conv_groups_fit(&conv, device->vector_width) && mi_conv_volume(conv.kernel) <= 121;
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
    MOST_LOCAL = 56 << 10, /* bytes of an item's sums and what goes with them */
    CYCLES_OF_TILE = 80,   /* of a tile in a chunk, beside its products */
    FLOATS_A_CYCLE = 4,    /* that come from afar while products are computed */
    DY_BYTES = 14 << 10    /* of a chunk's dy of one tile, in the nearest cache */
};

/* Channels of x that lie together: few channels stay in planes. */
static int x_block(const struct mi_problem *problem, const struct mi_conv *conv)
{
    return conv->c < problem->device->vector_width ? 1 : problem->device->vector_width;
}

static struct tile read_tile(const struct mi_problem *problem, const struct mi_conv *conv)
{
    const int32_t *number = problem->variant.number;
    struct tile t = {.b = problem->device->vector_width};
    t.xb = x_block(problem, conv);
    t.ob = number[BLOCKS_OF_TILE];
    t.taps = number[TAPS_OF_TILE];
    t.filter_groups = mi_divide_up(conv->k, t.b) / t.ob;
    t.groups = number[GROUPS_OF_ITEM];
    t.channels = number[CHANNELS_OF_ITEM];
    t.pixels = number[PIXELS];
    return t;
}

static int64_t at_most(int64_t value, int64_t most)
{
    return value < 1 ? 1 : value > most ? most : value;
}

/* Bytes of an item's arrays in local memory: sums, those of a block turned, and where the taps are. */
static int64_t local_bytes(const struct tile *t, int64_t window)
{
    int64_t taps = t->channels * window + t->taps + t->b;
    return taps * ((t->groups * t->ob + 1) * t->b * (int64_t)sizeof(float) + (int64_t)sizeof(int64_t));
}

/* What an item takes, in cycles: its products, what surrounds those of a tile in each chunk, and what it reads. */
static double item_cycles(const struct mi_problem *problem, const struct mi_conv *conv, const struct tile *t)
{
    double places = (double)(problem->batch * mi_conv_volume(conv->in));
    double pixels = (double)(problem->batch * mi_conv_volume(conv->out));
    double tiles = (double)(t->groups * mi_divide_up(t->channels * mi_conv_volume(conv->kernel), t->taps));
    double products = 0.5 * t->ob * t->taps + CYCLES_OF_TILE / (double)t->pixels;
    double read = pixels * (double)(t->groups * t->ob * t->b) + places * (double)t->channels;
    return tiles * pixels * products + read / FLOATS_A_CYCLE;
}

/* Finds how many channels and groups of filters an item has; false if not even the fewest fit. The more, the less is read
 * again; but all wait for the first core, which drivers give its whole share of the items at once, and for the last item. */
static bool cut_items(const struct mi_problem *problem, const struct mi_conv *conv, struct tile *best)
{
    const mica_device *device = problem->device;
    int64_t local = (int64_t)device->info.local_memory_bytes / 8 * 7, most = local < MOST_LOCAL ? local : MOST_LOCAL;
    int64_t window = mi_conv_volume(conv->kernel), units = device->info.compute_units;
    struct tile t = *best;
    int64_t step = window == 1 && t.xb > 1 ? t.xb : 1;
    double least = -1;
    for (t.groups = 1; t.groups <= t.filter_groups; t.groups++)
        for (t.channels = step; t.channels < conv->c + step && local_bytes(&t, window) <= most; t.channels += step) {
            int64_t items = mi_divide_up(t.filter_groups, t.groups) * mi_divide_up(conv->c, t.channels);
            double work = ((double)mi_divide_up(items, units) + 0.25) * item_cycles(problem, conv, &t);
            if (least < 0 || work < least) {
                least = work;
                *best = t;
            }
        }
    return least >= 0;
}

static int variants(const struct mi_problem *problem, struct mi_variant *list, int most)
{
    struct mi_conv conv;
    mi_conv_weight_match(&problem->c, &conv);
    int b = problem->device->vector_width, count = 0;
    int64_t blocks = mi_divide_up(conv.k, b);
    for (int i = 0; i < TILES && count < most; i++) {
        const int *shape = b >= 16 ? wide_tiles[i] : narrow_tiles[i];
        struct tile t = {.b = b, .xb = x_block(problem, &conv), .ob = shape[0], .taps = shape[1]};
        t.filter_groups = blocks / t.ob;
        t.pixels = DY_BYTES / (t.ob * b * (int64_t)sizeof(float));
        if (blocks % t.ob == 0 && mi_conv_in_group(&conv, b, t.ob) && cut_items(problem, &conv, &t))
            list[count++] = (struct mi_variant){
                {t.ob, t.taps, (int32_t)at_most(t.channels, conv.c), (int32_t)t.groups, (int32_t)t.pixels}};
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

/* How images are cut. Rows that lie end to end in both tensors are walked as one line, as short ones cost more. */
struct cut {
    int64_t flat;         /* rows of a line */
    int64_t rows, images; /* lines and images of a chunk */
};

static bool is_flat(const struct mi_emitter *e, const struct mi_conv *conv)
{
    const mi_value *of[2] = {conv->x->value, conv->w->value};
    bool flat = conv->spatial == 2;
    for (int i = 0; i < 2; i++)
        flat = flat && conv->kernel[i] == 1 && conv->stride[i] == 1 && conv->in[i] == conv->out[i];
    for (int i = 0; i < 2; i++)
        flat = flat && e->tensors[of[i]->id].layout.low[3] == 0 && e->tensors[of[i]->id].layout.high[3] == 0;
    return flat;
}

static struct cut cut_of(const struct mi_emitter *e, const struct mi_conv *conv, const struct tile *t)
{
    struct cut cut = {1, 1, 1};
    int64_t most = is_flat(e, conv) ? conv->out[0] : 1;
    for (int64_t rows = 2; rows <= most && rows * conv->out[1] <= t->pixels; rows++)
        if (conv->out[0] % rows == 0)
            cut.flat = rows;
    int64_t lines = conv->out[MI_CONV_DEPTH] * conv->out[0] / cut.flat;
    cut.rows = at_most(t->pixels / (cut.flat * conv->out[1]), lines);
    if (cut.rows == lines)
        cut.images = t->pixels / mi_conv_volume(conv->out);
    cut.images = cut.images < 1 ? 1 : cut.images;
    return cut;
}

static void define_gradient(struct mi_emitter *e, const struct mi_conv *conv, const struct tile *t,
                            struct mi_text *text)
{
    struct cut cut = cut_of(e, conv, t);
    int64_t window = mi_conv_volume(conv->kernel);
    mi_define(text, "OB", t->ob);
    mi_define(text, "TAPS", t->taps);
    mi_define(text, "ASK_AHEAD", window == 1 && t->xb > 1 && conv->spatial < 3);
    mi_define_size(text, "IC", t->channels);
    mi_define_size(text, "GROUPS", t->groups);
    mi_define_size(text, "FILTER_GROUPS", t->filter_groups);
    mi_define_size(text, "FLAT", cut.flat);
    mi_define_size(text, "ROWS", cut.rows);
    mi_define_size(text, "IMAGES", cut.images);
    mi_emit_local(e, "float", "sums", mi_divide_up(t->channels * window, t->taps) * t->taps * t->groups * t->ob * t->b);
    mi_emit_local(e, "float", "turned", (t->channels * window + t->b) * t->b);
    mi_emit_local(e, "IDX", "place", t->channels * window + t->taps);
    /* Measured on POCL: of a window's taps, more than one pixel at a time makes sums spill; others are faster with a few. Of 7,
     * lines of images whose sides are 7 or twice, four times ... that leave no rest. */
    int unroll = window == 1 ? 7 : t->taps <= t->ob ? 1 : 4;
    mi_text_add(text, "#define UNROLL_OW _Pragma(\"unroll %d\")\n", unroll);
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
        .dims = 2,
        .global = {(size_t)mi_divide_up(t.filter_groups, t.groups), (size_t)mi_divide_up(conv.c, t.channels)},
        .local = {1, 1}};
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
