/* LAMB: You et al. 2020, Adam whose step is as long as a parameter's norm says. */
#include "nn/optimizer/optimizer.h"

static const char *update(const float *value)
{
    (void)value;
    return "LambUpdate";
}

/* The ratio of the norms. */
static mica_status ahead(const struct mi_updating *of, mi_value **more)
{
    struct mi_graph *graph = of->graph;
    mi_value *in[] = {of->in[0], of->in[1], of->in[2], of->in[3], mi_optimizer_count(graph, of->optimizer)};
    mi_value *direction = mi_apply(graph, "LambDirection", in, 5, of->attribute, of->attributes);
    *more = mi_op2(graph, "LambRatio", mi_optimizer_squares(graph, in[0]), mi_optimizer_squares(graph, direction));
    return graph->error.status;
}

const struct mi_optimizer_row mi_optimizer_lamb = {
    .name = "lamb", .learning_rate = 0.001f, .update = update, .ahead = ahead, .apart = true,
    .keys = {{"beta_1", 0.9f, .most = 1, .below = true}, {"beta_2", 0.999f, .most = 1, .below = true},
             {"epsilon", 1e-7f, .most = 1e30f}}};
