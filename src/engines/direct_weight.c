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
    const mica_device *device = problem->device;
    return mi_problem_products(problem) / (0.4 * 4.8e9 * device->vector_width * device->info.compute_units);
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
    struct mi_layout x = mi_conv_input_layout(&conv, t.xb);
    struct mi_layout dy = mi_layout_blocked(conv.spatial + 2, 1, t.b);
    bool x_is_a = conv.x == &problem->c.a;
    *wishes = (struct mi_wishes){.wanted = true, .a = x_is_a ? x : dy, .b = x_is_a ? dy : x};
}

static void define_gradient(struct mi_emitter *e, const struct mi_conv *conv, const struct tile *t,
                            struct mi_text *text)
{
    const struct mi_layout *dy = &e->tensors[conv->w->value->id].layout;
    int64_t stride[MI_MAX_RANK] = {0};
    bool two = conv->spatial == 2;
    int h = conv->spatial, w = conv->spatial + 1;
    mi_layout_strides(dy, &conv->w->value->shape, stride);
    int64_t row = two ? stride[h] : 0, low = two ? dy->low[h] : 0;
    mi_define(text, "OB", t->ob);
    mi_define(text, "IC", t->ic);
    mi_define(text, "DSN", stride[0]);
    mi_define(text, "DSK", stride[1]);
    mi_define(text, "DSH", row);
    /* A halo of dy, where another engine asked for one, is stepped over. */
    mi_text_add(text, "#define DY (p%d + %lld)\n", mi_emit_argument(e, conv->w->value, false),
                (long long)(low * row + dy->low[w] * t->b));
}

static mica_status emit(struct mi_emitter *e, const struct mi_problem *problem, struct mi_codes *codes)
{
    struct mi_conv conv;
    struct mi_text defines = {0};
    mi_conv_weight_match(&problem->c, &conv);
    struct tile t = choose_tile(problem, &conv);
    mi_conv_define(e, &conv, t.b, t.xb, &defines);
    define_gradient(e, &conv, &t, &defines);
    struct mi_coordinate at[4] = {{.at = "k_"}, {.at = "c_"}, {.at = "kh"}};
    at[1 + conv.spatial] = (struct mi_coordinate){.at = "kw"};
    mi_bind(e, e->kernel->anchor->out[0], "lane[v]");
    e->indent = 5;
    for (int o = 0; o < e->kernel->outs; o++)
        mi_emit_store(e, e->kernel->out[o], at, mi_emit_value(e, e->kernel->out[o], at, NULL), NULL);
    const char *with = mi_emit_take(e);
    int64_t channels = t.xb > 1 ? (conv.c + t.xb - 1) / t.xb * t.xb : conv.c;
    struct mi_grid grid = {.dims = 3,
                           .global = {(size_t)(t.blocks / t.ob), (size_t)(channels / t.ic), (size_t)conv.kernel[0]},
                           .local = {1, 1, 1}};
    const char *name = mi_arena_format(e->arena, "mica_direct_%s", e->kernel->anchor->op->name);
    return mi_emit_file(e, "direct_weight.cl", name, &defines, (const char *const[]){"MICA_STORE"}, &with, 1, grid,
                        codes);
}

const struct mi_engine mi_engine_direct_weight = {.name = "direct_weight",
                                                  .supports = supports,
                                                  .cost = cost,
                                                  .epilogue = true,
                                                  .memory = true,
                                                  .wishes = wishes,
                                                  .emit = emit};
