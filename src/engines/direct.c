/* Direct convolution on channel-blocked tensors, for CPU devices: one item computes whole register tiles with wide vectors.
 * The kernel is kernels/direct.cl; its output goes through the generated accessor, so that maps ride along and any layout is
 * written. */
#include "engines/conv.h"

#include <string.h>

struct tile {
    int b, xb;            /* filters in a vector; channels of x that lie together */
    int ob, tw;           /* blocks of filters and pixels in registers */
    int64_t blocks, rows; /* blocks of filters in all; rows an item computes */
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

/* Pixels in a tile: as many as registers hold, with the least waste at a row's end. */
static int best_width(int64_t width, int most)
{
    int best = 1;
    double waste = 1e9;
    for (int tw = 1; tw <= most && tw <= width; tw++) {
        int64_t tiles = (width + tw - 1) / tw;
        double cost = (double)tiles * (tw + 1.5); /* a tile's overhead is about that of one or two pixels */
        if (cost <= waste) {
            waste = cost;
            best = tw;
        }
    }
    return best;
}

static struct tile choose_tile(const struct mi_problem *problem, const struct mi_conv *conv)
{
    struct tile t = {.b = problem->device->vector_width};
    int registers = t.b >= 16 ? 28 : t.b == 8 ? 12 : 8;
    t.xb = conv->c < t.b ? 1 : t.b;
    t.blocks = (conv->k + t.b - 1) / t.b;
    t.ob = t.blocks % 2 ? 1 : 2;
    t.tw = best_width(conv->out[1], registers / t.ob);
    int64_t items = t.blocks / t.ob * problem->batch, wanted = 8 * (int64_t)problem->device->info.compute_units;
    int64_t parts = items >= wanted ? 1 : (wanted + items - 1) / items;
    t.rows = (conv->out[0] + parts - 1) / parts;
    return t;
}

static void wishes(const struct mi_problem *problem, struct mi_wishes *wishes)
{
    struct mi_conv conv;
    mi_conv_match(&problem->c, &conv);
    struct tile t = choose_tile(problem, &conv);
    int rank = conv.spatial + 2;
    struct mi_layout x = mi_conv_input_layout(&conv, t.xb);
    struct mi_layout w = mi_layout_plain(rank);
    int at = 0;
    w.order[at++] = (int8_t)conv.w_k;
    w.order[at++] = (int8_t)conv.w_c;
    for (int i = 2 - conv.spatial; i < 2; i++)
        w.order[at++] = (int8_t)conv.w_r[i];
    w.block[conv.w_k] = (int16_t)t.b;
    w.block[conv.w_c] = (int16_t)t.xb;
    if (t.xb > 1)
        w.inner[w.inners++] = (int8_t)conv.w_c;
    w.inner[w.inners++] = (int8_t)conv.w_k;
    bool x_is_a = conv.x == &problem->c.a;
    *wishes = (struct mi_wishes){.wanted = true, .a = x_is_a ? x : w, .b = x_is_a ? w : x};
}

/* Stores one lane of the tile through the accessor of every output. */
static const char *emit_stores(struct mi_emitter *e, const struct mi_conv *conv, const struct tile *t)
{
    e->indent = 6;
    bool tail = conv->k % t->b != 0;
    const char *real = NULL;
    mi_bind(e, e->kernel->anchor->out[0], "lane[v]");
    struct mi_coordinate at[4] = {{.at = "img"}}, place[4];
    if (tail) {
        mi_line(e, "const int f_ = kb*B + v, k_ = min(f_, %lld);", (long long)conv->k - 1);
        real = mi_arena_format(e->arena, "f_ < %lld", (long long)conv->k);
        at[1] = (struct mi_coordinate){.at = "k_"};
    } else {
        mi_line(e, "const int k_ = kb*B + v;");
        at[1] = (struct mi_coordinate){"k_", "kb", "v", t->b};
    }
    if (conv->spatial == 2)
        at[2] = (struct mi_coordinate){.at = "oh"};
    at[1 + conv->spatial] = (struct mi_coordinate){.at = "w_"};
    memcpy(place, at, sizeof place);
    place[1] = (struct mi_coordinate){tail ? "f_" : "k_", "kb", "v", t->b};
    for (int o = 0; o < e->kernel->outs; o++) {
        mi_value *value = e->kernel->out[o];
        const char *text = mi_emit_value(e, value, at, NULL);
        if (real && e->tensors[value->id].layout.block[1] != t->b) {
            size_t scope = mi_scope_open(e, "if (%s) ", real);
            mi_emit_store(e, value, at, text, NULL);
            mi_scope_close(e, scope);
        } else
            mi_emit_store(e, value, place, text, real);
    }
    return mi_emit_take(e);
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

/* The halo that goes with an item's rows: left and right of them, above the first and below the last. */
static const char *emit_halo(struct mi_emitter *e, const struct mi_conv *conv)
{
    e->indent = 2;
    for (int o = 0; o < e->kernel->outs; o++) {
        mi_value *value = e->kernel->out[o];
        const struct mi_layout *layout = &e->tensors[value->id].layout;
        int rank = value->shape.rank, h = rank - 2, w = rank - 1;
        int64_t top = conv->spatial == 2 ? layout->low[h] : 0, bottom = conv->spatial == 2 ? layout->high[h] : 0;
        int64_t left = layout->low[w], right = layout->high[w], height = conv->out[0], width = conv->out[1];
        if (!top && !bottom && !left && !right)
            continue;
        size_t blocks = mi_scope_open(e, "for (int kb = ob0; kb < ob0 + OB; kb++) ");
        halo_fill(e, value, conv->spatial, "r0", "r1", -left, 0);
        halo_fill(e, value, conv->spatial, "r0", "r1", width, width + right);
        if (top) {
            size_t scope = mi_scope_open(e, "if (r0 == 0) ");
            halo_fill(e, value, conv->spatial, mi_arena_format(e->arena, "-%lld", (long long)top), "0", -left,
                      width + right);
            mi_scope_close(e, scope);
        }
        if (bottom) {
            size_t scope = mi_scope_open(e, "if (r1 == OH) ");
            halo_fill(e, value, conv->spatial, "OH", mi_arena_format(e->arena, "%lld", (long long)(height + bottom)),
                      -left, width + right);
            mi_scope_close(e, scope);
        }
        mi_scope_close(e, blocks);
    }
    return mi_emit_take(e);
}

static mica_status emit(struct mi_emitter *e, const struct mi_problem *problem, struct mi_codes *codes)
{
    struct mi_conv conv;
    struct mi_text defines = {0};
    mi_conv_match(&problem->c, &conv);
    struct tile t = choose_tile(problem, &conv);
    mi_conv_define(e, &conv, t.b, t.xb, &defines);
    mi_define(&defines, "OB", t.ob);
    mi_define(&defines, "TW", t.tw);
    mi_define(&defines, "ROWS", t.rows);
    mi_define(&defines, "TILES", (conv.out[1] + t.tw - 1) / t.tw);
    mi_text_add(&defines, "#define W p%d\n", mi_emit_argument(e, conv.w->value, false));
    const char *with[2] = {emit_stores(e, &conv, &t), emit_halo(e, &conv)};
    struct mi_grid grid = {
        .dims = 3,
        .global = {(size_t)(t.blocks / t.ob), (size_t)((conv.out[0] + t.rows - 1) / t.rows), (size_t)problem->batch},
        .local = {1, 1, 1}};
    const char *name = mi_arena_format(e->arena, "mica_direct_%s", e->kernel->anchor->op->name);
    return mi_emit_file(e, "direct.cl", name, &defines, (const char *const[]){"MICA_STORE", "MICA_HALO"}, with, 2, grid,
                        codes);
}

const struct mi_engine mi_engine_direct = {.name = "direct",
                                           .supports = supports,
                                           .cost = cost,
                                           .epilogue = true,
                                           .memory = true,
                                           .blocked = true,
                                           .wishes = wishes,
                                           .emit = emit};
