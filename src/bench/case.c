/* What the builders of benchmarks share: a graph, its operands, and the bytes that it moves. */
#include "bench/bench.h"
#include "ops/ops.h"

mica_status mi_bench_begin(mica_bench *bench, struct mi_bench_case *what)
{
    what->graph = mi_graph_create(mi_ops, &what->variables);
    return what->graph ? MICA_OK : mi_out_of_memory(&bench->error);
}

void mi_bench_end(mica_bench *bench, struct mi_bench_case *what, const mica_bench_desc *desc, mica_status status)
{
    if (status == MICA_OK)
        status = mi_bench_run_case(bench, what, desc);
    mi_bench_from_device(bench, status);
    mi_graph_destroy(what->graph);
    mi_variables_destroy(&what->variables);
}

mi_value *mi_bench_weight(mica_bench *bench, struct mi_bench_case *what, const char *name, const struct mi_shape *shape)
{
    int64_t count = mi_shape_count(shape, 0);
    float *values = count < 0 ? NULL : mi_bench_random(MI_FLOAT, (size_t)count, 3, -1);
    if (!values) {
        mi_out_of_memory(&bench->error);
        return NULL;
    }
    struct mi_variable *variable =
        mi_variable_add(&what->variables, &bench->error, name, MI_PARAMETER, MI_FLOAT, shape, values);
    return variable ? mi_variable(what->graph, variable) : NULL;
}

double mi_bench_bytes(const mi_value *const *values, int count, int64_t n)
{
    double bytes = 0;
    for (int i = 0; i < count; i++)
        bytes += values[i] ? (double)mi_shape_count(&values[i]->shape, n) * (double)mi_types[values[i]->type].bytes : 0;
    return bytes;
}
