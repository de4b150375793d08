/* Direct convolution on channel-blocked tensors, for CPU devices: one item computes whole register tiles with wide vectors.
 * The kernel is kernels/direct.cl; its output goes through the generated accessor, so that maps ride along and any layout is
 * written. */
#include "engines/conv/conv.h"

#include <string.h>

/* How the work is cut; a variant's numbers. */
enum { BLOCKS_OF_TILE, PIXELS_OF_TILE, CHUNK, ROWS };

struct tile {
    int b, xb;           /* filters in a vector; channels of x that lie together */
    int ob, tw;          /* blocks of filters and pixels in registers */
    int64_t blocks;      /* of filters, in all ... */
    int64_t channels;    /* ... and of channels */
    int64_t chunk, rows; /* blocks of channels whose weights are used again and again; rows an item computes */
};

enum {
    TILES = 4,
    MOST_PHASES = 16,
    WEIGHT_BYTES = 28 << 10, /* of a chunk, in the nearest cache */
    MOST_CHUNK = 20,
    LINES_BYTES = 24 << 10,
    SUMS_BYTES = 64 << 10, /* of an item's sums between chunks */
    PIXELS_OF_ITEM = 240,
    FILTERS_TO_ASK = 24, /* with more, products take longer than memory */
    PIXELS_AHEAD = 24,
    TILES_TO_PREPARE = 2, /* of an item's time, counted in tiles */
    MOST_ITEMS = 65535 /* along a dimension of the grid */
};

static bool supports(const struct mi_problem *problem)
{
    struct mi_conv conv;
    const mica_device *device = problem->device;
    if (!device->is_cpu || device->vector_width < 4 || problem->c.out.value->type != MI_FLOAT || problem->plain_only)
        return false;
    return mi_conv_match_phased(&problem->c, &conv) && mi_conv_volume(conv.divisor) <= MOST_PHASES &&
           mi_conv_groups_fit(&conv, device->vector_width);
}

static double cost(const struct mi_problem *problem)
{
    const mica_device *device = problem->device;
    struct mi_conv conv;
    mi_conv_match_phased(&problem->c, &conv);
    /* Lanes that no filter fills cost as much as others; of a strided gradient's places only those that divide are met. */
    double lanes = (double)(mi_divide_up(conv.k, device->vector_width) * device->vector_width) / (double)conv.k;
    double products = mi_problem_products(problem) * lanes / (double)mi_conv_volume(conv.divisor);
    return products / (1.15 * 4.8e9 * device->vector_width * device->info.compute_units);
}

/* Channels of x that lie together: few channels stay in planes. */
static int x_block(const struct mi_problem *problem, const struct mi_conv *conv)
{
    int b = problem->device->vector_width;
    return conv->c < b ? 1 : b;
}

/* Floats of a line of x that a row reads, and where it begins. */
static int64_t line_of(const struct mi_conv *conv, int64_t *begin)
{
    int64_t reach = (conv->kernel[1] - 1) * conv->dilation[1];
    *begin = conv->offset[1] + (reach < 0 ? reach : 0);
    return (conv->out[1] - 1) * conv->stride[1] + (reach < 0 ? -reach : reach) + 1;
}

/* Bytes of all the lines that one row reads, where it reads planes. */
static int64_t lines_bytes(const struct mi_conv *conv)
{
    int64_t begin;
    return line_of(conv, &begin) * conv->kernel[0] * conv->c * (int64_t)sizeof(float);
}

static int64_t least(int64_t x, int64_t y)
{
    return x < y ? x : y;
}

/* Rows of all planes of an image, of one phase at most. */
static int64_t image_rows(const struct mi_conv *conv)
{
    return mi_divide_up(conv->out[MI_CONV_HEIGHT], conv->divisor[MI_CONV_HEIGHT]) *
           mi_divide_up(conv->out[MI_CONV_DEPTH], conv->divisor[MI_CONV_DEPTH]);
}

/* The fewest rows an item may have: the grid has a limit. */
static int64_t fewest_rows(const struct mi_problem *problem, const struct mi_conv *conv)
{
    return problem->batch * image_rows(conv) / MOST_ITEMS + 1;
}

/* Rows whose lines are copied at a time; 0: x is read where it lies, and needs a halo. */
static int64_t rows_of_lines(const struct mi_problem *problem, const struct mi_conv *conv)
{
    int64_t most = least(LINES_BYTES, (int64_t)problem->device->info.local_memory_bytes / 2) / lines_bytes(conv);
    bool copied = x_block(problem, conv) == 1 && mi_conv_volume(conv->divisor) == 1 && conv->spatial < 3;
    return copied && most >= fewest_rows(problem, conv) ? most : 0;
}

/* Whether all channels are one chunk. */
static bool is_once(const struct tile *t)
{
    return t->chunk >= t->channels;
}

/* Pixels whose sums wait in local memory at a time: an item's, unless its rows are very long; whole tiles. */
static int64_t strip_of(const mica_device *device, const struct mi_phase phase[MI_CONV_AXES], const struct tile *t)
{
    int64_t bytes = least(SUMS_BYTES, (int64_t)device->info.local_memory_bytes / 4),
            pixel = (int64_t)sizeof(float) * t->ob * t->b;
    int64_t pixels = t->rows * phase[1].out, most = (bytes / pixel - 2 * t->tw) / t->tw * t->tw;
    return least(pixels, most > t->tw ? most : t->tw);
}

static struct tile read_tile(const struct mi_problem *problem, const struct mi_conv *conv)
{
    const int32_t *number = problem->variant.number;
    struct tile t = {.b = problem->device->vector_width, .xb = x_block(problem, conv)};
    t.blocks = mi_divide_up(conv->k, t.b);
    t.channels = mi_divide_up(conv->c, t.xb);
    t.ob = number[BLOCKS_OF_TILE];
    t.tw = number[PIXELS_OF_TILE];
    t.chunk = number[CHUNK];
    t.rows = number[ROWS];
    return t;
}

/* The register tiles that a device's registers hold: blocks of filters and pixels. */
static const int wide_tiles[][2] = {{4, 6}, {2, 12}, {3, 8}, {1, 24}},
                 narrow_tiles[][2] = {{4, 3}, {2, 6}, {3, 4}, {1, 12}};

/* Rows an item computes. Drivers give each core a run of neighbours, and the first run is as long as any: all wait for it, and
 * for half an item, as cores do not begin at the same time. Work is counted in halves of tiles. */
static int64_t best_rows(const mica_device *device, int64_t groups, int64_t all, int64_t width, int tw)
{
    int64_t best = 1, least_work = INT64_MAX, most = mi_divide_up(PIXELS_OF_ITEM, width);
    for (int64_t rows = 1; rows <= all && rows <= most; rows++) {
        int64_t items = mi_divide_up(groups * mi_divide_up(all, rows), device->info.compute_units);
        int64_t whole = least(items, groups * (all / rows));
        int64_t item = mi_divide_up(rows * width, tw) + TILES_TO_PREPARE,
                last_item = mi_divide_up(all % rows * width, tw) + TILES_TO_PREPARE;
        int64_t work = (2 * whole + 1) * item + 2 * (items - whole) * last_item;
        if (work <= least_work) {
            least_work = work;
            best = rows;
        }
    }
    return best;
}

static struct mi_variant variant_of(const struct mi_problem *problem, const struct mi_conv *conv, const int *shape)
{
    const mica_device *device = problem->device;
    int b = device->vector_width, xb = x_block(problem, conv), ob = shape[0];
    int64_t groups = mi_divide_up(mi_divide_up(conv->k, b), ob), channels = mi_divide_up(conv->c, xb);
    int64_t height = image_rows(conv), width = mi_divide_up(conv->out[1], conv->divisor[1]);
    int64_t bytes = mi_conv_volume(conv->kernel) * xb * b * ob * (int64_t)sizeof(float);
    int64_t most = bytes < WEIGHT_BYTES ? least(WEIGHT_BYTES / bytes, MOST_CHUNK) : 1;
    int64_t chunk = mi_divide_up(channels, mi_divide_up(channels, most));
    int64_t most_rows = rows_of_lines(problem, conv);
    int64_t rows = best_rows(device, groups, problem->batch * height, width, shape[1]);
    if (most_rows && rows > most_rows)
        rows = most_rows;
    if (rows < fewest_rows(problem, conv))
        rows = fewest_rows(problem, conv);
    return (struct mi_variant){{ob, shape[1], (int32_t)chunk, (int32_t)rows}};
}

/* What a tile makes of the filters, best 1: all of its blocks filled, and few loads for each product. */
static double merit(int64_t blocks, const int *shape)
{
    int64_t computed = mi_divide_up(blocks, shape[0]) * shape[0];
    double loads = (double)(shape[0] + shape[1]) / (double)(shape[0] * shape[1]);
    return (double)blocks / (double)computed / (0.6 + 0.7 * loads);
}

static int variants(const struct mi_problem *problem, struct mi_variant *list, int most)
{
    struct mi_conv conv;
    mi_conv_match_phased(&problem->c, &conv);
    int b = problem->device->vector_width, count = 0;
    const int(*tiles)[2] = b >= 16 ? wide_tiles : narrow_tiles;
    int64_t blocks = mi_divide_up(conv.k, b);
    bool taken[TILES] = {false};
    while (count < TILES && count < most) {
        int best = -1;
        for (int i = 0; i < TILES; i++)
            if (!taken[i] && mi_conv_in_group(&conv, b, tiles[i][0]) &&
                (best < 0 || merit(blocks, tiles[i]) > merit(blocks, tiles[best])))
                best = i;
        if (best < 0)
            break;
        taken[best] = true;
        list[count++] = variant_of(problem, &conv, tiles[best]);
    }
    return count;
}

static void wishes(const struct mi_problem *problem, struct mi_wishes *wishes)
{
    struct mi_conv conv;
    mi_conv_match_phased(&problem->c, &conv);
    struct tile t = read_tile(problem, &conv);
    int rank = conv.spatial + 2;
    struct mi_layout x = rows_of_lines(problem, &conv) ? mi_layout_plain(rank) : mi_conv_input_layout(&conv, t.xb);
    struct mi_layout w = mi_layout_plain(rank);
    int at = 0;
    w.order[at++] = (int8_t)conv.w_k;
    w.order[at++] = (int8_t)conv.w_c;
    for (int d = 2; d < rank; d++)
        w.order[at++] = (int8_t)conv.w_r[mi_conv_axis(&conv, d)];
    w.block[conv.w_k] = (int16_t)(t.ob * t.b);
    w.block[conv.w_c] = (int16_t)t.xb;
    if (t.xb > 1)
        w.inner[w.inners++] = (int8_t)conv.w_c;
    w.inner[w.inners++] = (int8_t)conv.w_k;
    *wishes = mi_conv_wishes(problem, &conv, x, w);
}

static void define_lines(const struct mi_conv *conv, struct mi_text *defines)
{
    int64_t begin, line = line_of(conv, &begin);
    int64_t left = begin < 0 ? -begin : 0, from = begin < 0 ? 0 : begin, count = conv->in[1] - from;
    count = left + count > line ? line - left : count;
    mi_define(defines, "LINES", 1);
    mi_define(defines, "LINE", line);
    mi_define_size(defines, "LINE_ROWS", conv->in[0]);
    mi_define(defines, "LINE_H0", conv->offset[0]);
    mi_define(defines, "LINE_W0", conv->offset[1] - begin);
    mi_define(defines, "LINE_LEFT", left);
    mi_define(defines, "LINE_FROM", from - conv->offset[1]);
    mi_define(defines, "LINE_COUNT", count > 0 ? count : 0);
}

/* How far ahead pixels are asked for: where one tile has all filters, each pixel is read but once, and comes from afar. */
static int pixels_ahead(const struct mi_conv *conv, const struct tile *t)
{
    bool once = t->blocks <= t->ob && mi_conv_volume(conv->kernel) * mi_conv_volume(conv->stride) == 1;
    return once && t->xb > 1 && conv->k <= FILTERS_TO_ASK ? PIXELS_AHEAD : 0;
}

/* Whether a phase has no place of the kernel: its results are 0. */
static bool is_empty(const struct mi_phase phase[MI_CONV_AXES])
{
    return phase[0].kernel == 0 || phase[1].kernel == 0 || phase[2].kernel == 0;
}

/* Which places of the output a phase has, and which of the kernel meet it. */
static void define_places(const struct mi_conv *conv, const struct mi_phase phase[MI_CONV_AXES], struct mi_text *defines)
{
    static const char *const names[MI_CONV_AXES][2] = {{"PHASES_H", "PHASE_H"}, {"PHASES_W", "PHASE_W"}, {"PHASES_D", "PHASE_D"}};
    static const char letters[MI_CONV_AXES] = {'H', 'W', 'D'};
    mi_define(defines, "WINDOW", mi_conv_volume(conv->kernel));
    mi_text_add(defines, "#define WINDOW_AT(kd, kh, kw) (PLACE_D(kd)*%lld + PLACE_H(kh)*%lld + PLACE_W(kw))\n",
                (long long)(conv->kernel[MI_CONV_HEIGHT] * conv->kernel[MI_CONV_WIDTH]), (long long)conv->kernel[MI_CONV_WIDTH]);
    for (int i = 0; i < MI_CONV_AXES; i++) {
        mi_define(defines, names[i][0], conv->divisor[i]);
        mi_define(defines, names[i][1], phase[i].phase);
        mi_text_add(defines, "#define PLACE_%c(k) ((k)*%lld + %lld)\n", letters[i], (long long)phase[i].step,
                    (long long)phase[i].first);
    }
}

static void define_tile(const mica_device *device, const struct mi_conv *conv, const struct tile *t,
                        const struct mi_phase phase[MI_CONV_AXES], struct mi_text *defines)
{
    bool empty = is_empty(phase);
    int64_t strip = strip_of(device, phase, t);
    mi_define(defines, "ONCE", empty || is_once(t));
    mi_define(defines, "ASK_AHEAD", pixels_ahead(conv, t));
    mi_define(defines, "OB", t->ob);
    mi_define(defines, "TW", t->tw);
    mi_define_size(defines, "BLOCKS", t->blocks);
    mi_define_size(defines, "CHUNK", empty ? t->channels : t->chunk);
    mi_define_size(defines, "ROWS", t->rows);
    mi_define_size(defines, "STRIP", strip);
    define_places(conv, phase, defines);
    mi_text_add(defines, "#define UNROLL_KW %s\n", t->xb == 1 ? "_Pragma(\"unroll\")" : "");
}

/* The halo of a row is filled where its first place is computed. */
static mica_status emit_phase(struct mi_emitter *e, const struct mi_problem *problem, const struct mi_conv *conv,
                              const struct mi_phase phase[MI_CONV_AXES], struct mi_codes *codes)
{
    struct mi_text defines = {0};
    struct tile t = read_tile(problem, conv);
    const char *with[4] = {"", "", "", ""};
    mi_conv_define_phase(e, conv, phase, t.b, t.xb, &defines);
    define_tile(problem->device, conv, &t, phase, &defines);
    mi_conv_define_groups(conv, t.b, &defines);
    mi_define(&defines, "OUTS", e->kernel->outs);
    int64_t strip = strip_of(e->device, phase, &t);
    bool once = is_empty(phase) || is_once(&t);
    mi_emit_local(e, "float", "sums", (once ? t.tw : strip + t.tw) * t.ob * t.b);
    if (!once)
        mi_emit_local(e, "float", "zeros", t.tw * t.ob * t.b);
    mi_emit_local(e, "IDX", "place", strip + t.tw);
    if (rows_of_lines(problem, conv)) {
        mi_emit_local(e, "float", "lines", t.rows * lines_bytes(conv) / (int64_t)sizeof(float));
        define_lines(conv, &defines);
    }
    mi_text_add(&defines, "#define W p%d\n", mi_emit_argument(e, conv->w->value, false));
    with[3] = mi_conv_emit_asks(e, conv, t.b, 4);
    mi_define(&defines, "ASKS", with[3][0] != 0);
    mi_conv_emit_stores(e, conv, t.b, 4, with);
    if (phase[1].phase == 0) {
        const char *last = mi_arena_format(e->arena, "oh == @%lld", (long long)conv->out[0] - 1);
        with[2] = mi_conv_emit_halo(e, conv, 2, &(struct mi_conv_rows){"oh", "oh + 1", "oh == 0", last});
    }
    int64_t rows = problem->batch * phase[MI_CONV_HEIGHT].out * phase[MI_CONV_DEPTH].out;
    struct mi_grid grid = {.dims = 2,
                           .global = {(size_t)mi_divide_up(t.blocks, t.ob), (size_t)mi_divide_up(rows, t.rows)},
                           .local = {1, 1}};
    const char *name = mi_arena_format(e->arena, "mica_direct_%s", e->kernel->anchor->op->name);
    return mi_emit_file(e, "direct.cl", name, &defines,
                        (const char *const[]){"MICA_RESULT", "MICA_STORE", "MICA_HALO", "MICA_ASK"}, with, 4, grid, codes);
}

static mica_status emit(struct mi_emitter *e, const struct mi_problem *problem, struct mi_codes *codes)
{
    struct mi_conv conv;
    mi_conv_match_phased(&problem->c, &conv);
    int64_t of_height = conv.divisor[MI_CONV_HEIGHT], of_width = conv.divisor[MI_CONV_WIDTH];
    for (int64_t i = 0; i < mi_conv_volume(conv.divisor); i++) {
        const struct mi_phase phase[MI_CONV_AXES] = {mi_conv_phase(&conv, MI_CONV_HEIGHT, i / of_width % of_height),
                                                     mi_conv_phase(&conv, MI_CONV_WIDTH, i % of_width),
                                                     mi_conv_phase(&conv, MI_CONV_DEPTH, i / of_width / of_height)};
        if (phase[0].out && phase[1].out && phase[2].out)
            MI_TRY(emit_phase(e, problem, &conv, phase, codes));
    }
    return e->error->status;
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
