/* Benchmarks of matrix products and convolutions: the graph of each. */
#include "bench/bench.h"
#include "ops/ops.h"


static mica_status check_size(mica_bench *bench, const char *what, int64_t size, int64_t least)
{
    if (size >= least && size <= MI_BENCH_MOST_SIZE)
        return MICA_OK;
    return mi_fail(&bench->error, MICA_INVALID_ARGUMENT, "%s is %lld, it must be from %lld to %d", what, (long long)size,
                   (long long)least, MI_BENCH_MOST_SIZE);
}

/* ---- Matrix products ---- */

static struct mi_shape matrix(bool batched, bool transposed, int64_t rows, int64_t columns)
{
    struct mi_shape shape = {.rank = 0};
    if (batched)
        shape.dim[shape.rank++] = mi_batch();
    shape.dim[shape.rank++] = mi_fixed(transposed ? columns : rows);
    shape.dim[shape.rank++] = mi_fixed(transposed ? rows : columns);
    return shape;
}

static mica_status build_gemm(mica_bench *bench, const mica_bench_gemm_desc *desc, struct mi_bench_case *what)
{
    bool batched = desc->common.batch > 1;
    MI_TRY(check_size(bench, "m", desc->m, 1));
    MI_TRY(check_size(bench, "n", desc->n, 1));
    MI_TRY(check_size(bench, "k", desc->k, 1));
    MI_TRY(mi_bench_begin(bench, what));
    struct mi_graph *graph = what->graph;
    struct mi_shape shape_a = matrix(batched, desc->transpose_a, desc->m, desc->k);
    struct mi_shape shape_b = matrix(batched && !desc->constant_b, desc->transpose_b, desc->k, desc->n);
    mi_value *a = mi_input(graph, "a", MI_FLOAT, &shape_a);
    mi_value *b = desc->constant_b ? mi_bench_weight(bench, what, "b", &shape_b) : mi_input(graph, "b", MI_FLOAT, &shape_b);
    mi_value *y = MI_APPLY(graph, "MatMul", ((mi_value *[]){a, b}), MI_INT("transA", desc->transpose_a),
                           MI_INT("transB", desc->transpose_b));
    mi_output(graph, "y", y);
    if (y)
        what->bytes = mi_bench_bytes((const mi_value *const[]){a, b, y}, 3, batched ? desc->common.batch : 1);
    return mi_error_report(&bench->error, &graph->error);
}

mica_bench *mica_bench_gemm(mica_device *device, const mica_bench_gemm_desc *desc)
{
    char name[128];
    if (!device)
        return NULL;
    mica_bench *bench = mi_bench_new(device);
    if (!mi_bench_takes(bench, desc))
        return bench;
    struct mi_bench_case what = {.name = name, .contractions = true, .low = -1, .swapped = {-1, -1}};
    int length = mi_format(name, sizeof name, "gemm %lldx%lldx%lld %c%c", (long long)desc->m, (long long)desc->n,
                          (long long)desc->k, desc->transpose_a ? 't' : 'n', desc->transpose_b ? 't' : 'n');
    if (desc->common.batch > 1 && length > 0 && (size_t)length < sizeof name)
        mi_format(name + length, sizeof name - (size_t)length, " b%lld", (long long)desc->common.batch);
    mi_bench_end(bench, &what, &desc->common, build_gemm(bench, desc, &what));
    return bench;
}

/* ---- Convolutions ---- */

static mica_bench_conv_desc conv_defaults(const mica_bench_conv_desc *desc)
{
    mica_bench_conv_desc full = *desc;
    full.stride = desc->stride ? desc->stride : 1;
    full.groups = desc->groups ? desc->groups : 1;
    full.dilation = desc->dilation ? desc->dilation : 1;
    full.padding = desc->padding ? desc->padding < 0 ? 0 : desc->padding : desc->kernel / 2;
    full.common.batch = desc->common.batch ? desc->common.batch : 1;
    return full;
}

static mica_status check_conv(mica_bench *bench, const mica_bench_conv_desc *conv)
{
    const struct { const char *name; int64_t size, least; } rows[] = {
        {"channels", conv->channels, 1}, {"height", conv->height, 1}, {"width", conv->width, 1},
        {"filters", conv->filters, 1}, {"kernel", conv->kernel, 1}, {"stride", conv->stride, 1},
        {"groups", conv->groups, 1}, {"padding", conv->padding, 0}, {"dilation", conv->dilation, 1}};
    for (size_t i = 0; i < MI_COUNT(rows); i++)
        MI_TRY(check_size(bench, rows[i].name, rows[i].size, rows[i].least));
    if (conv->channels % conv->groups || conv->filters % conv->groups)
        return mi_fail(&bench->error, MICA_INVALID_ARGUMENT, "%lld channels and %lld filters do not divide into %lld groups",
                       (long long)conv->channels, (long long)conv->filters, (long long)conv->groups);
    return MICA_OK;
}

/* The gradient by input `which` of y = f(in...), given dy as an input of its own. */
static mi_value *gradient(struct mi_graph *graph, mi_value *y, int which, mi_value **dy)
{
    mi_value *dx[4] = {NULL};
    *dy = mi_input(graph, "dy", MI_FLOAT, &y->shape);
    if (!*dy || y->node->op->gradient(y->node, (mi_value *const[]){*dy}, dx) != MICA_OK)
        return NULL;
    return dx[which];
}

static mica_status build_conv(mica_bench *bench, const mica_bench_conv_desc *conv, struct mi_bench_case *what)
{
    const int64_t pads[] = {conv->padding, conv->padding, conv->padding, conv->padding};
    const int64_t strides[] = {conv->stride, conv->stride}, dilations[] = {conv->dilation, conv->dilation};
    MI_TRY(check_conv(bench, conv));
    MI_TRY(mi_bench_begin(bench, what));
    struct mi_graph *graph = what->graph;
    struct mi_shape shape_x = {4, {mi_batch(), mi_fixed(conv->channels), mi_fixed(conv->height), mi_fixed(conv->width)}};
    struct mi_shape shape_w = {
        4, {mi_fixed(conv->filters), mi_fixed(conv->channels / conv->groups), mi_fixed(conv->kernel), mi_fixed(conv->kernel)}};
    mi_value *x = mi_input(graph, "x", MI_FLOAT, &shape_x), *w = mi_bench_weight(bench, what, "w", &shape_w), *dy = NULL;
    mi_value *y = MI_APPLY(graph, "Conv", ((mi_value *[]){x, w}), MI_INTS("pads", pads, 4), MI_INTS("strides", strides, 2),
                           MI_INTS("dilations", dilations, 2), MI_INT("group", conv->groups));
    if (!y)
        return mi_error_report(&bench->error, &graph->error);
    mi_value *result = conv->pass == MICA_BENCH_FORWARD ? y : gradient(graph, y, conv->pass == MICA_BENCH_DATA ? 0 : 1, &dy);
    what->bytes = mi_bench_bytes((const mi_value *const[]){x, w, y}, 3, conv->common.batch);
    /* An output lies in plain rows. What a network passes on lies as its maker likes it best; a weight's gradient is plain. */
    if (conv->pass != MICA_BENCH_WEIGHTS) {
        const int64_t order[] = {0, 1, 3, 2};
        result = MI_APPLY(graph, "Transpose", ((mi_value *[]){result}), MI_INTS("perm", order, 4));
        what->swapped[0] = 2;
        what->swapped[1] = 3;
    }
    mi_output(graph, "result", result);
    return mi_error_report(&bench->error, &graph->error);
}

mica_bench *mica_bench_conv(mica_device *device, const mica_bench_conv_desc *desc)
{
    static const char *const passes[] = {"forward", "data", "weights"};
    char name[256];
    if (!device)
        return NULL;
    mica_bench *bench = mi_bench_new(device);
    if (!mi_bench_takes(bench, desc))
        return bench;
    mica_bench_conv_desc full = conv_defaults(desc);
    struct mi_bench_case what = {.name = name, .contractions = true, .low = -1, .swapped = {-1, -1}};
    mi_format(name, sizeof name, "conv %lldx%lldx%lld %lld %lldx%lld/%lld g%lld b%lld %s", (long long)full.channels,
             (long long)full.height, (long long)full.width, (long long)full.filters, (long long)full.kernel,
             (long long)full.kernel, (long long)full.stride, (long long)full.groups, (long long)full.common.batch,
             full.pass <= MICA_BENCH_WEIGHTS ? passes[full.pass] : "?");
    mica_status status = full.pass > MICA_BENCH_WEIGHTS
                             ? mi_fail(&bench->error, MICA_INVALID_ARGUMENT, "pass is %d, there are 0 to 2", (int)full.pass)
                             : build_conv(bench, &full, &what);
    mi_bench_end(bench, &what, &full.common, status);
    return bench;
}
