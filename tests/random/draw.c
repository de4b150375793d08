#include "random/draw.h"

#include "support/device.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_ELEMENTS = 3000, FEW_ELEMENTS = 300, MOST_DRAWN_RANK = 5 };

/* ---- Numbers ---- */

int draw_below(struct drawing *d, int64_t limit)
{
    uint32_t word[4];
    mi_philox(d->recipe->seed, 1, d->counter++, word);
    return (int)(word[0] % (uint64_t)limit);
}

bool draw_chance(struct drawing *d, int percent)
{
    return draw_below(d, 100) < percent;
}

double draw_real(struct drawing *d, double low, double high)
{
    return (double)(float)(low + (high - low) * draw_below(d, 1 << 20) / (1 << 20));
}

/* One, two, primes, and the neighbours of the sizes of vectors and blocks. */
int64_t draw_size(struct drawing *d)
{
    static const int64_t sizes[] = {1, 1, 1, 2, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 31, 32, 33};
    return sizes[draw_below(d, d->small ? 10 : (int64_t)MI_COUNT(sizes))];
}

int64_t *draw_ints(struct drawing *d, int count)
{
    int64_t *ints = mi_arena_new(&d->recipe->arena, (size_t)count + 1, sizeof *ints);
    assert_non_null(ints);
    return ints;
}

/* ---- Steps ---- */

const mi_value *draw_value(const struct drawing *d, struct place place)
{
    return d->built.value[place.step][place.output];
}

const struct mi_shape *draw_shape(const struct drawing *d, struct place place)
{
    return &draw_value(d, place)->shape;
}

struct step step_begin(const char *op)
{
    return (struct step){.op = op};
}

void step_operand(struct step *step, struct place place)
{
    assert_true(step->inputs < MOST_STEP_INPUTS);
    step->in[step->inputs++] = place;
}

void step_attribute(struct step *step, struct mi_attribute attribute)
{
    assert_true(step->attributes < MOST_ATTRIBUTES);
    step->attribute[step->attributes++] = attribute;
}

void step_shape(struct drawing *d, struct step *step, const struct mi_shape *shape)
{
    int64_t *fixed = draw_ints(d, shape->rank), *factor = draw_ints(d, shape->rank);
    for (int i = 0; i < shape->rank; i++) {
        fixed[i] = shape->dim[i].b;
        factor[i] = shape->dim[i].a;
    }
    step_attribute(step, MI_INTS("shape", fixed, shape->rank));
    step_attribute(step, MI_INTS("shape_n", factor, shape->rank));
}

bool draw_fits(const struct drawing *d, const struct mi_shape *shape)
{
    int64_t count = mi_shape_count(shape, d->recipe->batch);
    return count >= 1 && count <= (d->small ? FEW_ELEMENTS : MOST_ELEMENTS);
}

static bool outputs_fit(const struct drawing *d, int step)
{
    for (int o = 0; o < MI_MAX_OUTPUTS; o++)
        if (d->built.value[step][o] && !draw_fits(d, &d->built.value[step][o]->shape))
            return false;
    return true;
}

bool draw_add(struct drawing *d, const struct step *step)
{
    struct recipe *recipe = d->recipe;
    if (recipe->count == MOST_STEPS)
        return false;
    recipe->step[recipe->count++] = *step;
    built_destroy(&d->built);
    if (recipe_build(recipe, false, &d->built) && outputs_fit(d, recipe->count - 1)) {
        struct step *added = &recipe->step[recipe->count - 1];
        added->shape = d->built.value[recipe->count - 1][0]->shape;
        added->type = d->built.value[recipe->count - 1][0]->type;
        return true;
    }
    recipe->count--;
    built_destroy(&d->built);
    assert_true(recipe_build(recipe, false, &d->built));
    return false;
}

struct place draw_last(const struct drawing *d)
{
    return (struct place){d->recipe->count - 1, 0};
}

/* ---- Operands ---- */

struct place draw_source(struct drawing *d, enum mi_type type, const struct mi_shape *shape, double low, double high)
{
    struct step step = {.type = type, .shape = *shape, .low = low, .high = high};
    bool varies = false;
    for (int i = 0; i < shape->rank; i++)
        varies = varies || shape->dim[i].a;
    step.variable = type == MI_FLOAT && !varies && draw_chance(d, 50);
    return draw_add(d, &step) ? draw_last(d) : (struct place){NO_STEP, 0};
}

static struct mi_dim leading_dim(struct drawing *d)
{
    int which = draw_below(d, 20);
    return which < 11   ? mi_batch()
           : which < 13 ? (struct mi_dim){2, 0}
           : which < 15 ? (struct mi_dim){1, 1}
           : which < 16 ? mi_fixed(2)
                        : mi_fixed(draw_size(d));
}

static struct mi_shape random_shape(struct drawing *d, int rank)
{
    struct mi_shape shape = {.rank = rank};
    for (int i = 0; i < rank; i++)
        shape.dim[i] = i == 0 ? leading_dim(d) : mi_fixed(draw_size(d));
    if (rank > 1 && draw_chance(d, 5)) {
        int with = 1 + draw_below(d, rank - 1);
        struct mi_dim first = shape.dim[0];
        shape.dim[0] = shape.dim[with];
        shape.dim[with] = first;
    }
    for (int i = 0; !draw_fits(d, &shape); i = (i + 1) % rank)
        shape.dim[i] = shape.dim[i].a ? mi_batch() : mi_fixed((shape.dim[i].b + 1) / 2);
    return shape;
}

static void range_of(struct drawing *d, enum mi_type type, double *low, double *high)
{
    bool positive = draw_chance(d, 30);
    *low = type == MI_FLOAT ? (positive ? 0.25 : -2) : type == MI_BOOL ? 0 : -3;
    *high = type == MI_FLOAT ? (positive ? 2.25 : 2) : type == MI_BOOL ? 1 : 4;
}

struct place draw_like(struct drawing *d, enum mi_type type, const struct mi_shape *shape)
{
    double low, high;
    for (int s = d->recipe->count - 1; s >= 0; s--)
        for (int o = 0; o < MI_MAX_OUTPUTS; o++) {
            const mi_value *value = d->built.value[s][o];
            if (value && value->type == type && mi_shape_equal(&value->shape, shape) && draw_chance(d, 50))
                return (struct place){s, o};
        }
    range_of(d, type, &low, &high);
    return draw_source(d, type, shape, low, high);
}

struct place draw_operand(struct drawing *d, enum mi_type type, int least_rank, int most_rank)
{
    double low, high;
    for (int s = d->recipe->count - 1; s >= 0; s--)
        for (int o = 0; o < MI_MAX_OUTPUTS; o++) {
            const mi_value *value = d->built.value[s][o];
            if (value && value->type == type && value->shape.rank >= least_rank && value->shape.rank <= most_rank &&
                draw_chance(d, 45))
                return (struct place){s, o};
        }
    int most = most_rank < MOST_DRAWN_RANK ? most_rank : MOST_DRAWN_RANK;
    struct mi_shape shape = random_shape(d, least_rank + draw_below(d, most - least_rank + 1));
    range_of(d, type, &low, &high);
    return draw_source(d, type, &shape, low, high);
}

struct place draw_partner(struct drawing *d, enum mi_type type, const struct mi_shape *shape)
{
    struct mi_shape own = *shape, joined;
    double low, high;
    for (int s = d->recipe->count - 1; s >= 0; s--)
        for (int o = 0; o < MI_MAX_OUTPUTS; o++) {
            const mi_value *value = d->built.value[s][o];
            if (value && value->type == type && mi_shape_broadcast(shape, &value->shape, &joined) && draw_fits(d, &joined) &&
                draw_chance(d, 30))
                return (struct place){s, o};
        }
    int drop = draw_chance(d, 60) ? 0 : draw_below(d, own.rank + 1);
    own.rank -= drop;
    memmove(own.dim, own.dim + drop, (size_t)own.rank * sizeof *own.dim);
    bool ones = draw_chance(d, 60);
    for (int i = 0; i < own.rank && ones; i++)
        if (draw_chance(d, 50))
            own.dim[i] = mi_fixed(1);
    range_of(d, type, &low, &high);
    return draw_source(d, type, &own, low, high);
}

/* ---- Graphs ---- */

static const struct family {
    draw_family *draw;
    int weight;
} families[] = {{draw_unary, 20},   {draw_map, 30},     {draw_reduce, 14},  {draw_reshape, 8},    {draw_squeeze, 4},
                {draw_transpose, 6}, {draw_slice, 5},    {draw_concat, 6},   {draw_expand, 5},     {draw_pad, 4},
                {draw_gather, 4},   {draw_matmul, 8},   {draw_gemm, 6},     {draw_conv, 10},      {draw_pool, 6},
                {draw_global_pool, 2}, {draw_batch_normalization, 6}, {draw_along_axis, 6}, {draw_dropout, 3},
                {draw_label_loss, 4}, {draw_categorical, 2}};

static bool draw_any(struct drawing *d)
{
    int total = 0;
    for (size_t i = 0; i < MI_COUNT(families); i++)
        total += families[i].weight;
    int at = draw_below(d, total);
    size_t i = 0;
    while (at >= families[i].weight)
        at -= families[i++].weight;
    return families[i].draw(d);
}

/* Sources that a step which did not fit was to read. */
static void drop_unread(struct recipe *recipe)
{
    bool keep[MOST_STEPS];
    for (int s = 0; s < recipe->count; s++)
        keep[s] = recipe->step[s].op || recipe_is_read(recipe, s, -1);
    recipe_keep(recipe, keep);
}

void recipe_draw(struct recipe *recipe, uint64_t seed, bool small)
{
    static const int64_t batches[] = {1, 2, 3, 4, 5, 7, 8, 9, 13, 16, 17, 33};
    *recipe = (struct recipe){.seed = seed};
    struct drawing d = {.recipe = recipe, .small = small};
    recipe->batch = batches[draw_below(&d, small ? 6 : (int64_t)MI_COUNT(batches))];
    recipe->training = draw_chance(&d, 60);
    assert_true(recipe_build(recipe, false, &d.built));
    int wanted = 1 + draw_below(&d, draw_chance(&d, 50) ? 3 : 8);
    for (int tries = 0, made = 0; made < wanted && tries < 40; tries++)
        made += draw_any(&d);
    drop_unread(recipe);
    built_destroy(&d.built);
    recipe->forward = !recipe_build(recipe, true, &d.built) && d.built.graph->error.status == MICA_UNSUPPORTED;
    built_destroy(&d.built);
}
