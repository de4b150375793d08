/* Adafactor: Shazeer and Stern 2018. Of a parameter of two axes or more it keeps the mean squares of rows and of columns: means
 * over the second and over the first axis, which are Keras's last two, inputs and outputs of a layer. */
#include "nn/optimizer/optimizer.h"

#include "ops/ops.h"

enum { DECAY, EPSILON_1, EPSILON_2, THRESHOLD, RELATIVE };

static const char *update(const float *value)
{
    return value[RELATIVE] > 0 ? "AdafactorUpdate" : "AdafactorFixedUpdate";
}

static mi_value *apply(const struct mi_updating *of, const char *op, mi_value *const *in, int count)
{
    return mi_apply(of->graph, op, in, count, of->attribute, of->attributes);
}

/* The running mean of the squares over an axis (negative: over none), which is kept. */
static mi_value *mean_over(const struct mi_updating *of, int64_t axis, int slot, const char *name)
{
    struct mi_graph *graph = of->graph;
    mi_value *square = apply(of, "AdafactorSquare", of->in, 2);
    if (axis >= 0)
        square = mi_reduce(graph, "ReduceMean", square, &axis, 1, true);
    struct mi_variable *state = square ? mi_optimizer_state(of, slot, name, &square->shape) : NULL;
    if (!state)
        return NULL;
    mi_value *in[] = {mi_variable(graph, state), square, mi_optimizer_count(graph, of->optimizer)};
    return mi_optimizer_set_state(of, state, apply(of, "AdafactorMean", in, 3));
}

static mi_value *inverse_root(struct mi_graph *graph, mi_value *x)
{
    return mi_op1(graph, "Reciprocal", mi_op1(graph, "Sqrt", x));
}

/* The root of the mean of rows, which is that of columns. It is folded over all places, as what else is: one kernel does it. */
static mi_value *mean_of_both(const struct mi_updating *of, mi_value *rows)
{
    mi_value *all = rows ? mi_expand_to(of->graph, rows, &of->parameter->shape) : NULL;
    return mi_op1(of->graph, "Sqrt", mi_optimizer_fold(of->graph, all, "ReduceMean", "ReduceMean"));
}

/* The factors of rows, columns and both, how large the parameter is, and how large what they leave of the gradient. */
static mica_status ahead(const struct mi_updating *of, mi_value **more)
{
    struct mi_graph *graph = of->graph;
    bool factored = of->parameter->shape.rank >= 2;
    mi_value *one = mi_scalar(graph, 1);
    mi_value *rows = mean_over(of, factored ? 1 : -1, 0, "rows"), *columns = factored ? mean_over(of, 0, 1, "columns") : NULL;
    if (of->parameter->shape.rank > 2) /* then there is a mean for each place of the other axes */
        rows = mi_op2(graph, "Div", rows, mi_reduce(graph, "ReduceMean", rows, (const int64_t[]){0}, 1, true));
    more[0] = inverse_root(graph, rows);
    more[1] = factored ? inverse_root(graph, columns) : one;
    more[2] = mi_optimizer_mean_square_root(graph, of->in[0]);
    mi_value *in[] = {of->in[0], of->in[1], more[0], more[1]};
    more[3] = mi_optimizer_mean_square_root(graph, apply(of, "AdafactorLeft", in, 4));
    more[4] = of->parameter->shape.rank == 2 ? mean_of_both(of, rows) : one;
    return more[4] ? graph->error.status : graph->error.status ? graph->error.status : mi_out_of_memory(&graph->error);
}

const struct mi_optimizer_row mi_optimizer_adafactor = {
    .name = "adafactor", .learning_rate = 0.001f, .update = update, .ahead = ahead, .apart = true,
    .keys = {[DECAY] = {"beta_2_decay", -0.8f, .least = -1, .most = 0}, [EPSILON_1] = {"epsilon_1", 1e-30f, .most = 1e30f},
             [EPSILON_2] = {"epsilon_2", 1e-3f, .most = 1e30f}, [THRESHOLD] = {"clip_threshold", 1, .above = true, .most = 1e30f},
             [RELATIVE] = {"relative_step", 1, .flag = true}}};
