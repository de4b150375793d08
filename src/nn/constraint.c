/* What a parameter is made to be after each update: Keras's MaxNorm, NonNeg, UnitNorm and MinMaxNorm. */
#include "nn/constraint.h"

#include <math.h>
#include <string.h>

struct mi_constraint {
    const struct mi_variable *variable;
    const struct row *row;
    float min_value, max_value, rate;
    int64_t axes[MI_MAX_RANK];    /* of the parameter as Mica stores it */
    int axis_count;
};

struct row {
    const char *name;
    float min_value, max_value;   /* of the norms, where none is given; INFINITY: any */
    mi_value *(*apply)(struct mi_graph *graph, const struct mi_constraint *how, mi_value *w);
};

/* ---- Formulas ---- */

/* As Relu, but that NaN and 0 pass. */
static mi_value *not_negative(struct mi_graph *graph, const struct mi_constraint *how, mi_value *w)
{
    (void)how;
    return mi_op1(graph, "Relu", w);
}

/* w * (rate * clip(norm, min_value, max_value) + (1 - rate) * norm) / (1e-7 + norm) */
static mi_value *bounded_norm(struct mi_graph *graph, const struct mi_constraint *how, mi_value *w)
{
    mi_value *squares = mi_op2(graph, "Mul", w, w);
    if (how->axis_count)
        squares = mi_op2(graph, "ReduceSum", squares, mi_ints(graph, how->axes, how->axis_count));
    mi_value *norm = mi_op1(graph, "Sqrt", squares);
    const struct mi_attribute bounds[] = {MI_REAL("min", how->min_value), MI_REAL("max", how->max_value)};
    mi_value *wanted = mi_apply(graph, "Clip", &norm, 1, bounds, 2);
    if (how->rate < 1)
        wanted = mi_op2(graph, "Add", mi_op2(graph, "Mul", wanted, mi_scalar(graph, how->rate)),
                        mi_op2(graph, "Mul", norm, mi_scalar(graph, 1 - how->rate)));
    return mi_op2(graph, "Mul", w, mi_op2(graph, "Div", wanted, mi_op2(graph, "Add", norm, mi_scalar(graph, 1e-7f))));
}

/* ---- Rows ---- */

static const struct row rows[] = {
    {"max_norm", 0, 2, bounded_norm},
    {"non_neg", 0, 0, not_negative},
    {"unit_norm", 1, 1, bounded_norm},
    {"min_max_norm", 0, 1, bounded_norm},
};

const char *const mi_constraint_names[] = {"max_norm", "non_neg", "unit_norm", "min_max_norm", NULL};

#define NORMS "max_norm unit_norm min_max_norm"
const struct mi_key mi_constraint_keys[] = {
    MI_KEY_WITH(mica_constraint, "type", MI_KEY_TEXT, type, .required = true, .choices = mi_constraint_names),
    MI_KEY_WITH(mica_constraint, "max_value", MI_KEY_FLOAT, max_value, .only = "max_norm min_max_norm", MI_KEY_AT_LEAST(0)),
    MI_KEY_WITH(mica_constraint, "min_value", MI_KEY_FLOAT, min_value, .only = "min_max_norm", MI_KEY_AT_LEAST(0)),
    MI_KEY_WITH(mica_constraint, "rate", MI_KEY_FLOAT, rate, .only = "min_max_norm", MI_KEY_BETWEEN(0, 1)),
    MI_KEY_WITH(mica_constraint, "axis", MI_KEY_AXES, axis, .only = NORMS),
    {0},
};

/* Axis j of Keras's kernel (window..., inputs, units) in PyTorch's (units, inputs, window...). */
static int64_t turned(int64_t j, int rank)
{
    return j == rank - 1 ? 0 : j == rank - 2 ? 1 : 2 + j;
}

/* Where none are given: all axes but that of the units; where these are the last ones, as in Keras, the first axis. */
static mica_status find_axes(struct mi_error *error, const mica_constraint *given, int rank, bool inputs_first,
                             struct mi_constraint *out)
{
    bool turns = rank > 1 && !inputs_first;
    if (given->axis.rank < 0 || given->axis.rank > rank)
        return mi_fail(error, MICA_INVALID_ARGUMENT, "constraint %s: %d axes are given, the parameter has %d", given->type,
                       given->axis.rank, rank);
    for (int i = 0; i < given->axis.rank; i++) {
        int64_t axis = given->axis.dim[i] < 0 ? given->axis.dim[i] + rank : given->axis.dim[i];
        if (axis < 0 || axis >= rank)
            return mi_fail(error, MICA_INVALID_ARGUMENT, "constraint %s: axis %lld is none of %d", given->type,
                           (long long)given->axis.dim[i], rank);
        out->axes[out->axis_count++] = turns ? turned(axis, rank) : axis;
        for (int k = 0; k < out->axis_count - 1; k++)
            if (out->axes[k] == out->axes[out->axis_count - 1])
                return mi_fail(error, MICA_INVALID_ARGUMENT, "constraint %s: axis %lld is given twice", given->type,
                               (long long)given->axis.dim[i]);
    }
    if (given->axis.rank)
        return MICA_OK;
    for (int axis = turns ? 1 : 0; axis < rank && (turns || axis == 0); axis++)
        out->axes[out->axis_count++] = axis;
    return MICA_OK;
}

static float given_or(float given, float otherwise)
{
    return fpclassify(given) == FP_ZERO ? otherwise : given;
}

static mica_status resolve(struct mi_error *error, const mica_constraint *given, const struct mi_variable *variable,
                           bool inputs_first, struct mi_constraint *out)
{
    size_t i = 0;
    while (i < MI_COUNT(rows) && strcmp(rows[i].name, given->type))
        i++;
    if (i == MI_COUNT(rows))
        return mi_fail(error, MICA_INVALID_ARGUMENT, "there is no constraint \"%s\"%s", mi_show(given->type).text,
                       mi_advise(given->type, mi_constraint_names).text);
    *out = (struct mi_constraint){.variable = variable, .row = &rows[i], .max_value = given_or(given->max_value, rows[i].max_value),
                                  .min_value = given_or(given->min_value, rows[i].min_value), .rate = given_or(given->rate, 1)};
    if (!isfinite(out->max_value) || !(out->min_value >= 0 && out->min_value <= out->max_value))
        return mi_fail(error, MICA_INVALID_ARGUMENT, "constraint %s: norms from %g to %g are none", given->type,
                       (double)out->min_value, (double)out->max_value);
    if (!(out->rate >= 0 && out->rate <= 1))
        return mi_fail(error, MICA_INVALID_ARGUMENT, "constraint %s: rate must lie between 0 and 1, not %g", given->type,
                       (double)given->rate);
    return find_axes(error, given, variable->shape.rank, inputs_first, out);
}

/* ---- Of a model ---- */

mica_status mi_constraint_add(mica_model *model, struct mi_error *error, const mica_constraint *given,
                              const struct mi_variable *variable, bool inputs_first)
{
    struct mi_constraint constraint;
    MI_TRY(resolve(error, given, variable, inputs_first, &constraint));
    if (!mi_grow(&model->constraints, &model->constraint_capacity, model->constraint_count + 1, sizeof *model->constraints))
        return mi_out_of_memory(error);
    model->constraints[model->constraint_count++] = constraint;
    return MICA_OK;
}

mi_value *mi_constrained(const mica_model *model, struct mi_graph *graph, const struct mi_variable *variable, mi_value *value)
{
    for (size_t i = 0; i < model->constraint_count; i++)
        if (model->constraints[i].variable == variable)
            return model->constraints[i].row->apply(graph, &model->constraints[i], value);
    return value;
}
