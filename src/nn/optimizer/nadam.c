/* Nadam: Dozat 2016, Adam with Nesterov's momentum, which grows from step to step. */
#include "nn/optimizer/optimizer.h"

#include "ops/ops.h"

enum { BETA_1, BETA_2, EPSILON };

static const char *update(const float *value)
{
    (void)value;
    return "NadamUpdate";
}

/* The product of the momentums so far (src/ops/optimizer.c). */
static mica_status ahead(const struct mi_updating *of, mi_value **more)
{
    struct mi_graph *graph = of->graph;
    const struct mi_shape terms = mi_shape_of(1, &(const struct mi_dim){.b = 24});
    mi_value *step = mi_optimizer_count(graph, of->optimizer);
    mi_value *sum = mi_op1(graph, "NadamTerm", mi_expand_to(graph, step, &terms));
    sum = MI_APPLY(graph, "ReduceSum", ((mi_value *[]){sum}), MI_INT("keepdims", 0));
    *more = MI_APPLY(graph, "NadamProduct", ((mi_value *[]){step, sum}), MI_REAL("beta_1", of->optimizer->value[BETA_1]));
    return graph->error.status;
}

const struct mi_optimizer_row mi_optimizer_nadam = {
    .name = "nadam", .learning_rate = 0.001f, .update = update, .ahead = ahead,
    .keys = {[BETA_1] = {"beta_1", 0.9f, .most = 1, .below = true}, [BETA_2] = {"beta_2", 0.999f, .most = 1, .below = true},
             [EPSILON] = {"epsilon", 1e-7f, .most = 1e30f}}};
