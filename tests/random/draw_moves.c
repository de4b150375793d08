/* Moves: what changes shapes and places. */
#include "random/draw.h"

#include <string.h>

static void remove_dim(struct mi_shape *shape, int i)
{
    shape->rank--;
    memmove(shape->dim + i, shape->dim + i + 1, (size_t)(shape->rank - i) * sizeof *shape->dim);
}

static void insert_dim(struct mi_shape *shape, int i, struct mi_dim dim)
{
    memmove(shape->dim + i + 1, shape->dim + i, (size_t)(shape->rank - i) * sizeof *shape->dim);
    shape->dim[i] = dim;
    shape->rank++;
}

/* Joins two neighbours, splits a dimension, or puts a one somewhere. */
static void change_shape(struct drawing *d, struct mi_shape *shape)
{
    int way = draw_below(d, 3), i = draw_below(d, shape->rank + 1);
    struct mi_dim product;
    if (way == 0 && i + 1 < shape->rank && mi_shape_product(shape, i, i + 2, &product)) {
        shape->dim[i] = product;
        remove_dim(shape, i + 1);
    } else if (way == 1 && i < shape->rank && shape->rank < 6) {
        int64_t factor = 2 + draw_below(d, 3);
        struct mi_dim *dim = &shape->dim[i];
        if (dim->a % factor || dim->b % factor)
            return;
        *dim = (struct mi_dim){dim->a / factor, dim->b / factor};
        insert_dim(shape, i + draw_below(d, 2), mi_fixed(factor));
    } else if (way == 2 && shape->rank < 6) {
        insert_dim(shape, i, mi_fixed(1));
    }
}

bool draw_reshape(struct drawing *d)
{
    struct place x = draw_operand(d, MI_FLOAT, 0, 6);
    if (!place_is(x))
        return false;
    if (draw_chance(d, 20)) {
        struct step flatten = step_begin("Flatten");
        step_operand(&flatten, x);
        step_attribute(&flatten, MI_INT("axis", draw_below(d, draw_shape(d, x)->rank + 1)));
        return draw_add(d, &flatten);
    }
    struct step step = step_begin("Reshape");
    struct mi_shape shape = *draw_shape(d, x);
    step_operand(&step, x);
    for (int i = 0; i < 3; i++)
        change_shape(d, &shape);
    step_shape(d, &step, &shape);
    return draw_add(d, &step);
}

bool draw_squeeze(struct drawing *d)
{
    bool squeezes = draw_chance(d, 50);
    struct step step = step_begin(squeezes ? "Squeeze" : "Unsqueeze");
    struct place x = draw_operand(d, MI_FLOAT, 0, 5);
    if (!place_is(x))
        return false;
    const struct mi_shape *shape = draw_shape(d, x);
    int64_t *axes = draw_ints(d, shape->rank + 1);
    int count = 0;
    for (int i = 0; i < shape->rank && squeezes; i++)
        if (mi_dim_is(shape->dim[i], 1) && draw_chance(d, 70))
            axes[count++] = i;
    if (!squeezes)
        axes[count++] = draw_below(d, shape->rank + 1);
    step_operand(&step, x);
    if (count)
        step_attribute(&step, MI_INTS("axes", axes, count));
    return draw_add(d, &step);
}

bool draw_transpose(struct drawing *d)
{
    struct step step = step_begin("Transpose");
    struct place x = draw_operand(d, MI_FLOAT, 1, 6);
    if (!place_is(x))
        return false;
    int rank = draw_shape(d, x)->rank;
    int64_t *perm = draw_ints(d, rank);
    for (int i = 0; i < rank; i++)
        perm[i] = i;
    for (int i = rank - 1; i > 0; i--) {
        int j = draw_below(d, i + 1);
        int64_t kept = perm[i];
        perm[i] = perm[j];
        perm[j] = kept;
    }
    step_operand(&step, x);
    if (draw_chance(d, 80))
        step_attribute(&step, MI_INTS("perm", perm, rank));
    return draw_add(d, &step);
}

bool draw_slice(struct drawing *d)
{
    struct step step = step_begin("Slice");
    struct place x = draw_operand(d, MI_FLOAT, 1, 6);
    if (!place_is(x))
        return false;
    const struct mi_shape *shape = draw_shape(d, x);
    int64_t *list[4];
    int count = 0;
    for (int i = 0; i < 4; i++)
        list[i] = draw_ints(d, shape->rank);
    for (int i = 0; i < shape->rank; i++) {
        int64_t size = shape->dim[i].b;
        if (shape->dim[i].a || size < 2 || draw_chance(d, 40))
            continue;
        int64_t low = draw_below(d, size), high = low + 1 + draw_below(d, size - low), stride = 1 + draw_below(d, 3);
        bool backwards = draw_chance(d, 25), negative = draw_chance(d, 25);
        list[0][count] = backwards ? high - 1 : negative ? low - size : low;
        list[1][count] = backwards ? (low == 0 ? INT32_MIN : low - 1) : high == size && negative ? INT32_MAX : high;
        list[2][count] = i;
        list[3][count++] = backwards ? -stride : stride;
    }
    if (count == 0)
        return false;
    step_operand(&step, x);
    step_attribute(&step, MI_INTS("starts", list[0], count));
    step_attribute(&step, MI_INTS("ends", list[1], count));
    step_attribute(&step, MI_INTS("axes", list[2], count));
    step_attribute(&step, MI_INTS("steps", list[3], count));
    return draw_add(d, &step);
}

bool draw_concat(struct drawing *d)
{
    struct step step = step_begin("Concat");
    struct place x = draw_operand(d, MI_FLOAT, 1, 6);
    if (!place_is(x))
        return false;
    struct mi_shape shape = *draw_shape(d, x);
    int axis = draw_below(d, shape.rank), parts = 1 + draw_below(d, 3);
    step_operand(&step, x);
    for (int i = 0; i < parts; i++) {
        if (draw_chance(d, 60))
            shape.dim[axis] = mi_fixed(draw_size(d));
        struct place next = draw_chance(d, 15) ? x : draw_like(d, MI_FLOAT, &shape);
        if (!place_is(next))
            return false;
        step_operand(&step, next);
    }
    step_attribute(&step, MI_INT("axis", draw_chance(d, 20) ? axis - shape.rank : axis));
    return draw_add(d, &step);
}

bool draw_expand(struct drawing *d)
{
    struct step step = step_begin("Expand");
    struct place x = draw_operand(d, MI_FLOAT, 0, 5);
    if (!place_is(x))
        return false;
    struct mi_shape shape = *draw_shape(d, x);
    for (int i = 0; i < shape.rank; i++)
        if (mi_dim_is(shape.dim[i], 1) && draw_chance(d, 70))
            shape.dim[i] = i == 0 && draw_chance(d, 50) ? mi_batch() : mi_fixed(draw_size(d));
    if (draw_chance(d, 30))
        insert_dim(&shape, 0, draw_chance(d, 50) ? mi_batch() : mi_fixed(draw_size(d)));
    step_operand(&step, x);
    step_shape(d, &step, &shape);
    return draw_add(d, &step);
}

bool draw_pad(struct drawing *d)
{
    struct step step = step_begin("Pad");
    struct place x = draw_operand(d, MI_FLOAT, 1, 5);
    if (!place_is(x))
        return false;
    int rank = draw_shape(d, x)->rank;
    int64_t *pads = draw_ints(d, 2 * rank);
    for (int i = 0; i < 2 * rank; i++)
        pads[i] = draw_chance(d, 50) ? 0 : draw_below(d, 4) - 1;
    step_operand(&step, x);
    step_attribute(&step, MI_INTS("pads", pads, 2 * rank));
    if (draw_chance(d, 40))
        step_attribute(&step, MI_REAL("fill", (float)draw_real(d, -1, 1)));
    return draw_add(d, &step);
}

bool draw_gather(struct drawing *d)
{
    struct step step = step_begin("Gather");
    struct place x = draw_operand(d, MI_FLOAT, 1, 4);
    if (!place_is(x))
        return false;
    const struct mi_shape *shape = draw_shape(d, x);
    int axis = draw_below(d, shape->rank), rank = draw_below(d, 3);
    int64_t size = shape->dim[axis].b;
    struct mi_shape indices = {.rank = rank};
    if (shape->dim[axis].a)
        return false;
    for (int i = 0; i < rank; i++)
        indices.dim[i] = i == 0 && draw_chance(d, 40) ? mi_batch() : mi_fixed(1 + draw_below(d, 5));
    struct place index = draw_source(d, MI_INT32, &indices, (double)(draw_chance(d, 30) ? -size : 0), (double)(size - 1));
    if (!place_is(index))
        return false;
    step_operand(&step, x);
    step_operand(&step, index);
    step_attribute(&step, MI_INT("axis", axis));
    return draw_add(d, &step);
}
