#include "support/ops.h"

#include "plan/plan.h"
#include "engines/engine.h"
#include "support/network.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RUNS = 4, OUTPUTS = MI_MAX_OUTPUTS, PROBES = 16 };

struct devices {
    mica_device *plain, *debug, *clblast;
    struct gathering gathering, clblasts; /* the kernels of the first two, and of the last */
};

/* One way to run a case. */
struct variant {
    const char *name;
    bool no_fusion, no_blocked, debug, clblast;
    const char *engine;
};

/* Inputs and expected results for one number of samples. */
struct expectation {
    int64_t n;
    struct tensor in[OP_INPUTS], weight, out[OUTPUTS];
    int64_t probe[OP_INPUTS][PROBES];
    double slope[OP_INPUTS][PROBES];
    int probes[OP_INPUTS];
};

struct run {
    const struct op_case *c;
    struct devices *devices;
    mica_device *device;        /* of the variant at hand */
    int64_t batch;
    int inputs, outputs;
    bool batched, differentiable;
    struct expectation expected[RUNS];
    int expectations;
    char name[256];
};

/* ---- Devices ---- */

int op_devices_open(void **state)
{
    struct devices *devices = mi_new(1, sizeof *devices);
    if (!devices)
        return -1;
    *state = devices;
    devices->plain = mica_device_open(NULL);
    devices->debug = mica_device_open(&(mica_device_desc){.debug = true});
    devices->clblast = open_for_clblast();
    if (mica_device_status(devices->plain) == MICA_OK && mica_device_status(devices->debug) == MICA_OK)
        return 0;
    print_error("no device to test on: %s\n", mica_device_error(devices->plain));
    op_devices_close(state);
    return -1;
}

int op_devices_close(void **state)
{
    struct devices *devices = *state;
    mica_device_destroy(devices->plain);
    mica_device_destroy(devices->debug);
    mica_device_destroy(devices->clblast);
    free(devices);
    return 0;
}

/* ---- Tensors ---- */

static bool is_floating(enum mi_type type)
{
    return mi_types[type].kind == 'f';
}

/* What is allowed where a case names nothing: of float32 `single`, of the others some units in the last place. */
static double rounding(enum mi_type type, double single)
{
    return type == MI_HALF ? 2e-3 : type == MI_BFLOAT16 ? 1.6e-2 : type == MI_DOUBLE ? 1e-14 : single;
}

/* Values of 16 bits become what their elements are. */
static void round_to_type(struct tensor *t)
{
    uint64_t room = 0;
    for (int64_t i = 0; i < t->count && mi_types[t->type].bytes == 2; i++) {
        mi_element_set(t->type, &room, 0, t->data[i]);
        t->data[i] = mi_element(t->type, &room, 0);
    }
}

static bool has_batch(const struct mi_shape *shape)
{
    for (int i = 0; i < shape->rank; i++)
        if (shape->dim[i].a)
            return true;
    return false;
}

static void *to_elements(const struct tensor *t)
{
    char *bytes = mi_new((size_t)t->count, mi_types[t->type].bytes);
    assert_non_null(bytes);
    for (int64_t i = 0; i < t->count; i++)
        mi_element_set(t->type, bytes, (size_t)i, t->data[i]);
    return bytes;
}

static double element(const void *bytes, enum mi_type type, int64_t i)
{
    return mi_element(type, bytes, (size_t)i);
}

/* ---- The graph of a case: inputs x0.., weight; outputs y0.., d0.. ---- */

static const char *numbered(char text[16], const char *prefix, int i)
{
    snprintf(text, 16, "%s%d", prefix, i);
    return text;
}

mi_value *op_apply(struct mi_graph *graph, mi_value *const *in, int inputs, const struct op_case *c)
{
    int attributes = 0;
    while (attributes < OP_ATTRIBUTES && c->attribute[attributes].name)
        attributes++;
    return c->build ? c->build(graph, in, c) : mi_apply(graph, c->op, in, inputs, c->attribute, attributes);
}

static void differentiate(struct run *run, struct mi_graph *graph, mi_value *y, mi_value **wanted, const int *index,
                          int wants)
{
    char name[16];
    mi_value *gradient[OP_INPUTS] = {0};
    mi_value *weight = mi_input(graph, "weight", y->type, &y->shape);
    mi_value *loss =
        MI_APPLY(graph, "ReduceSum", ((mi_value *[]){mi_op2(graph, "Mul", y, weight)}), MI_INT("keepdims", 0));
    mi_differentiate(graph, loss, wanted, wants, gradient);
    if (graph->error.status != MICA_OK)
        return;
    for (int i = 0; i < wants; i++) {
        if (!gradient[i])
            fail_msg("%s: no gradient by input %d", run->name, index[i]);
        if (!mi_shape_equal(&gradient[i]->shape, &wanted[i]->shape))
            fail_msg("%s: gradient by input %d has shape %s", run->name, index[i],
                     mi_shape_text(&graph->arena, &gradient[i]->shape));
    }
    for (int i = 0; i < wants; i++)
        mi_output(graph, numbered(name, "d", index[i]), gradient[i]);
}

static struct mi_graph *build_graph(struct run *run, struct mi_variables *variables, mi_value **y)
{
    const struct op_case *c = run->c;
    struct mi_graph *graph = mi_graph_create(mi_ops, variables);
    mi_value *in[OP_INPUTS] = {0}, *wanted[OP_INPUTS];
    int wants = 0, index[OP_INPUTS];
    char name[16];
    assert_non_null(graph);
    graph->training = c->training;
    for (int i = 0; i < run->inputs; i++) {
        struct mi_shape shape = network_shape(c->in[i].shape);
        in[i] = mi_input(graph, numbered(name, "x", i), c->in[i].type, &shape);
        if (is_floating(c->in[i].type) && !c->in[i].no_gradient) {
            index[wants] = i;
            wanted[wants++] = in[i];
        }
    }
    mi_value *first = op_apply(graph, in, run->inputs, c);
    if (!first)
        fail_msg("%s: %s", run->name, graph->error.text);
    for (int o = 0; o < run->outputs; o++)
        y[o] = c->parts  ? first /* whose parts are outputs already */
               : o == 0 ? mi_output(graph, "y0", first)
                        : mi_output(graph, numbered(name, "y", o), first->node->out[o]);
    run->differentiable = !c->no_gradient && wants > 0 && is_floating(first->type);
    if (run->differentiable)
        differentiate(run, graph, first, wanted, index, wants);
    if (graph->error.status != MICA_OK)
        fail_msg("%s: %s", run->name, graph->error.text);
    return graph;
}

/* ---- What is expected ---- */

static void reference_map(const struct op_case *c, const struct tensor *in, struct tensor *out)
{
    int64_t at[MI_MAX_RANK] = {0}, i = 0;
    if (out->count)
        do {
            double x[OP_INPUTS];
            for (int k = 0; k < OP_INPUTS && c->in[k].shape; k++)
                x[k] = tensor_broadcast(&in[k], out->rank, at);
            out->data[i++] = c->map(x);
        } while (tensor_next(out, at));
}

void op_evaluate(const struct op_case *c, const struct tensor *in, struct tensor *out)
{
    if (c->map)
        reference_map(c, in, out);
    else
        c->reference(c, in, out);
}

/* Columns that nobody differentiates may hold NaN. */
static double weighted_columns(const struct expectation *e, int64_t first, int64_t width, int64_t stride)
{
    double sum = 0;
    for (int64_t start = first; start + width <= e->out[0].count && width; start += stride)
        for (int64_t i = start; i < start + width; i++)
            sum += e->out[0].data[i] * e->weight.data[i];
    return sum;
}

static double weighted(const struct op_case *c, struct expectation *e)
{
    int64_t columns = e->out[0].rank == 2 ? e->out[0].dim[1] : 0, first = 0;
    double sum = 0;
    op_evaluate(c, e->in, e->out);
    if (!c->parts)
        return weighted_columns(e, 0, e->out[0].count, e->out[0].count + 1);
    for (int k = 0; k < c->parts->count; first += c->parts->part[k++].width)
        if (!c->parts->part[k].c->no_gradient && c->parts->part[k].type == MI_FLOAT)
            sum += weighted_columns(e, first, c->parts->part[k].width, columns);
    return sum;
}

/* Central differences at up to PROBES places of each input. */
static void expect_slopes(struct run *run, struct expectation *e)
{
    const struct op_case *c = run->c;
    for (int i = 0; i < run->inputs; i++) {
        struct tensor *x = &e->in[i];
        if (!is_floating(x->type) || c->in[i].no_gradient)
            continue;
        int64_t stride = (x->count + PROBES - 1) / PROBES;
        for (int64_t k = 0; k < x->count; k += stride) {
            double kept = x->data[k], h = 1e-5 * (fabs(kept) > 1 ? fabs(kept) : 1);
            x->data[k] = kept + h;
            double above = weighted(c, e);
            x->data[k] = kept - h;
            double below = weighted(c, e);
            x->data[k] = kept;
            e->probe[i][e->probes[i]] = k;
            e->slope[i][e->probes[i]++] = (above - below) / (2 * h);
        }
    }
}

static void expect(struct run *run, struct expectation *e, int64_t n, mi_value *const *y)
{
    const struct op_case *c = run->c;
    e->n = n;
    for (int i = 0; i < run->inputs; i++) {
        struct mi_shape shape = network_shape(c->in[i].shape);
        tensor_create(&e->in[i], c->in[i].type, &shape, n);
        tensor_fill(&e->in[i], &c->in[i], (uint64_t)i);
        round_to_type(&e->in[i]);
    }
    for (int o = 0; o < run->outputs; o++)
        tensor_create(&e->out[o], y[o]->type, &y[o]->shape, n);
    tensor_create(&e->weight, is_floating(y[0]->type) ? y[0]->type : MI_FLOAT, &y[0]->shape, n);
    tensor_fill(&e->weight, &(struct op_input){.low = -1, .high = 1}, 99);
    round_to_type(&e->weight);
    if (run->differentiable)
        expect_slopes(run, e);
    op_evaluate(c, e->in, e->out);
}

static void forget(struct run *run)
{
    for (int r = 0; r < run->expectations; r++) {
        struct expectation *e = &run->expected[r];
        for (int i = 0; i < OP_INPUTS; i++)
            free(e->in[i].data);
        for (int o = 0; o < OUTPUTS; o++)
            free(e->out[o].data);
        free(e->weight.data);
    }
}

/* ---- Running ---- */

static void feed(const struct run *run, struct mica_plan *plan, const char *name, const struct tensor *t,
                 int64_t n)
{
    int input = mi_plan_input(plan, name);
    void *elements = to_elements(t);
    cl_event done = NULL;
    if (input >= 0 && mi_plan_feed(plan, input, elements, n, &done) != MICA_OK)
        fail_msg("%s: input %s: %s", run->name, name, mica_plan_error(plan));
    mi_event_wait(run->device, &done);
    free(elements);
}

static void *fetch(const struct run *run, struct mica_plan *plan, const char *name, int64_t n, int64_t count,
                   enum mi_type type)
{
    char *bytes = mi_new((size_t)count + 1, mi_types[type].bytes);
    assert_non_null(bytes);
    if (mi_plan_fetch(plan, mi_plan_output(plan, name), bytes, n) != MICA_OK)
        fail_msg("%s: output %s: %s", run->name, name, mica_plan_error(plan));
    return bytes;
}

/* The results of the parts, as columns. */
static void *fetch_parts(const struct run *run, struct mica_plan *plan, int64_t n)
{
    const struct op_parts *parts = run->c->parts;
    int64_t columns = 0, first = 0;
    char name[16];
    for (int k = 0; k < parts->count; k++)
        columns += parts->part[k].width;
    float *all = mi_new((size_t)(n * columns), sizeof *all);
    assert_non_null(all);
    for (int k = 0; k < parts->count; first += parts->part[k++].width) {
        const struct op_part *part = &parts->part[k];
        void *bytes = fetch(run, plan, numbered(name, "y", k), n, n * part->width, part->type);
        for (int64_t i = 0; i < n * part->width; i++)
            all[i / part->width * columns + first + i % part->width] = (float)element(bytes, part->type, i);
        free(bytes);
    }
    return all;
}

static double largest(const double *values, int64_t count)
{
    double most = 0;
    for (int64_t i = 0; i < count; i++)
        if (isfinite(values[i]) && fabs(values[i]) > most)
            most = fabs(values[i]);
    return most;
}

static bool agrees(double got, double want, double margin)
{
    if (isnan(want) || isinf(want))
        return isnan(want) ? isnan(got) : got == want;
    return fabs(got - want) <= margin;
}

/* Elements first to first + width of every row of `stride`: the result of one case. */
static void compare_columns(const struct run *run, const struct op_case *c, const struct expectation *e, int o,
                            const void *bytes, int64_t first, int64_t width, int64_t stride)
{
    const struct tensor *t = &e->out[o];
    double most = 0;
    for (int64_t start = first; start + width <= t->count && width; start += stride)
        most = fmax(most, largest(t->data + start, width));
    double margin = is_floating(t->type) ? (c->tolerance > 0 ? c->tolerance : rounding(t->type, 2e-6)) * most : 0;
    for (int64_t start = first; start + width <= t->count && width; start += stride)
        for (int64_t i = start; i < start + width; i++)
            if (!agrees(element(bytes, t->type, i), t->data[i], margin))
                fail_msg("%s, n %lld: y%d[%lld] (%s) is %.9g, expected %.9g", run->name, (long long)e->n, o, (long long)i,
                         c->op, element(bytes, t->type, i), t->data[i]);
}

static void compare_values(const struct run *run, const struct expectation *e, int o, const void *bytes)
{
    const struct op_parts *parts = run->c->parts;
    int64_t first = 0;
    if (!parts)
        compare_columns(run, run->c, e, o, bytes, 0, e->out[o].count, e->out[o].count + 1);
    for (int k = 0; parts && k < parts->count; first += parts->part[k++].width)
        compare_columns(run, parts->part[k].c, e, o, bytes, first, parts->part[k].width, e->out[o].dim[1]);
}

static const struct op_case *case_of_input(const struct op_case *c, int i)
{
    for (int k = 0; c->parts && k < c->parts->count; k++)
        if (i >= c->parts->part[k].input && i < c->parts->part[k].input + c->parts->part[k].inputs)
            return c->parts->part[k].c;
    return c;
}

static void compare_slopes(const struct run *run, const struct expectation *e, int i, const void *bytes)
{
    const struct op_case *c = case_of_input(run->c, i);
    enum mi_type type = run->c->in[i].type;
    double tolerance = c->gradient_tolerance > 0 ? c->gradient_tolerance : fmax(rounding(type, 1e-4), 1e-6);
    double margin = tolerance * (largest(e->slope[i], e->probes[i]) + 1e-3);
    for (int k = 0; k < e->probes[i]; k++) {
        int64_t at = e->probe[i][k];
        if (!agrees(element(bytes, type, at), e->slope[i][k], margin))
            fail_msg("%s, n %lld: gradient by x%d[%lld] (%s) is %.9g, expected %.9g", run->name, (long long)e->n, i,
                     (long long)e->probe[i][k], c->op, element(bytes, type, at), e->slope[i][k]);
    }
}

/* Results, one after the other. */
struct record {
    char *bytes;
    size_t size;
};

static void add_record(struct record *record, void *bytes, size_t more)
{
    record->bytes = realloc(record->bytes, record->size + more + 1);
    assert_non_null(record->bytes);
    memcpy(record->bytes + record->size, bytes, more);
    record->size += more;
    free(bytes);
}

static bool has_slope(const struct run *run, int i)
{
    return run->differentiable && is_floating(run->c->in[i].type) && !run->c->in[i].no_gradient;
}

/* A step. A step of no samples computes nothing, not even sums over them. */
static struct record run_once(const struct run *run, struct mica_plan *plan, const struct expectation *e)
{
    char name[16];
    struct record all = {0};
    struct mi_step step = {.n = (int32_t)e->n, .learning_rate = 0.125f, .step = 3, .seed = 42};
    for (int i = 0; i < run->inputs; i++)
        feed(run, plan, numbered(name, "x", i), &e->in[i], e->n);
    if (run->differentiable)
        feed(run, plan, "weight", &e->weight, e->n);
    if (mi_plan_step(plan, &step) != MICA_OK)
        fail_msg("%s: %s", run->name, mica_plan_error(plan));
    if (e->n == 0)
        return all;
    for (int o = 0; o < run->outputs; o++) {
        const struct tensor *t = &e->out[o];
        void *bytes = run->c->parts ? fetch_parts(run, plan, e->n)
                                    : fetch(run, plan, numbered(name, "y", o), e->n, t->count, t->type);
        compare_values(run, e, o, bytes);
        add_record(&all, bytes, (size_t)t->count * mi_types[t->type].bytes);
    }
    for (int i = 0; i < run->inputs; i++) {
        if (!has_slope(run, i))
            continue;
        void *bytes = fetch(run, plan, numbered(name, "d", i), e->n, e->in[i].count, e->in[i].type);
        compare_slopes(run, e, i, bytes);
        add_record(&all, bytes, (size_t)e->in[i].count * mi_types[e->in[i].type].bytes);
    }
    return all;
}

/* A case's plan, and what belongs to it. */
struct planned {
    struct mi_variables variables;
    struct mi_store *store;
    struct mica_plan *plan;
};

static mica_device *device_of(const struct devices *devices, const struct variant *variant)
{
    return variant->debug ? devices->debug : variant->clblast ? devices->clblast : devices->plain;
}

static void planned_begin(struct planned *planned, struct run *run, const struct variant *variant)
{
    mi_value *y[OUTPUTS];
    mica_device *device = run->device = device_of(run->devices, variant);
    *planned = (struct planned){0};
    snprintf(run->name, sizeof run->name, "%s(%s%s%s), %s", run->c->op, run->c->in[0].shape,
             run->c->in[1].shape ? "; " : "", run->c->in[1].shape ? run->c->in[1].shape : "", variant->name);
    mica_device_clear_error(device); /* of a test that failed before */
    struct mi_graph *graph = build_graph(run, &planned->variables, y);
    assert_int_equal(mi_store_create(device, &planned->variables, &planned->store), MICA_OK);
    mi_plan_create(&(struct mi_plan_desc){.device = device,
                                          .store = planned->store,
                                          .graph = graph,
                                          .batch = run->batch,
                                          .engine = variant->engine,
                                          .no_fusion = variant->no_fusion,
                                          .no_blocked = variant->no_blocked},
                   &planned->plan);
}

static void planned_end(struct planned *planned)
{
    mica_plan_destroy(planned->plan);
    mi_store_destroy(planned->store);
    mi_variables_destroy(&planned->variables);
}

static void run_variant(struct run *run, const struct variant *variant)
{
    struct planned planned;
    planned_begin(&planned, run, variant);
    if (mica_plan_status(planned.plan) != MICA_OK)
        fail_msg("%s: %s", run->name, mica_plan_error(planned.plan));
    for (int r = 0; r < run->expectations; r++) {
        struct record first = run_once(run, planned.plan, &run->expected[r]), second = run_once(run, planned.plan, &run->expected[r]);
        assert_int_equal(first.size, second.size);
        if (first.size && memcmp(first.bytes, second.bytes, first.size) != 0)
            fail_msg("%s: two runs differ", run->name);
        free(first.bytes);
        free(second.bytes);
    }
    planned_end(&planned);
}

/* What every run needs to know of its case. */
static struct run *run_create(const struct op_case *c, struct devices *devices)
{
    struct run *run = mi_new(1, sizeof *run);
    assert_non_null(run);
    run->c = c;
    run->devices = devices;
    run->outputs = c->outputs ? c->outputs : 1;
    while (run->inputs < OP_INPUTS && c->in[run->inputs].shape)
        run->inputs++;
    bool batched = false;
    for (int i = 0; i < run->inputs; i++) {
        struct mi_shape shape = network_shape(c->in[i].shape);
        batched = batched || has_batch(&shape);
    }
    int64_t batch = c->batch ? c->batch : 13;
    run->batched = batched;
    run->batch = !batched ? 1 : tests_are_small() && batch > 3 ? 3 : batch;
    return run;
}

static void expect_all(struct run *run)
{
    struct mi_variables variables = {0};
    mi_value *y[OUTPUTS];
    const int64_t sizes[RUNS] = {run->batch, run->batch / 2, 1, 0};
    snprintf(run->name, sizeof run->name, "%s(%s)", run->c->op, run->c->in[0].shape);
    struct mi_graph *graph = build_graph(run, &variables, y);
    for (int r = 0; r < (run->batched ? RUNS : 1); r++)
        expect(run, &run->expected[run->expectations++], sizes[r], y);
    mi_graph_destroy(graph);
    mi_variables_destroy(&variables);
}

static bool is_of_clblast(const struct mi_engine *engine)
{
    return engine == &mi_engine_clblast || engine == &mi_engine_im2col || engine == &mi_engine_col2im;
}

/* Calls `each` for every way to run a case. */
static void for_each_variant(struct run *run, void (*each)(struct run *run, const struct variant *variant))
{
    static const struct variant variants[] = {{.name = "fused"},
                                              {.name = "apart", .no_fusion = true},
                                              {.name = "plain layouts", .no_blocked = true},
                                              {.name = "debug", .debug = true}};
    const struct op_case *c = run->c;
    for (size_t v = 0; v < MI_COUNT(variants); v++)
        if ((!variants[v].no_blocked || c->engines) && (!variants[v].no_fusion || c->apart) &&
            (!variants[v].debug || !tests_are_small()))
            each(run, &variants[v]);
    for (const struct mi_engine *const *engine = mi_engines; c->engines && *engine; engine++)
        if (c->clblast || !is_of_clblast(*engine))
            each(run, &(struct variant){
                          .name = (*engine)->name, .engine = (*engine)->name, .clblast = is_of_clblast(*engine)});
}

static void gather_variant(struct run *run, const struct variant *variant)
{
    struct planned planned;
    planned_begin(&planned, run, variant);
    gather_plan(variant->clblast ? &run->devices->clblasts : &run->devices->gathering, planned.plan);
    planned_end(&planned);
}

/* Builds the kernels of all cases. */
static void gather_all(struct devices *devices, const struct op_case *cases, size_t count)
{
    struct mi_compiling plain = gather_from(devices->plain), debug = gather_from(devices->debug);
    struct mi_compiling clblast = gather_from(devices->clblast);
    for (size_t i = 0; i < count; i++) {
        struct run *run = run_create(&cases[i], devices);
        for_each_variant(run, gather_variant);
        free(run);
    }
    gather_build(&devices->gathering, devices->plain, plain);
    gather_build(tests_are_small() ? &(struct gathering){0} : &devices->gathering, devices->debug, debug);
    gather_build(&devices->clblasts, devices->clblast, clblast);
    gather_end(&devices->gathering);
    gather_end(&devices->clblasts);
}

void op_check(void **state, const struct op_case *c)
{
    op_check_all(state, c, 1);
}

void op_check_all(void **state, const struct op_case *cases, size_t count)
{
    gather_all(*state, cases, count);
    for (size_t i = 0; i < count; i++) {
        struct run *run = run_create(&cases[i], *state);
        expect_all(run);
        for_each_variant(run, run_variant);
        forget(run);
        free(run);
    }
}

void op_check_widths(void **state, const struct op_case *cases, size_t count)
{
    struct devices *devices = *state;
    mica_device *own = devices->plain;
    int tried = 0;
    for (int i = 0; i < DEVICE_SIZES; i++) {
        bool runs;
        if (!is_tried(&device_sizes[i], own) || device_sizes[i].lanes == own->vector_width ||
            (i && device_sizes[i - 1].lanes == device_sizes[i].lanes) || !(devices->plain = open_sized(&device_sizes[i], &runs)))
            continue;
        if (runs)
            op_check_all(state, cases, count);
        tried += runs;
        mica_device_destroy(devices->plain);
    }
    devices->plain = own;
    if (!tried)
        skip();
}
