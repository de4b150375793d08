#include "random/recipe.h"

#include "support/device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Building ---- */

static mi_value *build_source(struct built *built, const struct step *step, int number)
{
    char name[16];
    struct mi_error error = {0};
    snprintf(name, sizeof name, "x%d", number);
    if (!step->variable)
        return mi_input(built->graph, name, step->type, &step->shape);
    struct mi_variable *variable =
        mi_variable_add(&built->variables, &error, name, MI_PARAMETER, step->type, &step->shape, NULL);
    assert_non_null(variable);
    return mi_variable(built->graph, variable);
}

static bool build_step(struct built *built, const struct step *step, int number)
{
    mi_value *in[MOST_STEP_INPUTS] = {0};
    if (!step->op) {
        built->value[number][0] = build_source(built, step, number);
        return built->value[number][0] != NULL;
    }
    for (int i = 0; i < step->inputs; i++)
        in[i] = built->value[step->in[i].step][step->in[i].output];
    struct mi_node *node = mi_node_add(built->graph, step->op, in, step->inputs, step->attribute, step->attributes);
    for (int o = 0; node && o < node->outputs; o++)
        built->value[number][o] = node->out[o];
    return node != NULL;
}

static const char *named(struct built *built, const char *prefix, int step, int output)
{
    return mi_arena_format(&built->graph->arena, output < 0 ? "%s%d" : "%s%d.%d", prefix, step, output);
}

static void name_outputs(const struct recipe *recipe, struct built *built)
{
    for (int s = 0; s < recipe->count; s++)
        for (int o = 0; o < MI_MAX_OUTPUTS; o++)
            if (recipe->step[s].op && built->value[s][o] && !recipe_is_read(recipe, s, o))
                mi_output(built->graph, named(built, "y", s, o), built->value[s][o]);
}

/* Whether a row has a rule for the gradient of each of its floats; those of steps have slope 0 and need none. */
static bool has_rules(const struct mi_op *op, const struct step *step)
{
    static const char *const steps[] = {"Floor", "Ceil", "Round", "Sign", "Step", "EqualShare"};
    for (size_t i = 0; i < MI_COUNT(steps); i++)
        if (strcmp(op->name, steps[i]) == 0)
            return true;
    if (op->gradient || op->kind != MI_MAP)
        return op->gradient != NULL;
    for (int i = 0; i < step->inputs; i++)
        if (i >= (int)MI_COUNT(op->map->grad) || (!op->map->grad[i] && strcmp(op->name, "Where") != 0))
            return false;
    return op->outputs == 1;
}

/* Whether the gradient of an output is all there is to say about how it changes: no step on the way lacks a rule. */
static bool is_differentiable(const struct recipe *recipe, const struct built *built, int s, int output)
{
    const struct step *step = &recipe->step[s];
    if (!step->op || built->value[s][output]->type != MI_FLOAT)
        return true;
    if (!has_rules(mi_op_find(mi_ops, step->op), step) || (output > 0 && strcmp(step->op, "BatchNormalization") == 0))
        return false;
    for (int i = 0; i < step->inputs; i++)
        if (!is_differentiable(recipe, built, step->in[i].step, step->in[i].output))
            return false;
    return true;
}

static mi_value *loss_of(const struct recipe *recipe, struct built *built)
{
    struct mi_graph *graph = built->graph;
    mi_value *loss = NULL;
    for (int s = 0; s < recipe->count; s++)
        for (int o = 0; o < MI_MAX_OUTPUTS; o++) {
            mi_value *y = built->value[s][o];
            if (!recipe->step[s].op || !y || y->type != MI_FLOAT || recipe_is_read(recipe, s, o) ||
                !is_differentiable(recipe, built, s, o))
                continue;
            mi_value *weight = mi_input(graph, named(built, "w", s, o), MI_FLOAT, &y->shape);
            mi_value *sum = MI_APPLY(graph, "ReduceSum", ((mi_value *[]){mi_op2(graph, "Mul", y, weight)}), MI_INT("keepdims", 0));
            loss = loss ? mi_op2(graph, "Add", loss, sum) : sum;
        }
    return loss;
}

static bool differentiate(const struct recipe *recipe, struct built *built)
{
    mi_value *wanted[MOST_STEPS], *gradient[MOST_STEPS] = {0};
    int number[MOST_STEPS], count = 0;
    for (int s = 0; s < recipe->count; s++)
        if (!recipe->step[s].op && recipe->step[s].type == MI_FLOAT && !recipe->step[s].still) {
            number[count] = s;
            wanted[count++] = built->value[s][0];
        }
    mi_value *loss = loss_of(recipe, built);
    if (!loss || count == 0)
        return built->graph->error.status == MICA_OK;
    if (mi_differentiate(built->graph, loss, wanted, count, gradient) != MICA_OK)
        return false;
    for (int i = 0; i < count; i++)
        if (gradient[i])
            mi_output(built->graph, named(built, "d", number[i], -1), gradient[i]);
    built->differentiated = true;
    return built->graph->error.status == MICA_OK;
}

bool recipe_build(const struct recipe *recipe, bool gradients, struct built *out)
{
    *out = (struct built){0};
    out->graph = mi_graph_create(mi_ops, &out->variables);
    assert_non_null(out->graph);
    out->graph->training = recipe->training;
    for (int s = 0; s < recipe->count; s++)
        if (!build_step(out, &recipe->step[s], s))
            return false;
    name_outputs(recipe, out);
    return !gradients || recipe->forward || differentiate(recipe, out);
}

void built_destroy(struct built *built)
{
    mi_graph_destroy(built->graph);
    mi_variables_destroy(&built->variables);
}

/* ---- Cutting down ---- */

bool recipe_is_read(const struct recipe *recipe, int step, int output)
{
    for (int s = step + 1; s < recipe->count; s++)
        for (int i = 0; i < recipe->step[s].inputs; i++)
            if (recipe->step[s].in[i].step == step && (output < 0 || recipe->step[s].in[i].output == output))
                return true;
    return false;
}

void recipe_copy(struct recipe *to, const struct recipe *from)
{
    *to = *from;
    to->arena = (struct mi_arena){0};
    for (int s = 0; s < to->count; s++)
        for (int i = 0; i < to->step[s].attributes; i++) {
            struct mi_attribute *a = &to->step[s].attribute[i];
            if (!a->ints)
                continue;
            int64_t *ints = mi_arena_new(&to->arena, (size_t)a->count + 1, sizeof *ints);
            assert_non_null(ints);
            memcpy(ints, a->ints, (size_t)a->count * sizeof *ints);
            a->ints = ints;
        }
}

void recipe_destroy(struct recipe *recipe)
{
    mi_arena_destroy(&recipe->arena);
}

void recipe_keep(struct recipe *recipe, const bool *keep)
{
    int to[MOST_STEPS], count = 0;
    for (int s = 0; s < recipe->count; s++) {
        if (!keep[s])
            continue;
        to[s] = count;
        recipe->step[count] = recipe->step[s];
        for (int i = 0; i < recipe->step[count].inputs; i++)
            recipe->step[count].in[i].step = to[recipe->step[count].in[i].step];
        count++;
    }
    recipe->count = count;
}

/* ---- Printing ---- */

static void print_attribute(const struct mi_attribute *a, struct mi_text *out)
{
    mi_text_add(out, ", %s=", a->name);
    if (a->type == MI_ATTRIBUTE_INT)
        mi_text_add(out, "%lld", (long long)a->i);
    if (a->type == MI_ATTRIBUTE_FLOAT)
        mi_text_add(out, "%.9g", (double)a->f);
    if (a->type == MI_ATTRIBUTE_TEXT)
        mi_text_add(out, "%s", a->s);
    for (int i = 0; i < a->count; i++)
        mi_text_add(out, "%s%lld%s", i ? " " : "[", (long long)a->ints[i], i + 1 == a->count ? "]" : "");
}

void recipe_print(const struct recipe *recipe, struct mi_text *out)
{
    struct mi_arena arena = {0};
    mi_text_add(out, "  batch %lld%s\n", (long long)recipe->batch, recipe->training ? ", training" : "");
    for (int s = 0; s < recipe->count; s++) {
        const struct step *step = &recipe->step[s];
        mi_text_add(out, "  %%%d = %s(", s, step->op ? step->op : step->variable ? "Variable" : "Input");
        for (int i = 0; i < step->inputs; i++)
            mi_text_add(out, step->in[i].output ? "%s%%%d.%d" : "%s%%%d", i ? ", " : "", step->in[i].step, step->in[i].output);
        if (!step->op)
            mi_text_add(out, "%g to %g", step->low, step->high);
        for (int i = 0; i < step->attributes; i++)
            print_attribute(&step->attribute[i], out);
        mi_text_add(out, ")  %s %s\n", mi_types[step->type].name, mi_shape_text(&arena, &step->shape));
    }
    mi_arena_destroy(&arena);
}
