/* Operators that draw random numbers in training (mi_trains) and otherwise hand on their input:
 *
 *   Dropout(x; rate)           0 with probability `rate` (0.5), else x / (1 - rate)
 *   AlphaDropout(x; rate)      with d = -1.7580993, what Selu makes of -infinity: a * (d with probability `rate`, else x) + b,
 *                              a = 1 / sqrt((1 - rate) (1 + rate d^2)) and b = -a rate d keep a mean of 0 and a variance of 1
 *                              (Klambauer, Unterthiner, Mayr, Hochreiter 2017, arXiv:1706.02515)
 *   GaussianDropout(x; rate)   x * (1 + normal * sqrt(rate / (1 - rate)))    (Srivastava et al. 2014, section 10)
 *   GaussianNoise(x; stddev)   x + normal * stddev
 *
 * Along the axes `shared` of the first two one draw serves all elements. `seed`, where it is not 0, stands for the step's.
 *
 * Numbers are drawn from the node's stable id, so the gradient, a node of dy with the same id, draws the same again and nothing is
 * stored. */
#include "ops/ops.h"

#include <math.h>
#include <string.h>

/* ---- Shapes and numbers ---- */

/* `shared` without signs. */
static mica_status infer_shared(struct mi_node *node)
{
    int count = 0, axis;
    const int64_t *given = mi_attribute_ints(node, "shared", &count);
    int64_t axes[MI_MAX_RANK];
    if (!count)
        return MICA_OK;
    if (count > MI_MAX_RANK)
        return mi_op_fail(node, MICA_SHAPE, "shared names %d axes, input has rank %d", count, node->in[0]->shape.rank);
    for (int i = 0; i < count; i++) {
        MI_TRY(mi_axis(node, given[i], node->in[0]->shape.rank, &axis));
        axes[i] = axis;
    }
    return mi_set_attribute(node, MI_INTS("shared", axes, count));
}

static mica_status infer_random(struct mi_node *node, const char *name, float otherwise, float below)
{
    MI_TRY(mi_float_types(node));
    MI_TRY(mi_default_float(node, name, otherwise));
    float value = mi_attribute_float(node, name, otherwise);
    if (!(value >= 0 && value < below))
        return mi_op_fail(node, MICA_INVALID_ARGUMENT, "%s is %g, it must be at least 0%s", name, (double)value,
                          below < INFINITY ? " and below 1" : " and finite");
    mi_infer_output(node, 0, node->in[0]->type, &node->in[0]->shape);
    return MICA_OK;
}

/* What is kept becomes x * factor + shift, what is not `dropped`. */
static mica_status set_drop(struct mi_node *node, double factor, double shift, double dropped)
{
    MI_TRY(mi_set_attribute(node, MI_REAL("factor", (float)factor)));
    MI_TRY(mi_set_attribute(node, MI_REAL("shift", (float)shift)));
    return mi_set_attribute(node, MI_REAL("dropped", (float)dropped));
}

/* The row that the gradients of the others are of: its numbers are given. */
static mica_status infer_drop(struct mi_node *node)
{
    MI_TRY(infer_random(node, "rate", 0.5f, 1));
    return infer_shared(node);
}

static mica_status infer_dropout(struct mi_node *node)
{
    MI_TRY(infer_drop(node));
    return set_drop(node, (double)(1.0f / (1.0f - mi_attribute_float(node, "rate", 0))), 0, 0);
}

static mica_status infer_alpha_dropout(struct mi_node *node)
{
    MI_TRY(infer_drop(node));
    const double rate = (double)mi_attribute_float(node, "rate", 0), low = -1.7580993408473766;
    const double a = 1 / sqrt((1 - rate) * (1 + rate * low * low)), b = -a * rate * low;
    return set_drop(node, a, b, a * low + b);
}

static mica_status infer_gaussian_dropout(struct mi_node *node)
{
    MI_TRY(infer_random(node, "rate", 0.5f, 1));
    const double rate = (double)mi_attribute_float(node, "rate", 0);
    return mi_set_attribute(node, MI_REAL("stddev", (float)sqrt(rate / (1 - rate))));
}

static mica_status infer_gaussian_noise(struct mi_node *node)
{
    return infer_random(node, "stddev", 1, INFINITY);
}

/* ---- Values ---- */

/* A node with this one's attributes that draws the same numbers. */
static mi_value *same_draw(struct mi_node *node, const char *op, mi_value *value, const struct mi_attribute *extra, int extras)
{
    mi_value *made = mi_apply_as(node, op, &value, 1, extra, extras);
    if (made)
        made->node->stable = node->stable;
    return made;
}

/* One decision for each element of the shape in which shared axes are ones. */
static mi_value *drop_shared(struct mi_node *node, const int64_t *axes, int count)
{
    mi_value *x = node->in[0];
    mi_value *first = MI_APPLY(node->graph, "FirstAlong", ((mi_value *[]){x}), MI_INTS("axes", axes, count));
    mi_value *keep = same_draw(node, "RandomKeep", first, NULL, 0);
    return keep ? mi_apply_as(node, "DropWhere", (mi_value *[]){x, keep}, 2, NULL, 0) : NULL;
}

static mica_status lower_drop(struct mi_node *node, mi_value **out)
{
    int count = 0;
    const int64_t *shared = mi_attribute_ints(node, "shared", &count);
    bool drops = mi_trains(node) && mi_attribute_float(node, "rate", 0) > 0;
    out[0] = !drops  ? node->in[0]
             : count ? drop_shared(node, shared, count)
                     : same_draw(node, "RandomDrop", node->in[0], NULL, 0);
    return node->graph->error.status;
}

static mica_status lower_gaussian_dropout(struct mi_node *node, mi_value **out)
{
    out[0] = mi_trains(node) ? same_draw(node, "RandomScale", node->in[0], NULL, 0) : node->in[0];
    return node->graph->error.status;
}

static mica_status lower_gaussian_noise(struct mi_node *node, mi_value **out)
{
    out[0] = mi_trains(node) ? same_draw(node, "RandomShift", node->in[0], NULL, 0) : node->in[0];
    return node->graph->error.status;
}

MI_MAP_ROW(RandomDrop, 1, NULL, .expr = {"uniform < rate ? dropped : x * factor + shift"},
           .grad = {"uniform < rate ? 0 : g * factor"});
MI_MAP_ROW(RandomKeep, 1, NULL, .expr = {"uniform < rate ? 0 : 1"});
MI_MAP_ROW(DropWhere, 2, NULL, .in = "x keep", .expr = {"keep == 0 ? dropped : x * factor + shift"},
           .grad = {"keep == 0 ? 0 : g * factor"});
MI_MAP_ROW(RandomScale, 1, NULL, .expr = {"x * (1.0f + normal * stddev)"}, .grad = {"g * (1.0f + normal * stddev)"});
MI_MAP_ROW(RandomShift, 1, NULL, .expr = {"x + normal * stddev"}, .grad = {"g"});

/* ---- Gradients ---- */

static mica_status gradient_drop(struct mi_node *node, mi_value *const *dy, mi_value **dx)
{
    dx[0] = same_draw(node, "Drop", dy[0], (const struct mi_attribute[]){MI_REAL("shift", 0), MI_REAL("dropped", 0)}, 2);
    return node->graph->error.status;
}

static mica_status gradient_gaussian_dropout(struct mi_node *node, mi_value *const *dy, mi_value **dx)
{
    dx[0] = same_draw(node, "GaussianDropout", dy[0], NULL, 0);
    return node->graph->error.status;
}

static mica_status gradient_gaussian_noise(struct mi_node *node, mi_value *const *dy, mi_value **dx)
{
    dx[0] = dy[0];
    return node->graph->error.status;
}

MI_COMPOSITE_ROW(Drop, 1, 1, 1, infer_drop, gradient_drop, lower_drop);
MI_COMPOSITE_ROW(Dropout, 1, 1, 1, infer_dropout, gradient_drop, lower_drop);
MI_COMPOSITE_ROW(AlphaDropout, 1, 1, 1, infer_alpha_dropout, gradient_drop, lower_drop);
MI_COMPOSITE_ROW(GaussianDropout, 1, 1, 1, infer_gaussian_dropout, gradient_gaussian_dropout, lower_gaussian_dropout);
MI_COMPOSITE_ROW(GaussianNoise, 1, 1, 1, infer_gaussian_noise, gradient_gaussian_noise, lower_gaussian_noise);
