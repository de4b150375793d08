/* Shapes whose dimensions are affine in the batch. */
#include "graph/graph.h"

#include <string.h>

bool mi_shape_equal(const struct mi_shape *x, const struct mi_shape *y)
{
    if (x->rank != y->rank)
        return false;
    for (int i = 0; i < x->rank; i++)
        if (!mi_dim_equal(x->dim[i], y->dim[i]))
            return false;
    return true;
}

int64_t mi_shape_count(const struct mi_shape *shape, int64_t n)
{
    int64_t count = 1;
    for (int i = 0; i < shape->rank; i++) {
        int64_t size = mi_dim_at(shape->dim[i], n);
        if (size == 0)
            return 0;
        if (size < 0 || count > INT64_MAX / 16 / size) /* 16: no element is wider */
            return -1;
        count *= size;
    }
    return count;
}

bool mi_shape_product(const struct mi_shape *shape, int first, int last, struct mi_dim *product)
{
    struct mi_dim p = mi_fixed(1);
    for (int i = first; i < last; i++) {
        struct mi_dim d = shape->dim[i];
        if (p.a && d.a)
            return false;
        p = d.a ? (struct mi_dim){d.a * p.b, d.b * p.b} : (struct mi_dim){p.a * d.b, p.b * d.b};
    }
    *product = p;
    return true;
}

bool mi_shape_broadcast(const struct mi_shape *x, const struct mi_shape *y, struct mi_shape *out)
{
    struct mi_shape result = {.rank = x->rank > y->rank ? x->rank : y->rank};
    for (int i = 1; i <= result.rank; i++) {
        struct mi_dim a = i <= x->rank ? x->dim[x->rank - i] : mi_fixed(1);
        struct mi_dim b = i <= y->rank ? y->dim[y->rank - i] : mi_fixed(1);
        if (!mi_dim_equal(a, b) && !mi_dim_is(a, 1) && !mi_dim_is(b, 1))
            return false;
        result.dim[result.rank - i] = mi_dim_is(a, 1) ? b : a;
    }
    *out = result;
    return true;
}

const char *mi_dim_text(struct mi_arena *arena, struct mi_dim dim)
{
    if (dim.a == 0)
        return mi_arena_format(arena, "%lld", (long long)dim.b);
    if (dim.a == 1 && dim.b == 0)
        return "n";
    if (dim.b == 0)
        return mi_arena_format(arena, "(%lld*n)", (long long)dim.a);
    return mi_arena_format(arena, "(%lld*n + %lld)", (long long)dim.a, (long long)dim.b);
}

const char *mi_shape_text(struct mi_arena *arena, const struct mi_shape *shape)
{
    const char *text = "(";
    for (int i = 0; i < shape->rank; i++)
        text = mi_arena_format(arena, "%s%s%s", text, i ? ", " : "", mi_dim_text(arena, shape->dim[i]));
    return mi_arena_format(arena, "%s)", text);
}
