/* Numbers on the device that a plan reads, in a variable that is called by what it holds. */
#include "nn/model.h"

#include <string.h>

mi_value *mi_held(struct mi_graph *graph, const float *values, size_t count)
{
    const struct mi_shape shape = {.rank = 1, .dim = {mi_fixed((int64_t)count)}};
    unsigned long long hash = mi_hash(values, count * sizeof *values, 0);
    const char *name = mi_arena_format(&graph->arena, "held/%zu/%016llx", count, hash);
    struct mi_variable *variable = name ? mi_variable_find(graph->variables, name) : NULL;
    float *copy = name && !variable ? mi_new(count, sizeof *copy) : NULL;
    if (copy) {
        memcpy(copy, values, count * sizeof *copy);
        variable = mi_variable_add(graph->variables, &graph->error, name, MI_ACCUMULATOR, MI_FLOAT, &shape, copy);
    } else if (!variable)
        mi_out_of_memory(&graph->error);
    return variable ? mi_variable(graph, variable) : NULL;
}
