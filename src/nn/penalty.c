/* Penalties: kept by the model as layers are added, and added to the loss of a plan. */
#include "nn/penalty.h"

#include <stdlib.h>

struct mi_penalty {
    mi_value *of;                 /* in the model's graph */
    struct mi_regularizer how;
};

mica_status mi_penalty_add(mica_model *model, struct mi_error *error, mi_value *of, const mica_regularizer *given,
                           bool inputs_first)
{
    struct mi_penalty penalty = {.of = of};
    MI_TRY(mi_regularizer_resolve(error, given, &of->shape, inputs_first, &penalty.how));
    if (of->type != MI_FLOAT)
        return mi_fail(error, MICA_INVALID_ARGUMENT, "regularizer %s: values are %s, not float32", given->type,
                       mi_types[of->type].name);
    if (!mi_grow(&model->penalties, &model->penalty_capacity, model->penalty_count + 1, sizeof *model->penalties))
        return mi_out_of_memory(error);
    model->penalties[model->penalty_count++] = penalty;
    return MICA_OK;
}

/* ---- Of a plan ---- */

/* What the roots depend on, by the number of the node: these are in the order in which they need each other. NULL: no memory. */
static bool *list_reached(const struct mi_graph *graph, mi_value *const *roots, size_t root_count)
{
    bool *reached = mi_new(graph->node_count, sizeof *reached);
    for (size_t i = 0; reached && i < root_count; i++)
        reached[roots[i]->node->id] = true;
    for (size_t i = graph->node_count; reached && i-- > 0;)
        for (int k = 0; reached[i] && k < graph->nodes[i]->inputs; k++)
            if (graph->nodes[i]->in[k])
                reached[graph->nodes[i]->in[k]->node->id] = true;
    return reached;
}

static mi_value *plus(struct mi_graph *graph, mi_value *sum, mi_value *more)
{
    return sum && more ? mi_op2(graph, "Add", sum, more) : sum ? sum : more;
}

static mi_value *sum_of(struct mi_graph *graph, mi_value *each)
{
    return mi_apply(graph, "ReduceSum", &each, 1, (const struct mi_attribute[]){MI_INT("keepdims", 0)}, 1);
}

/* A vector of sums over all axes but the first, so that a kernel that goes through the parameter anyway can make it. */
static mi_value *sums_of_rows(struct mi_graph *graph, mi_value *each)
{
    int64_t axes[MI_MAX_RANK];
    int rank = each->shape.rank;
    for (int i = 1; i < rank; i++)
        axes[i - 1] = i;
    if (rank == 0)
        return mi_op2(graph, "Reshape", each, mi_ints(graph, (int64_t[]){1}, 1));
    return rank == 1 ? each : mi_apply(graph, "ReduceSum", (mi_value *[]){each, mi_ints(graph, axes, rank - 1)}, 2,
                                       (const struct mi_attribute[]){MI_INT("keepdims", 0)}, 1);
}

/* What is being added up. */
struct adding {
    struct mi_graph *graph;
    const char *train;
    bool updates_add;
    mi_value **rows;              /* vectors whose elements add up to the penalties on parameters */
    int row_count;
    struct mi_penalties *out;
};

static void add_parameter(struct adding *a, const struct mi_penalty *penalty, const struct mi_variable *parameter, mi_value *each)
{
    float l1, l2;
    if (parameter->frozen || !mi_name_matches(a->train, parameter->name) || !each)
        return;
    a->rows[a->row_count++] = sums_of_rows(a->graph, each);
    if (!a->updates_add || !mi_regularizer_slopes(&penalty->how, &l1, &l2))
        a->out->differentiated = plus(a->graph, a->out->differentiated, sum_of(a->graph, each));
}

static void add_one(struct adding *a, const struct mi_penalty *penalty)
{
    mi_value *x = a->graph->values[penalty->of->id];
    const struct mi_variable *variable = x->node->variable;
    mi_value *each = mi_regularizer_each(a->graph, &penalty->how, x);
    if (variable && variable->role == MI_PARAMETER)
        add_parameter(a, penalty, variable, each);
    else
        a->out->activities = plus(a->graph, a->out->activities, sum_of(a->graph, each));
}

static mica_status add_all(struct adding *a, const mica_model *model, const bool *reached)
{
    struct mi_graph *graph = a->graph;
    graph->scope = "penalty";
    for (size_t i = 0; i < model->penalty_count; i++)
        if (reached[model->penalties[i].of->node->id])
            add_one(a, &model->penalties[i]);
    if (a->row_count) {
        mi_value *rows = a->rows[0];
        if (a->row_count > 1)
            rows = mi_apply(graph, "Concat", a->rows, a->row_count, (const struct mi_attribute[]){MI_INT("axis", 0)}, 1);
        a->out->parameters = sum_of(graph, rows);
    }
    graph->scope = NULL;
    return graph->error.status;
}

mica_status mi_penalties_add(const mica_model *model, struct mi_graph *graph, const char *train, mi_value *const *roots,
                             size_t root_count, bool updates_add, struct mi_penalties *out)
{
    *out = (struct mi_penalties){NULL, NULL, NULL};
    if (!model->penalty_count || graph->error.status != MICA_OK)
        return graph->error.status;
    struct adding a = {.graph = graph, .train = train, .updates_add = updates_add, .out = out};
    bool *reached = list_reached(graph, roots, root_count);
    a.rows = mi_arena_new(&graph->arena, model->penalty_count, sizeof *a.rows);
    mica_status status = reached && a.rows ? add_all(&a, model, reached) : mi_out_of_memory(&graph->error);
    free(reached);
    return status;
}

void mi_penalty_slopes(const mica_model *model, const struct mi_variable *parameter, float *l1, float *l2)
{
    float own1, own2;
    *l1 = *l2 = 0;
    for (size_t i = 0; i < model->penalty_count; i++)
        if (model->penalties[i].of->node->variable == parameter && mi_regularizer_slopes(&model->penalties[i].how, &own1, &own2)) {
            *l1 += own1;
            *l2 += own2;
        }
}

static mi_value *divided_by_n(struct mi_graph *graph, mi_value *x)
{
    return mi_apply(graph, "DivideByCount", &x, 1, (const struct mi_attribute[]){MI_INT("per_n", 1), MI_INT("fixed", 0)}, 2);
}

mi_value *mi_penalties_to_mean(struct mi_graph *graph, const struct mi_penalties *penalties, bool told, mi_value *mean)
{
    graph->scope = "penalty";
    mean = plus(graph, mean, told ? penalties->parameters : penalties->differentiated);
    if (penalties->activities)
        mean = plus(graph, mean, divided_by_n(graph, penalties->activities));
    graph->scope = NULL;
    return mean;
}

/* A number as the first of a vector like `sum`; such a scalar is itself. */
static mi_value *as_first(struct mi_graph *graph, const mi_value *sum, mi_value *number)
{
    int64_t more = sum->shape.rank ? sum->shape.dim[0].b - 1 : 0;
    if (!number || !sum->shape.rank)
        return number;
    mi_value *first = mi_op2(graph, "Reshape", number, mi_ints(graph, (int64_t[]){1}, 1));
    mi_value *const in[] = {first, mi_op2(graph, "Expand", mi_scalar(graph, 0), mi_ints(graph, &more, 1))};
    return mi_apply(graph, "Concat", in, 2, (const struct mi_attribute[]){MI_INT("axis", 0)}, 1);
}

mi_value *mi_penalties_to_sum(struct mi_graph *graph, const struct mi_penalties *penalties, mi_value *sum)
{
    graph->scope = "penalty";
    mi_value *own = penalties->parameters
        ? mi_op2(graph, "Div", penalties->parameters, divided_by_n(graph, mi_scalar(graph, 1))) : NULL;
    sum = plus(graph, sum, as_first(graph, sum, plus(graph, own, penalties->activities)));
    graph->scope = NULL;
    return sum;
}
