/* Penalties on the values of a tensor: sizes (Keras's L1, L2, L1L2), and rows that are not orthogonal. */
#include "nn/regularizer.h"

#include <math.h>
#include <string.h>

struct mi_regularizer_row {
    const char *name;
    bool matrix;                  /* it is of tensors of two dimensions */
    float l1, l2;                 /* where neither is given; of a row that lacks one of them 0 */
    mi_value *(*each)(struct mi_graph *graph, const struct mi_regularizer *how, mi_value *x);
};

/* ---- Sizes: the sum of l1 * |x| + l2 * x^2 ---- */

static mi_value *sizes(struct mi_graph *graph, const struct mi_regularizer *how, mi_value *x)
{
    return mi_apply(graph, "SizePenalty", &x, 1, (const struct mi_attribute[]){MI_REAL("l1", how->l1), MI_REAL("l2", how->l2)}, 2);
}

/* ---- Orthogonality: factor times the mean of |cosine| over all pairs of rows, or of columns ---- */

/* x divided by the norm over one axis. */
static mi_value *normalized(struct mi_graph *graph, mi_value *x, int64_t axis)
{
    mi_value *square = mi_op2(graph, "Mul", x, x);
    mi_value *squares = mi_op2(graph, "ReduceSum", square, mi_ints(graph, &axis, 1));
    return mi_op2(graph, "Div", x, mi_op2(graph, "Max", mi_op1(graph, "Sqrt", squares), mi_scalar(graph, 1e-12f)));
}

static mi_value *cosines(struct mi_graph *graph, const struct mi_regularizer *how, mi_value *x)
{
    double count = (double)x->shape.dim[how->columns ? 1 : 0].b, pairs = count * (count - 1) / 2;
    mi_value *unit = normalized(graph, x, how->columns ? 0 : 1);
    mi_value *product = mi_apply(graph, "MatMul", (mi_value *[]){unit, unit}, 2,
                                 (const struct mi_attribute[]){MI_INT(how->columns ? "transA" : "transB", 1)}, 1);
    mi_value *row = mi_apply(graph, "Index", &product, 1, (const struct mi_attribute[]){MI_INT("axis", 0)}, 1);
    mi_value *column = mi_apply(graph, "Index", &product, 1, (const struct mi_attribute[]){MI_INT("axis", 1)}, 1);
    mi_value *same = mi_op2(graph, "Equal", row, column);
    mi_value *others = mi_apply(graph, "Where", (mi_value *[]){same, mi_scalar(graph, 0), product}, 3, NULL, 0);
    /* Each pair stands in the product twice; a single row has none. */
    float factor = pairs > 0 ? (float)(0.5 * (double)how->factor / pairs) : 0;
    return mi_op2(graph, "Mul", mi_op1(graph, "Abs", others), mi_scalar(graph, factor));
}

/* ---- Rows ---- */

static const struct mi_regularizer_row rows[] = {
    {"l1", .l1 = 0.01f, .each = sizes},
    {"l2", .l2 = 0.01f, .each = sizes},
    {"l1_l2", .l1 = 0.01f, .l2 = 0.01f, .each = sizes},
    {"orthogonal_regularizer", .matrix = true, .each = cosines},
    {"orthogonal", .matrix = true, .each = cosines},
};

const char *const mi_regularizer_names[] = {"l1", "l2", "l1_l2", "orthogonal_regularizer", "orthogonal", NULL};
static const char *const modes[] = {"rows", "columns", NULL};

#define ORTHOGONAL "orthogonal_regularizer orthogonal"
const struct mi_key mi_regularizer_keys[] = {
    MI_KEY_WITH(mica_regularizer, "type", MI_KEY_TEXT, type, .required = true, .choices = mi_regularizer_names),
    MI_KEY_WITH(mica_regularizer, "l1", MI_KEY_FLOAT, l1, .only = "l1 l1_l2", MI_KEY_AT_LEAST(0)),
    MI_KEY_WITH(mica_regularizer, "l2", MI_KEY_FLOAT, l2, .only = "l2 l1_l2", MI_KEY_AT_LEAST(0)),
    MI_KEY_WITH(mica_regularizer, "factor", MI_KEY_FLOAT, factor, .only = ORTHOGONAL, MI_KEY_AT_LEAST(0)),
    MI_KEY_WITH(mica_regularizer, "mode", MI_KEY_TEXT, mode, .only = ORTHOGONAL, .choices = modes),
    {0},
};

static bool is_weight(float x)
{
    return isfinite(x) && x >= 0;
}

static mica_status check(struct mi_error *error, const mica_regularizer *given, const struct mi_regularizer_row *row,
                         const struct mi_shape *shape)
{
    if (!is_weight(given->l1) || !is_weight(given->l2) || !is_weight(given->factor))
        return mi_fail(error, MICA_INVALID_ARGUMENT, "regularizer %s: l1 %g, l2 %g and factor %g must be at least 0", row->name,
                       (double)given->l1, (double)given->l2, (double)given->factor);
    if (given->mode && strcmp(given->mode, modes[0]) && strcmp(given->mode, modes[1]))
        return mi_fail(error, MICA_INVALID_ARGUMENT, "regularizer %s: there is no mode \"%s\"%s", row->name,
                       mi_show(given->mode).text, mi_advise(given->mode, modes).text);
    if (row->matrix && (shape->rank != 2 || shape->dim[0].a || shape->dim[1].a))
        return mi_fail(error, MICA_INVALID_ARGUMENT, "regularizer %s takes a weight of 2 dimensions, not of %d", row->name,
                       shape->rank);
    return MICA_OK;
}

mica_status mi_regularizer_resolve(struct mi_error *error, const mica_regularizer *given, const struct mi_shape *shape,
                                   bool inputs_first, struct mi_regularizer *out)
{
    size_t i = 0;
    while (i < MI_COUNT(rows) && strcmp(rows[i].name, given->type))
        i++;
    if (i == MI_COUNT(rows))
        return mi_fail(error, MICA_INVALID_ARGUMENT, "there is no regularizer \"%s\"%s", mi_show(given->type).text,
                       mi_advise(given->type, mi_regularizer_names).text);
    const struct mi_regularizer_row *row = &rows[i];
    MI_TRY(check(error, given, row, shape));
    bool unset = !(given->l1 > 0) && !(given->l2 > 0), columns = given->mode && !strcmp(given->mode, "columns");
    *out = (struct mi_regularizer){
        .row = row, .l1 = unset ? row->l1 : row->l1 > 0 ? given->l1 : 0, .l2 = unset ? row->l2 : row->l2 > 0 ? given->l2 : 0,
        .factor = given->factor > 0 ? given->factor : 0.01f,
        .columns = columns == inputs_first}; /* Keras's rows are those of (inputs, units), the columns of (units, inputs) */
    return MICA_OK;
}

mi_value *mi_regularizer_each(struct mi_graph *graph, const struct mi_regularizer *regularizer, mi_value *x)
{
    return regularizer->row->each(graph, regularizer, x);
}

bool mi_regularizer_slopes(const struct mi_regularizer *regularizer, float *l1, float *l2)
{
    bool of_sizes = regularizer->row->each == sizes;
    *l1 = of_sizes ? regularizer->l1 : 0;
    *l2 = of_sizes ? 2 * regularizer->l2 : 0;
    return of_sizes;
}
