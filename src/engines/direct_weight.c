/* The weight gradient of a convolution, directly on blocked tensors (kernels/direct_weight.cl). */
#include "engines/conv.h"

#include <string.h>

struct tile {
    int b, xb, ob, ic;
    int64_t blocks;
};

static bool supports(const struct mi_problem *problem)
{
    struct mi_conv conv;
    const mica_device *device = problem->device;
    if (!device->is_cpu || device->vector_width < 4 || problem->c.out.value->type != MI_FLOAT || problem->plain_only)
        return false;
    return mi_conv_weight_match(&problem->c, &conv) && conv.k >= device->vector_width / 2 && conv.kernel[1] <= 12;
}

static double cost(const struct mi_problem *problem)
{
    double products = 1, rate = 0.4 * 2.4e9 * 2 * problem->device->vector_width * problem->device->info.compute_units;
    for (int i = 0; i < problem->c.axes; i++)
        products *= (double)mi_dim_at(problem->c.extent[i], problem->batch);
    return products / rate;
}

/* As many accumulators as there are registers: filters first, then channels. */
static struct tile choose_tile(const struct mi_problem *problem, const struct mi_conv *conv)
{
    struct tile t = {.b = problem->device->vector_width, .ic = 1};
    int registers = t.b >= 16 ? 28 : 12, kw = (int)conv->kernel[1];
    t.xb = conv->c < t.b ? 1 : t.b;
    t.blocks = (conv->k + t.b - 1) / t.b;
    t.ob = t.blocks % 2 == 0 && 2 * kw <= registers ? 2 : 1;
    if (t.xb == 1 && t.blocks % 4 == 0 && 4 * kw <= registers)
        t.ob = 4;
    int most = t.xb > 1 ? t.xb : (int)conv->c;
    while (t.ic * 2 <= most && most % (t.ic * 2) == 0 && t.ic * 2 * t.ob * kw <= registers)
        t.ic *= 2;
    return t;
}

static void wishes(const struct mi_problem *problem, struct mi_wishes *wishes)
{
    struct mi_conv conv;
    mi_conv_weight_match(&problem->c, &conv);
    struct tile t = choose_tile(problem, &conv);
    int rank = conv.spatial + 2;
    struct mi_layout x = t.xb > 1 ? mi_layout_blocked(rank, 1, t.xb) : mi_layout_plain(rank);
    for (int i = 2 - conv.spatial; i < 2; i++) {
        x.low[i + conv.spatial] = (int16_t)conv.low[i];
        x.high[i + conv.spatial] = (int16_t)conv.high[i];
    }
    struct mi_layout dy = mi_layout_blocked(rank, 1, t.b);
    bool x_is_a = conv.x == &problem->c.a;
    *wishes = (struct mi_wishes){.wanted = true, .a = x_is_a ? x : dy, .b = x_is_a ? dy : x};
}

static void define(struct mi_text *text, const char *name, int64_t value)
{
    mi_text_add(text, "#define %s (%lld)\n", name, (long long)value);
}

static void define_all(struct mi_emitter *e, const struct mi_conv *conv, const struct tile *t, struct mi_text *text)
{
    const struct mi_layout *x = &e->tensors[conv->x->value->id].layout, *dy = &e->tensors[conv->w->value->id].layout;
    int64_t xs[MI_MAX_RANK] = {0}, ds[MI_MAX_RANK] = {0};
    bool two = conv->spatial == 2;
    int h = conv->spatial, w = conv->spatial + 1;
    mi_layout_strides(x, &conv->x->value->shape, xs);
    mi_layout_strides(dy, &conv->w->value->shape, ds);
    define(text, "B", t->b);
    define(text, "XB", t->xb);
    define(text, "OB", t->ob);
    define(text, "IC", t->ic);
    define(text, "FILTERS", conv->k);
    define(text, "CHANNELS", conv->c);
    define(text, "OH", conv->out[0]);
    define(text, "OW", conv->out[1]);
    define(text, "KW", conv->kernel[1]);
    define(text, "SH", conv->stride[0]);
    define(text, "SW", conv->stride[1]);
    define(text, "DH", conv->dilation[0]);
    define(text, "DW", conv->dilation[1]);
    define(text, "XH0", conv->offset[0] + (two ? x->low[h] : 0));
    define(text, "XW0", conv->offset[1] + x->low[w]);
    define(text, "XSN", xs[0]);
    define(text, "XSC", xs[1]);
    define(text, "XSI", t->xb > 1 ? 1 : xs[1]);
    define(text, "XSH", two ? xs[h] : 0);
    define(text, "XSW", t->xb);
    define(text, "DSN", ds[0]);
    define(text, "DSK", ds[1]);
    /* A halo of dy, where another engine asked for one, is stepped over. */
    int64_t low_h = two ? dy->low[h] : 0, low_w = dy->low[w];
    define(text, "DSH", two ? ds[h] : 0);
    int argument = mi_emit_argument(e, conv->w->value, false);
    mi_text_add(text, "#define DY (p%d + %lld)\n", argument, (long long)(low_h * (two ? ds[h] : 0) + low_w * t->b));
    mi_text_add(text, "#define X p%d\n", mi_emit_argument(e, conv->x->value, false));
    mi_text_add(text, "#define VEC float%d\n#define VLOAD vload%d\n#define VSTORE vstore%d\n", t->b, t->b, t->b);
}

static mica_status emit(struct mi_emitter *e, const struct mi_problem *problem, struct mi_codes *codes)
{
    struct mi_conv conv;
    struct mi_text defines = {0};
    mi_conv_weight_match(&problem->c, &conv);
    struct tile t = choose_tile(problem, &conv);
    const char *body = mi_kernel_text("direct_weight.cl");
    if (!body)
        return mi_fail(e->error, MICA_INTERNAL, "there is no kernel file \"direct_weight.cl\"");
    define_all(e, &conv, &t, &defines);
    struct mi_coordinate at[4] = {{.at = "k_"}, {.at = "c_"}, {.at = "kh"}};
    at[1 + conv.spatial] = (struct mi_coordinate){.at = "kw"};
    mi_bind(e, e->kernel->anchor->out[0], "lane[v]");
    e->indent = 5;
    for (int o = 0; o < e->kernel->outs; o++)
        mi_emit_store(e, e->kernel->out[o], at, mi_emit_value(e, e->kernel->out[o], at, NULL), NULL);
    const char *with = mi_arena_strdup(e->arena, mi_text_get(&e->text));
    with = with ? with : "";
    mi_text_clear(&e->text);
    mi_emit_template(e, body, (const char *const[]){"MICA_STORE"}, &with, 1);
    struct mi_code *code = mi_code_add(e, codes);
    if (!code) {
        mi_emit_text_end(e, &defines);
        return e->error->status;
    }
    int64_t channels = t.xb > 1 ? (conv.c + t.xb - 1) / t.xb * t.xb : conv.c;
    code->grid =
        (struct mi_grid){.dims = 3,
                         .global = {(size_t)(t.blocks / t.ob), (size_t)(channels / t.ic), (size_t)conv.kernel[0]},
                         .local = {1, 1, 1}};
    mi_emit_finish(e, mi_arena_format(e->arena, "mica_direct_%s", e->kernel->anchor->op->name), mi_text_get(&defines),
                   code);
    mi_emit_text_end(e, &defines);
    return e->error->status;
}

const struct mi_engine mi_engine_direct_weight = {.name = "direct_weight",
                                                  .supports = supports,
                                                  .cost = cost,
                                                  .epilogue = true,
                                                  .memory = true,
                                                  .wishes = wishes,
                                                  .emit = emit};
