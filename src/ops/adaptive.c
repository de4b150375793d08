/* Pools whose windows share each axis out, as PyTorch's adaptive pools: window p of `out` over `in` places is those from
 * floor(p * in / out) to ceil((p + 1) * in / out) - 1. By the same formula, with in and out exchanged, the windows that a place
 * lies in are those from floor(h * out / in) to ceil((h + 1) * out / in) - 1. So one move serves the pool and its gradient:
 *
 *   Share    x (N, C, A...) -> (N, C, J0, J1, J2, B...)  x at floor(b * A / B) + j where that is in the share, else the fill */
#include "ops/ops.h"
#include "ops/window.h"

#include <math.h>

enum { MOST_NEAR = 255 }; /* places of a window that a byte tells apart, and from none */

/* The longest share when `of` places are shared out among `to`; *least is the shortest. With the remainder r = of mod to, a share
 * begins at a fraction of a place, a multiple of gcd(r, to) / to. */
static int64_t longest(int64_t of, int64_t to, int64_t *least)
{
    int64_t rest = of % to, a = to, b = rest;
    while (b) {
        int64_t kept = a % b;
        a = b;
        b = kept;
    }
    *least = of / to + (rest > 0);
    return rest == 0 || rest == a ? *least : *least + 1;
}

/* ---- The move: attributes sizes (B...) and fill ---- */

static mica_status infer_share(struct mi_node *node)
{
    int axes = 0;
    int64_t least;
    const int64_t *to = mi_attribute_ints(node, "sizes", &axes);
    const struct mi_shape *x = &node->in[0]->shape;
    if (!to || x->rank != axes + 2 || axes > MI_MAX_SPATIAL)
        return mi_op_fail(node, MICA_INVALID_ARGUMENT, "attribute sizes does not fit an input of rank %d", x->rank);
    struct mi_shape out = {.rank = 2 + MI_MAX_SPATIAL + axes, .dim = {x->dim[0], x->dim[1], mi_fixed(1), mi_fixed(1), mi_fixed(1)}};
    for (int i = 0; i < axes; i++) {
        out.dim[2 + i] = mi_fixed(longest(x->dim[2 + i].b, to[i], &least));
        out.dim[2 + MI_MAX_SPATIAL + i] = mi_fixed(to[i]);
    }
    mi_infer_output(node, 0, node->in[0]->type, &out);
    return MICA_OK;
}

/* The first places of every share, as many as the shortest has, are there. */
static int move_share(struct mi_arena *arena, const struct mi_node *node, const char *const *index, struct mi_access *access)
{
    const struct mi_shape *x = &node->in[0]->shape, *y = &node->out[0]->shape;
    *access = (struct mi_access){.value = node->in[0], .index = {index[0], index[1]}, .knows = true};
    for (int i = 0; i < x->rank - 2; i++) {
        int64_t least;
        const char *j = index[2 + i], *b = index[2 + MI_MAX_SPATIAL + i];
        long long of = (long long)x->dim[2 + i].b, to = (long long)y->dim[2 + MI_MAX_SPATIAL + i].b;
        const char *place = mi_arena_format(arena, "((%s) * %lld / %lld + (%s))", b, of, to, j);
        access->index[2 + i] = place;
        if (longest(of, to, &least) == least)
            continue;
        access->inside[2 + i] = (struct mi_range){0, least};
        const char *guard = mi_arena_format(arena, "(%s < ((%s) * %lld + %lld) / %lld)", place, b, of, of + to - 1, to);
        access->guard = access->guard ? mi_arena_format(arena, "%s & %s", access->guard, guard) : guard;
    }
    access->knows = access->guard != NULL;
    return 1;
}

MI_MOVE_ROW(Share, 1, infer_share, NULL, move_share);

/* x over the places of its window, of n places shared out among m along each axis; and a where its place within window
 * at5 * m / n + at2, counted row by row in windows of l places, is b. */
#define PLACES(at, n, m) "(((" at " + 1) * " n " + " m " - 1) / " m " - " at " * " n " / " m ")"
#define WITHIN(at, j, n, m) "(int)(" at " - (" at " * " m " / " n " + " j ") * " n " / " m ")"
static mica_status infer_divide(struct mi_node *node)
{
    mi_infer_output(node, 0, node->in[0]->type, &node->in[0]->shape);
    return MICA_OK;
}
MI_MAP_ROW(DivideByShare, 1, infer_divide,
           .expr = {"x / (float)(" PLACES("at2", "n0", "m0") " * " PLACES("at3", "n1", "m1") " * " PLACES("at4", "n2", "m2") ")"});
MI_MAP_ROW(SelectInShare, 2, NULL,
           .expr = {"(" WITHIN("at5", "at2", "n0", "m0") " * l1 + " WITHIN("at6", "at3", "n1", "m1") ") * l2 + "
                    WITHIN("at7", "at4", "n2", "m2") " == b ? a : 0"});

/* ---- What both pools share ---- */

static mica_status infer_pool(struct mi_node *node)
{
    int axes = 0;
    struct mi_shape out = node->in[0]->shape;
    const int64_t *sizes = mi_attribute_ints(node, "output_size", &axes);
    MI_TRY(mi_float_types(node));
    if (!sizes || axes < 1 || axes > MI_MAX_SPATIAL || out.rank != axes + 2)
        return mi_op_fail(node, MICA_SHAPE, "output_size has %d values, input has rank %d", axes, out.rank);
    for (int i = 0; i < axes; i++) {
        struct mi_dim in = out.dim[2 + i];
        if (in.a || in.b < 1)
            return mi_op_fail(node, MICA_UNSUPPORTED, "input %s: sizes in space must be fixed and at least 1",
                              mi_shape_text(&node->graph->arena, &out));
        if (sizes[i] < 1 || sizes[i] >= INT32_MAX / in.b) /* places times windows are an index */
            return mi_op_fail(node, MICA_INVALID_ARGUMENT, "output_size holds %lld, for an input of %lld it must be 1 to %lld",
                              (long long)sizes[i], (long long)in.b, (long long)(INT32_MAX / in.b - 1));
        out.dim[2 + i] = mi_fixed(sizes[i]);
    }
    mi_infer_output(node, 0, node->in[0]->type, &out);
    return MICA_OK;
}

/* value shared out to the sizes of a shape. */
static mi_value *shared(struct mi_node *node, mi_value *value, const struct mi_shape *to, float fill)
{
    int64_t sizes[MI_MAX_SPATIAL];
    int axes = to->rank - 2;
    for (int i = 0; i < axes; i++)
        sizes[i] = to->dim[2 + i].b;
    return MI_APPLY(node->graph, "Share", ((mi_value *[]){value}), MI_INTS("sizes", sizes, axes), MI_REAL("fill", fill));
}

static mi_value *over_shares(struct mi_node *node, const char *op, mi_value *value)
{
    static const int64_t axes[] = {2, 3, 4};
    return mi_reduce(node->graph, op, value, axes, MI_MAX_SPATIAL, false);
}

/* What the maps ask for: places n and windows m of each axis, and the longest window l. *places: of such a window, all axes. */
enum { NUMBERS = 3 * MI_MAX_SPATIAL };
static void numbers(const struct mi_node *node, struct mi_attribute out[NUMBERS], int64_t *places)
{
    static const char *const names[NUMBERS] = {"n0", "m0", "l0", "n1", "m1", "l1", "n2", "m2", "l2"};
    const struct mi_shape *x = &node->in[0]->shape, *y = &node->out[0]->shape;
    int64_t least;
    *places = 1;
    for (int i = 0; i < MI_MAX_SPATIAL; i++) {
        bool is = i < x->rank - 2;
        int64_t n = is ? x->dim[2 + i].b : 1, m = is ? y->dim[2 + i].b : 1, l = longest(n, m, &least);
        out[3 * i] = MI_INT(names[3 * i], n);
        out[3 * i + 1] = MI_INT(names[3 * i + 1], m);
        out[3 * i + 2] = MI_INT(names[3 * i + 2], l);
        *places *= l;
    }
}

/* ---- AdaptiveAveragePool: attribute output_size ---- */

static mi_value *averaged(struct mi_node *node, mi_value *value)
{
    struct mi_attribute given[NUMBERS];
    int64_t places;
    numbers(node, given, &places);
    return value ? mi_apply(node->graph, "DivideByShare", &value, 1, given, NUMBERS) : NULL;
}

static mica_status lower_average(struct mi_node *node, mi_value **out)
{
    out[0] = averaged(node, over_shares(node, "ReduceSum", shared(node, node->in[0], &node->out[0]->shape, 0)));
    return node->graph->error.status;
}

static mica_status gradient_average(struct mi_node *node, mi_value *const *dy, mi_value **dx)
{
    dx[0] = over_shares(node, "ReduceSum", shared(node, averaged(node, dy[0]), &node->in[0]->shape, 0));
    return node->graph->error.status;
}

MI_COMPOSITE_ROW(AdaptiveAveragePool, 1, 1, 1, infer_pool, gradient_average, lower_average);

/* ---- AdaptiveMaxPool: the same ---- */

static mica_status lower_max(struct mi_node *node, mi_value **out)
{
    out[0] = over_shares(node, "ReduceMaxFloat", shared(node, node->in[0], &node->out[0]->shape, -INFINITY));
    return node->graph->error.status;
}

/* The whole gradient of a window goes to its first maximum, as in PyTorch. */
static mica_status gradient_max(struct mi_node *node, mi_value *const *dy, mi_value **dx)
{
    struct mi_attribute given[NUMBERS];
    int64_t places;
    numbers(node, given, &places);
    bool few = places <= MOST_NEAR;
    mi_value *place = over_shares(node, few ? "ReduceArgMaxNear" : "ReduceArgMax",
                                  shared(node, node->in[0], &node->out[0]->shape, -INFINITY));
    if (!place)
        return node->graph->error.status;
    mi_value *in[] = {shared(node, dy[0], &node->in[0]->shape, 0),
                      shared(node, place, &node->in[0]->shape, few ? MOST_NEAR : -1)};
    dx[0] = over_shares(node, "ReduceSum", mi_apply(node->graph, "SelectInShare", in, 2, given, NUMBERS));
    return node->graph->error.status;
}

const struct mi_op mi_op_AdaptiveMaxPool = {.name = "AdaptiveMaxPool",
                                            .kind = MI_COMPOSITE,
                                            .min_inputs = 1,
                                            .max_inputs = 1,
                                            .outputs = 1,
                                            .infer = infer_pool,
                                            .gradient = gradient_max,
                                            .lower = lower_max,
                                            .picks_largest = true};
