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
    double products = 1, rate = 0.5 * 2.4e9 * 2 * problem->device->vector_width * problem->device->info.compute_units;
    for (int i = 0; i < problem->c.axes; i++)
        products *= (double)mi_dim_at(problem->c.extent[i], problem->batch);
    return products / rate;
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
    struct mi_layout x = t.xb > 1 ? mi_layout_blocked(rank, 1, t.xb) : mi_layout_plain(rank);
    for (int i = 2 - conv.spatial; i < 2; i++) {
        x.low[i + conv.spatial] = (int16_t)conv.low[i];
        x.high[i + conv.spatial] = (int16_t)conv.high[i];
    }
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

static void define(struct mi_text *text, const char *name, int64_t value)
{
    mi_text_add(text, "#define %s %lld\n", name, (long long)value);
}

static void define_all(struct mi_emitter *e, const struct mi_conv *conv, const struct tile *t, struct mi_text *text)
{
    const struct mi_layout *x = &e->tensors[conv->x->value->id].layout;
    int64_t stride[MI_MAX_RANK] = {0};
    int rank = conv->spatial + 2, h = rank - 2, w = rank - 1;
    mi_layout_strides(x, &conv->x->value->shape, stride);
    define(text, "B", t->b);
    define(text, "XB", t->xb);
    define(text, "OB", t->ob);
    define(text, "TW", t->tw);
    define(text, "ROWS", t->rows);
    define(text, "TILES", (conv->out[1] + t->tw - 1) / t->tw);
    define(text, "CB", (conv->c + t->xb - 1) / t->xb);
    define(text, "OH", conv->out[0]);
    define(text, "OW", conv->out[1]);
    define(text, "KH", conv->kernel[0]);
    define(text, "KW", conv->kernel[1]);
    define(text, "SH", conv->stride[0]);
    define(text, "SW", conv->stride[1]);
    mi_text_add(text, "#define DH (%lld)\n#define DW (%lld)\n", (long long)conv->dilation[0],
                (long long)conv->dilation[1]);
    int64_t low_h = conv->spatial == 2 ? x->low[h] : 0;
    mi_text_add(text, "#define XH0 (%lld)\n#define XW0 (%lld)\n", (long long)(conv->offset[0] + low_h),
                (long long)(conv->offset[1] + x->low[w]));
    define(text, "XSN", stride[0]);
    define(text, "XSC", stride[1]);
    define(text, "XSH", conv->spatial == 2 ? stride[h] : 0);
    mi_text_add(text, "#define VEC float%d\n#define VLOAD vload%d\n#define VSTORE vstore%d\n", t->b, t->b, t->b);
}

/* Stores one lane of the tile through the accessor of every output. */
static const char *emit_stores(struct mi_emitter *e, const struct mi_conv *conv, const struct tile *t)
{
    struct mi_text before = e->text;
    e->text = (struct mi_text){0};
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
    const char *stores = mi_arena_strdup(e->arena, mi_text_get(&e->text));
    mi_emit_text_end(e, &e->text);
    e->text = before;
    return stores ? stores : "";
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
    struct mi_text before = e->text;
    e->text = (struct mi_text){0};
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
    const char *halo = mi_arena_strdup(e->arena, mi_text_get(&e->text));
    mi_emit_text_end(e, &e->text);
    e->text = before;
    return halo ? halo : "";
}

/* The template's text with its two markers replaced. */
void mi_emit_template(struct mi_emitter *e, const char *text, const char *const *marker, const char *const *with,
                      int count)
{
    while (*text) {
        const char *next = NULL;
        int which = -1;
        for (int i = 0; i < count; i++) {
            const char *found = strstr(text, marker[i]);
            if (found && (!next || found < next)) {
                next = found;
                which = i;
            }
        }
        if (!next) {
            mi_text_append(&e->text, text, strlen(text));
            return;
        }
        mi_text_append(&e->text, text, (size_t)(next - text));
        mi_text_append(&e->text, with[which], strlen(with[which]));
        text = next + strlen(marker[which]);
    }
}

static mica_status emit(struct mi_emitter *e, const struct mi_problem *problem, struct mi_codes *codes)
{
    struct mi_conv conv;
    struct mi_text defines = {0};
    mi_conv_match(&problem->c, &conv);
    struct tile t = choose_tile(problem, &conv);
    const char *body = mi_kernel_text("direct.cl");
    if (!body)
        return mi_fail(e->error, MICA_INTERNAL, "there is no kernel file \"direct.cl\"");
    define_all(e, &conv, &t, &defines);
    mi_text_add(&defines, "#define X p%d\n", mi_emit_argument(e, conv.x->value, false));
    mi_text_add(&defines, "#define W p%d\n", mi_emit_argument(e, conv.w->value, false));
    const char *with[2] = {emit_stores(e, &conv, &t), emit_halo(e, &conv)};
    mi_emit_template(e, body, (const char *const[]){"MICA_STORE", "MICA_HALO"}, with, 2);
    struct mi_code *code = mi_code_add(e, codes);
    if (!code) {
        mi_emit_text_end(e, &defines);
        return e->error->status;
    }
    code->grid = (struct mi_grid){
        .dims = 3,
        .global = {(size_t)(t.blocks / t.ob), (size_t)((conv.out[0] + t.rows - 1) / t.rows), (size_t)problem->batch},
        .local = {1, 1, 1}};
    mi_emit_finish(e, mi_arena_format(e->arena, "mica_direct_%s", e->kernel->anchor->op->name), mi_text_get(&defines),
                   code);
    mi_emit_text_end(e, &defines);
    return e->error->status;
}

const struct mi_engine mi_engine_direct = {.name = "direct",
                                           .supports = supports,
                                           .cost = cost,
                                           .epilogue = true,
                                           .memory = true,
                                           .blocked = true,
                                           .wishes = wishes,
                                           .emit = emit};
