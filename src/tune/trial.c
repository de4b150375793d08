/* One contraction as a small plan of its own, computed and timed with a candidate. */
#include "tune/tune.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LEAST_RUNS = 3 };
static const double least_seconds = 4e-3, most_seconds = 0.25;
static const double check_products = 1e6; /* summed in double to check a candidate: some 30 ms */
static const double tolerance = 1e-3; /* of the largest result; rounding is far below, a wrong sum far above */

/* Deterministic values in [-1, 1), cheap enough for millions. */
static float *random_values(size_t count, uint32_t state)
{
    float *values = mi_new(count, sizeof *values);
    for (size_t i = 0; values && i < count; i++) {
        state = state * 1664525u + 1013904223u;
        values[i] = (float)(state >> 8) * (2.0f / 16777216.0f) - 1;
    }
    return values;
}

static size_t elements(const struct mi_problem *problem, const mi_value *value)
{
    int64_t count = mi_shape_count(&value->shape, problem->batch);
    return count < 0 ? 0 : (size_t)count;
}

/* ---- The plan ---- */

struct small_plan {
    struct mi_variables variables;
    struct mi_store *store;
    mica_plan *plan;
};

static mi_value *operand(struct mi_graph *graph, struct small_plan *small, const struct mi_trial *trial, bool second)
{
    const struct mi_problem *problem = trial->problem;
    const mi_value *value = second ? problem->c.b.value : problem->c.a.value;
    if (!second || !problem->constant)
        return mi_input(graph, second ? "b" : "a", MI_FLOAT, &value->shape);
    size_t count = elements(problem, value);
    float *copy = mi_new(count, sizeof *copy);
    if (copy)
        memcpy(copy, trial->b, count * sizeof *copy);
    struct mi_variable *variable = copy ? mi_variable_add(&small->variables, &graph->error, "b", MI_PARAMETER, MI_FLOAT,
                                                          &value->shape, copy)
                                        : NULL;
    return variable ? mi_variable(graph, variable) : NULL;
}

/* The problem's node over operands of its own. An output lies in plain rows; a tensor within a network lies as its maker likes
 * it best, so where there are axes to exchange, the output is the result with two of them exchanged. */
static mica_status build_graph(struct small_plan *small, const struct mi_trial *trial, struct mi_graph **out)
{
    const struct mi_problem *problem = trial->problem;
    const struct mi_node *node = problem->node;
    struct mi_error *error = &problem->device->error;
    struct mi_graph *graph = *out = mi_graph_create(node->graph->ops, &small->variables);
    mi_value *in[2];
    if (!graph)
        return mi_out_of_memory(error);
    mi_value *a = operand(graph, small, trial, false);
    mi_value *b = problem->c.a.value == problem->c.b.value ? a : operand(graph, small, trial, true);
    for (int i = 0; i < 2; i++)
        in[i] = node->in[i] == problem->c.a.value ? a : b;
    mi_value *y = mi_apply(graph, node->op->name, in, 2, node->attribute, node->attributes);
    if (y && y->shape.rank > 2) {
        int64_t order[MI_MAX_RANK];
        for (int d = 0; d < y->shape.rank; d++)
            order[d] = d;
        order[y->shape.rank - 1] = y->shape.rank - 2;
        order[y->shape.rank - 2] = y->shape.rank - 1;
        y = MI_APPLY(graph, "Transpose", ((mi_value *[]){y}), MI_INTS("perm", order, y->shape.rank));
    }
    mi_output(graph, "y", y);
    if (graph->arena.failed)
        return mi_out_of_memory(error);
    return mi_error_report(error, &graph->error);
}

static void small_plan_end(struct small_plan *small)
{
    mica_plan_destroy(small->plan);
    mi_store_destroy(small->store);
    mi_variables_destroy(&small->variables);
}

/* Compiles, runs once and reads the result. */
static mica_status small_plan_run(struct small_plan *small, const struct mi_trial *trial, const char *engine, int variant,
                                  float *result)
{
    const struct mi_problem *problem = trial->problem;
    struct mi_graph *graph = NULL;
    const struct mi_step step = {.n = (int32_t)problem->batch, .step = 1};
    mica_status status = build_graph(small, trial, &graph);
    if (status == MICA_OK)
        status = mi_store_create(problem->device, &small->variables, &small->store);
    if (status != MICA_OK) {
        mi_graph_destroy(graph);
        return status;
    }
    MI_TRY(mi_plan_create(&(struct mi_plan_desc){.device = problem->device, .store = small->store, .graph = graph,
                                                 .batch = problem->batch, .engine = engine, .variant = variant,
                                                 .no_blocked = problem->plain_only, .exact = problem->exact},
                          &small->plan));
    int a = mi_plan_input(small->plan, "a"), b = mi_plan_input(small->plan, "b");
    if (a >= 0)
        MI_TRY(mi_plan_feed(small->plan, a, trial->a, problem->batch, NULL));
    if (b >= 0)
        MI_TRY(mi_plan_feed(small->plan, b, trial->b, problem->batch, NULL));
    MI_TRY(mi_plan_step(small->plan, &step));
    return mi_plan_fetch(small->plan, 0, result, problem->batch);
}

/* ---- Trials ---- */

/* Of a problem that the device cannot hold nothing is tried: placing the plan says so. */
static bool is_small_enough(const struct mi_problem *problem, const mi_value *value)
{
    uint64_t most = problem->device->info.largest_allocation_bytes;
    size_t count = elements(problem, value);
    return count && (!most || count <= most / sizeof(float));
}

/* Two operands and nothing else, all of them floats. */
static bool stands_alone(const struct mi_problem *problem)
{
    const struct mi_node *node = problem->node;
    const mi_value *a = problem->c.a.value, *b = problem->c.b.value;
    if (node->inputs != 2 || node->outputs != 1 || !node->in[0] || !node->in[1])
        return false;
    for (int i = 0; i < 2; i++)
        if ((node->in[i] != a && node->in[i] != b) || node->in[i]->type != MI_FLOAT)
            return false;
    return node->out[0]->type == MI_FLOAT && is_small_enough(problem, a) && is_small_enough(problem, b) &&
           is_small_enough(problem, node->out[0]);
}

mica_status mi_trial_begin(struct mi_trial *trial, const struct mi_problem *problem)
{
    *trial = (struct mi_trial){.problem = problem};
    if (!stands_alone(problem))
        return MICA_UNSUPPORTED;
    trial->count = elements(problem, problem->node->out[0]);
    trial->a = random_values(elements(problem, problem->c.a.value), 1);
    trial->b = random_values(elements(problem, problem->c.b.value), 2);
    return trial->a && trial->b ? MICA_OK : mi_out_of_memory(&problem->device->error);
}

void mi_trial_end(struct mi_trial *trial)
{
    free(trial->a);
    free(trial->b);
    free(trial->expected);
    *trial = (struct mi_trial){0};
}

static bool is_same(const struct mi_trial *trial, const float *got)
{
    float most = 0, worst = 0;
    for (size_t i = 0; i < trial->count; i++) {
        float size = fabsf(trial->expected[i]), difference = fabsf(got[i] - trial->expected[i]);
        most = size > most ? size : most;
        worst = difference <= worst ? worst : difference; /* NaN stays */
    }
    return (double)worst <= tolerance * (double)most;
}

/* Exchanges the axes back that the small plan's output has exchanged. */
static bool restore_axes(const struct mi_trial *trial, float **values)
{
    const struct mi_shape *shape = &trial->problem->c.out.value->shape;
    if (shape->rank <= 2)
        return true;
    size_t rows = (size_t)mi_dim_at(shape->dim[shape->rank - 2], trial->problem->batch);
    size_t columns = (size_t)mi_dim_at(shape->dim[shape->rank - 1], trial->problem->batch);
    float *restored = mi_new(trial->count, sizeof *restored);
    if (!restored)
        return false;
    for (size_t i = 0; i < trial->count; i++) {
        size_t matrix = i / (rows * columns), row = i / columns % rows, column = i % columns;
        restored[i] = (*values)[(matrix * columns + column) * rows + row];
    }
    free(*values);
    *values = restored;
    return true;
}

/* Takes the first right result over as what others are compared with. */
static bool is_right(struct mi_trial *trial, float **got)
{
    const struct mi_problem *problem = trial->problem;
    if (!(mi_product_error(&problem->c, trial->a, trial->b, *got, problem->batch, check_products) <= tolerance))
        return false;
    if (trial->expected)
        return is_same(trial, *got);
    trial->expected = *got;
    *got = NULL;
    return true;
}

/* The least of a few runs, each long enough for the clock. */
static mica_status time_plan(mica_plan *plan, int64_t n, double *seconds)
{
    double began = mi_seconds(), all = began;
    MI_TRY(mi_plan_repeat(plan, n, true, 1));
    double once = mi_seconds() - began;
    int times = once > 1e-6 ? (int)(least_seconds / once) + 1 : 1000;
    *seconds = once;
    for (int run = 0; run < LEAST_RUNS && (run == 0 || mi_seconds() - all < most_seconds); run++) {
        began = mi_seconds();
        MI_TRY(mi_plan_repeat(plan, n, true, times));
        double each = (mi_seconds() - began) / times;
        *seconds = each < *seconds ? each : *seconds;
    }
    return MICA_OK;
}

mica_status mi_trial_time(struct mi_trial *trial, const struct mi_engine *engine, int variant, double *seconds)
{
    struct small_plan small = {0};
    float *got = mi_new(trial->count, sizeof *got);
    *seconds = (double)INFINITY;
    if (!got)
        return mi_out_of_memory(&trial->problem->device->error);
    mica_status status = small_plan_run(&small, trial, engine->name, variant, got);
    if (status == MICA_OK && !restore_axes(trial, &got))
        status = mi_out_of_memory(&trial->problem->device->error);
    if (status == MICA_OK && is_right(trial, &got))
        status = time_plan(small.plan, trial->problem->batch, seconds);
    small_plan_end(&small);
    free(got);
    return status;
}
