/* Benchmarks of any operator, or of its gradient: shapes and attributes are read from texts. */
#include "bench/bench.h"
#include "ops/ops.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_INPUTS = 8, MOST_ATTRIBUTES = 16, MOST_INTS = 16 };

/* "8x64x56x56", "nx64:int32". */
static mica_status read_shape(mica_bench *bench, const char *text, struct mi_shape *shape, enum mi_type *type)
{
    const char *at = text;
    *shape = (struct mi_shape){.rank = 0};
    *type = MI_FLOAT;
    while (*at && *at != ':' && shape->rank < MI_MAX_RANK) {
        char *past = NULL;
        long long size = *at == 'n' ? 1 : strtoll(at, &past, 10);
        if (size < 1 || size > MI_BENCH_MOST_SIZE || past == at)
            break;
        shape->dim[shape->rank++] = *at == 'n' ? mi_batch() : mi_fixed(size);
        at = past ? past : at + 1;
        if (*at != 'x')
            break;
        at++;
    }
    if (strcmp(at, ":int32") == 0)
        *type = MI_INT32;
    if (*at && *type == MI_FLOAT)
        return mi_fail(&bench->error, MICA_INVALID_ARGUMENT, "\"%.60s\" is no shape such as 8x64x56x56 or nx64:int32", text);
    return MICA_OK;
}

/* "axis=1", "kernel_shape=3,3", "axes=1," (a list of one), "epsilon=0.001", "mode=text". */
static mica_status read_attribute(mica_bench *bench, struct mi_graph *graph, const char *text, struct mi_attribute *out)
{
    const char *equals = strchr(text, '=');
    if (!equals || equals == text)
        return mi_fail(&bench->error, MICA_INVALID_ARGUMENT, "\"%.60s\" is no attribute such as kernel_shape=3,3", text);
    char *end = NULL, *key = mi_arena_strdup(&graph->arena, text);
    int64_t *ints = mi_arena_new(&graph->arena, MOST_INTS, sizeof *ints);
    if (!key || !ints)
        return mi_out_of_memory(&bench->error);
    key[equals - text] = 0;
    const char *value = equals + 1, *at = value;
    int count = 0;
    while (count < MOST_INTS) {
        int64_t number = strtoll(at, &end, 10);
        if (end == at)
            break;
        ints[count++] = number;
        at = *end == ',' ? end + 1 : end;
        if (*end != ',')
            break;
    }
    bool whole = count > 0 && !*at, listed = strchr(value, ',') != NULL;
    float real = (float)mi_read_double(value, &end);
    if (whole && listed)
        *out = MI_INTS(key, ints, count);
    else if (whole)
        *out = MI_INT(key, ints[0]);
    else if (end != value && !*end)
        *out = MI_REAL(key, real);
    else
        *out = MI_TEXT(key, key + (value - text));
    return MICA_OK;
}

/* The gradients of the sum of y * dy by every float input. */
static mica_status add_gradients(mica_bench *bench, struct mi_graph *graph, mi_value *y, mi_value *const *in, int inputs,
                                 mi_value **out, int *outs)
{
    mi_value *dy = mi_input(graph, "dy", MI_FLOAT, &y->shape), *of[MOST_INPUTS] = {NULL}, *dx[MOST_INPUTS] = {NULL};
    mi_value *loss = MI_APPLY(graph, "ReduceSum", ((mi_value *[]){mi_op2(graph, "Mul", y, dy)}), MI_INT("keepdims", 0));
    int count = 0;
    for (int i = 0; i < inputs; i++)
        if (in[i]->type == MI_FLOAT)
            of[count++] = in[i];
    MI_TRY(mi_error_report(&bench->error, &graph->error));
    if (mi_differentiate(graph, loss, of, count, dx) != MICA_OK)
        return mi_error_report(&bench->error, &graph->error);
    *outs = 0;
    for (int i = 0; i < count; i++)
        if (dx[i])
            out[(*outs)++] = dx[i];
    if (!*outs)
        return mi_fail(&bench->error, MICA_UNSUPPORTED, "%s has no gradient", y->node->op->name);
    return MICA_OK;
}

static mica_status build_op(mica_bench *bench, const mica_bench_op_desc *desc, struct mi_bench_case *what)
{
    int64_t batch = desc->common.batch ? desc->common.batch : 1;
    mi_value *in[MOST_INPUTS + 1] = {NULL}, *out[MOST_INPUTS + MI_MAX_OUTPUTS] = {NULL};
    struct mi_attribute attributes[MOST_ATTRIBUTES];
    int outs = 0;
    MI_TRY(mi_bench_begin(bench, what));
    struct mi_graph *graph = what->graph;
    graph->training = desc->training || desc->gradient;
    for (int i = 0; i < desc->shape_count; i++) {
        struct mi_shape shape;
        enum mi_type type;
        MI_TRY(read_shape(bench, desc->shapes[i], &shape, &type));
        in[i] = mi_input(graph, mi_arena_format(&graph->arena, "x%d", i), type, &shape);
    }
    for (int i = 0; i < desc->attribute_count; i++)
        MI_TRY(read_attribute(bench, graph, desc->attributes[i], &attributes[i]));
    struct mi_node *node = mi_node_add(graph, desc->name, in, desc->shape_count, attributes, desc->attribute_count);
    if (!node)
        return mi_error_report(&bench->error, &graph->error);
    for (int o = 0; o < node->outputs; o++)
        out[outs++] = node->out[o];
    if (desc->gradient)
        MI_TRY(add_gradients(bench, graph, node->out[0], in, desc->shape_count, out, &outs));
    for (int o = 0; o < outs; o++)
        mi_output(graph, mi_arena_format(&graph->arena, "y%d", o), out[o]);
    what->bytes = mi_bench_bytes((const mi_value *const *)in, desc->shape_count, batch) +
                  mi_bench_bytes((const mi_value *const *)out, outs, batch) +
                  (desc->gradient ? mi_bench_bytes((const mi_value *const[]){node->out[0]}, 1, batch) : 0);
    return mi_error_report(&bench->error, &graph->error);
}

/* Whether every text is there that the description counts. */
static mica_status check_texts(mica_bench *bench, const mica_bench_op_desc *desc)
{
    if (!desc || !desc->name)
        return mi_fail(&bench->error, MICA_INVALID_ARGUMENT, "which operator to measure is missing");
    if (desc->shape_count < 0 || desc->shape_count > MOST_INPUTS || desc->attribute_count < 0 ||
        desc->attribute_count > MOST_ATTRIBUTES)
        return mi_fail(&bench->error, MICA_INVALID_ARGUMENT, "%s: %d shapes and %d attributes, at most %d and %d", desc->name,
                       desc->shape_count, desc->attribute_count, MOST_INPUTS, MOST_ATTRIBUTES);
    for (int i = 0; i < desc->shape_count; i++)
        if (!desc->shapes || !desc->shapes[i])
            return mi_fail(&bench->error, MICA_INVALID_ARGUMENT, "%s: shape %d is NULL", desc->name, i);
    for (int i = 0; i < desc->attribute_count; i++)
        if (!desc->attributes || !desc->attributes[i])
            return mi_fail(&bench->error, MICA_INVALID_ARGUMENT, "%s: attribute %d is NULL", desc->name, i);
    return MICA_OK;
}

mica_bench *mica_bench_op(mica_device *device, const mica_bench_op_desc *desc)
{
    if (!device)
        return NULL;
    mica_bench *bench = mi_bench_new(device);
    if (!bench || bench->error.status != MICA_OK)
        return bench;
    if (check_texts(bench, desc) != MICA_OK) {
        mi_bench_from_device(bench, bench->error.status);
        return bench;
    }
    const char *name = desc->name;
    for (int i = 0; i < desc->shape_count; i++)
        name = mi_arena_format(&bench->arena, "%s %s", name, desc->shapes[i]);
    if (desc->gradient)
        name = mi_arena_format(&bench->arena, "%s gradient", name);
    struct mi_bench_case what = {.name = name, .low = 0.25f, .swapped = {-1, -1}};
    mi_bench_end(bench, &what, &desc->common, build_op(bench, desc, &what));
    return bench;
}
