#include "random/reference.h"

#include "compile/rewrite/rewrite.h"
#include "plan/inside.h"
#include "random/definitions.h"
#include "support/device.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void verdict_add(struct verdict *verdict, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (!verdict->text[0])
        vsnprintf(verdict->text, sizeof verdict->text, format, arguments);
    va_end(arguments);
}

/* ---- Elements of inputs and variables ---- */

static double drawn(const struct recipe *recipe, const char *name, int64_t i, double low, double high, bool whole)
{
    uint64_t stream = mi_hash(name, strlen(name), recipe->seed);
    double u = (double)mi_uniform(recipe->seed, stream, (uint64_t)i);
    return whole ? floor(low + u * (high - low + 1)) : (double)(float)(low + u * (high - low));
}

static void fill_source(const struct recipe *recipe, const char *name, struct balls *t)
{
    double low = -1, high = 1;
    bool whole = t->type != MI_FLOAT;
    if (name[0] == 'x') {
        const struct step *step = &recipe->step[atoi(name + 1)];
        low = step->low;
        high = step->high;
    }
    for (int64_t i = 0; i < t->count; i++) {
        double value = drawn(recipe, name, i, low, high, whole);
        t->of[i] = whole ? ball_whole(value) : ball_float(value);
    }
}

static const char *source_name(const mi_value *value)
{
    return value->node->variable ? value->node->variable->name : value->name;
}

/* ---- The reference ---- */

static void fill_sources(const struct recipe *recipe, struct interpreter *host)
{
    for (size_t i = 0; i < host->graph->node_count; i++) {
        const struct mi_node *node = host->graph->nodes[i];
        if (node->op == &mi_op_input || node->op == &mi_op_variable)
            fill_source(recipe, source_name(node->out[0]), &host->values[node->out[0]->id]);
    }
}

static struct mi_step step_of(int64_t n)
{
    return (struct mi_step){.n = (int32_t)n, .learning_rate = 0.125f, .step = 3, .seed = 42};
}

static bool reference_create(const struct recipe *recipe, int64_t n, bool by_winograd, struct reference *r, struct verdict *verdict)
{
    struct mi_error error = {0};
    struct mi_step step = step_of(n);
    *r = (struct reference){0};
    if (!recipe_build(recipe, true, &r->built)) {
        verdict_add(verdict, "cannot be built: %s", r->built.graph->error.text);
        built_destroy(&r->built);
        return false;
    }
    r->graph = mi_graph_copy(r->built.graph, &error);
    assert_non_null(r->graph);
    if (mi_lower(r->graph, 1) != MICA_OK) {
        verdict_add(verdict, "cannot be lowered: %s", r->graph->error.text);
        mi_graph_destroy(r->graph);
        built_destroy(&r->built);
        return false;
    }
    interpreter_create(&r->host, r->graph, &step);
    r->host.by_winograd = by_winograd;
    fill_sources(recipe, &r->host);
    interpreter_run(&r->host);
    return true;
}

static void reference_destroy(struct reference *r)
{
    interpreter_destroy(&r->host);
    mi_graph_destroy(r->graph);
    built_destroy(&r->built);
}

/* An output or input by the kind and the rest of its name. */
static const struct balls *found(const struct reference *r, mi_value *const *list, size_t count, char kind, const char *rest)
{
    for (size_t i = 0; i < count; i++)
        if (list[i]->name[0] == kind && strcmp(list[i]->name + 1, rest) == 0)
            return &r->host.values[list[i]->id];
    return NULL;
}

/* ---- Definitions: the same graph once more, by the operators' names ---- */

struct defined {
    bool known[MOST_STEPS];
    struct tensor value[MOST_STEPS][MI_MAX_OUTPUTS];
};

/* False: the operator, or one before it, has no definition. */
static bool define_step(const struct recipe *recipe, const struct reference *r, struct defined *all, int s)
{
    const struct step *step = &recipe->step[s];
    const struct mi_node *node = r->built.value[s][0]->node;
    struct op_case c = {.op = step->op};
    struct tensor in[MOST_STEP_INPUTS];
    op_reference *definition = definition_of(step->op, recipe->training);
    bool window = mi_attribute_find(node, "kernel_shape") != NULL; /* whose padding was found by the operator */
    const struct mi_attribute *attribute = window ? node->attribute : step->attribute;
    int attributes = window ? node->attributes : step->attributes;
    for (int i = 0; i < step->inputs; i++) {
        if (!all->known[step->in[i].step])
            return false;
        in[i] = all->value[step->in[i].step][step->in[i].output];
        c.in[i].shape = "";
    }
    if (!definition || attributes > OP_ATTRIBUTES)
        return false;
    memcpy(c.attribute, attribute, (size_t)attributes * sizeof *attribute);
    definition(&c, in, all->value[s]);
    return true;
}

static void check_definitions(const struct recipe *recipe, const struct reference *r, struct verdict *verdict)
{
    static struct defined all;
    char name[16];
    all = (struct defined){.known = {false}};
    for (int s = 0; s < recipe->count; s++) {
        for (int o = 0; o < MI_MAX_OUTPUTS && r->built.value[s][o]; o++)
            tensor_create(&all.value[s][o], r->built.value[s][o]->type, &r->built.value[s][o]->shape, r->host.step.n);
        snprintf(name, sizeof name, "x%d", s);
        const struct step *step = &recipe->step[s];
        struct tensor *t = &all.value[s][0];
        for (int64_t i = 0; i < t->count && !step->op; i++)
            t->data[i] = drawn(recipe, name, i, step->low, step->high, t->type != MI_FLOAT);
        all.known[s] = !step->op || define_step(recipe, r, &all, s);
        for (int o = 0; o < MI_MAX_OUTPUTS && all.known[s] && step->op; o++) {
            snprintf(name, sizeof name, "%d.%d", s, o);
            const struct balls *y = found(r, r->graph->outputs, r->graph->output_count, 'y', name);
            for (int64_t i = 0; y && i < y->count; i++)
                if (isfinite(y->of[i].radius) && !ball_holds(y->of[i], all.value[s][o].data[i]))
                    verdict_add(verdict, "%s: y%s[%lld] is %.9g +- %.3g by its row, %.9g by its definition", step->op, name, (long long)i,
                        y->of[i].at, y->of[i].radius, all.value[s][o].data[i]);
        }
    }
    for (int s = 0; s < recipe->count; s++)
        for (int o = 0; o < MI_MAX_OUTPUTS; o++)
            free(all.value[s][o].data);
}

/* ---- Gradients: along one direction of all sources, central differences of the sum that was differentiated ---- */

/* The sum, and that of the magnitudes of its terms. */
static double weighted_sum(const struct reference *r, double *magnitude)
{
    const struct mi_graph *graph = r->graph;
    double sum = 0;
    *magnitude = 0;
    for (size_t i = 0; i < graph->input_count; i++) {
        const char *name = graph->inputs[i]->name;
        const struct balls *weights = &r->host.values[graph->inputs[i]->id];
        const struct balls *values = name[0] == 'w' ? found(r, graph->outputs, graph->output_count, 'y', name + 1) : NULL;
        for (int64_t e = 0; values && e < values->count; e++) {
            sum += values->of[e].at * weights->of[e].at;
            *magnitude += fabs(values->of[e].at * weights->of[e].at);
        }
    }
    return sum;
}

/* Moves every source of floats but the weights so far along the direction. */
static void move_sources(const struct recipe *recipe, struct reference *r, double far)
{
    for (size_t i = 0; i < r->graph->node_count; i++) {
        const struct mi_node *node = r->graph->nodes[i];
        if ((node->op != &mi_op_input && node->op != &mi_op_variable) || node->out[0]->type != MI_FLOAT)
            continue;
        const char *name = source_name(node->out[0]);
        bool moves = name[0] == 'x' && !recipe->step[atoi(name + 1)].still;
        for (int64_t e = 0; e < r->host.values[node->out[0]->id].count && moves; e++)
            r->host.values[node->out[0]->id].of[e].at += far * drawn(recipe, name, e + (1 << 20), -1, 1, false);
    }
}

/* What the gradients of the graph say. */
static double slope_of_graph(const struct recipe *recipe, const struct reference *r, double *magnitude)
{
    double sum = 0;
    char name[16];
    *magnitude = 0;
    for (int s = 0; s < recipe->count; s++) {
        snprintf(name, sizeof name, "%d", s);
        const struct balls *gradient = found(r, r->graph->outputs, r->graph->output_count, 'd', name);
        snprintf(name, sizeof name, "x%d", s);
        for (int64_t e = 0; gradient && e < gradient->count; e++) {
            double term = gradient->of[e].at * drawn(recipe, name, e + (1 << 20), -1, 1, false);
            sum += term;
            *magnitude += fabs(term);
        }
    }
    return sum;
}

static void check_slope(struct trial *trial, const struct recipe *recipe, struct reference *r, struct verdict *verdict)
{
    const double h = 1e-5;
    double size, magnitude, sum[3], slope = slope_of_graph(recipe, r, &size);
    if (!r->built.differentiated || !isfinite(slope))
        return;
    for (int i = 0; i < 3; i++) {
        fill_sources(recipe, &r->host);
        move_sources(recipe, r, (i - 1) * h);
        interpreter_run(&r->host);
        sum[i] = weighted_sum(r, &magnitude);
    }
    double ahead = (sum[2] - sum[1]) / h, behind = (sum[1] - sum[0]) / h, central = (sum[2] - sum[0]) / (2 * h);
    double margin = 1e-5 * size + 1e-9 * magnitude;
    /* A corner lies between, or it is too bent for this distance. */
    if (!isfinite(central) || fabs(ahead - behind) > 1e-2 * fabs(central) + margin) {
        trial->bent++;
        return;
    }
    trial->slopes++;
    if (fabs(central - slope) > margin)
        verdict_add(verdict, "gradients: their sum along a direction is %.9g, differences say %.9g +- %.3g", slope, central, margin);
}

static bool varies(const struct recipe *recipe)
{
    for (int s = 0; s < recipe->count; s++)
        for (int i = 0; i < recipe->step[s].shape.rank; i++)
            if (recipe->step[s].shape.dim[i].a)
                return true;
    return false;
}

void references_create(const struct recipe *recipe, bool by_winograd, struct references *list, struct verdict *verdict)
{
    int64_t sizes[BATCHES] = {recipe->batch, 1 + (int64_t)(recipe->seed % (uint64_t)recipe->batch), 1};
    list->count = 0;
    for (int i = 0; i < (varies(recipe) ? BATCHES : 1) && !verdict->text[0]; i++)
        if ((i == 0 || sizes[i] < sizes[i - 1]) &&
            reference_create(recipe, sizes[i], by_winograd, &list->of[list->count], verdict))
            list->count++;
}

void references_destroy(struct references *list)
{
    for (int i = 0; i < list->count; i++)
        reference_destroy(&list->of[i]);
}

void check_reference(struct trial *trial, const struct recipe *recipe, struct verdict *verdict)
{
    struct reference r;
    if (!reference_create(recipe, recipe->batch, false, &r, verdict))
        return;
    check_definitions(recipe, &r, verdict);
    check_slope(trial, recipe, &r, verdict);
    reference_destroy(&r);
}
