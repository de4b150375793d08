/* The list of variables that graphs share. */
#include "graph/op.h"

#include <stdlib.h>
#include <string.h>

static void variable_free(struct mi_variable *variable)
{
    if (variable) {
        free(variable->name);
        free(variable->initial);
    }
    free(variable);
}

struct mi_variable *mi_variable_find(const struct mi_variables *variables, const char *name)
{
    const size_t *place = mi_names_find(&variables->names, name);
    return place ? variables->list[*place] : NULL;
}

struct mi_variable *mi_variable_add(struct mi_variables *variables, struct mi_error *error, const char *name,
                                    enum mi_role role, enum mi_type type, const struct mi_shape *shape, void *initial)
{
    struct mi_variable *variable = mi_new(1, sizeof *variable);
    if (!variable) {
        free(initial);
        mi_out_of_memory(error);
        return NULL;
    }
    variable->initial = initial;
    if (mi_variable_find(variables, name)) {
        mi_fail(error, MICA_INVALID_ARGUMENT, "two variables have the name \"%s\"", name);
        variable_free(variable);
        return NULL;
    }
    variable->name = mi_strdup(name);
    if (!variable->name ||
        !mi_grow(&variables->list, &variables->capacity, variables->count + 1, sizeof *variables->list) ||
        !mi_names_add(&variables->names, variable->name, variables->count)) {
        mi_out_of_memory(error);
        variable_free(variable);
        return NULL;
    }
    variable->role = role;
    variable->type = type;
    variable->shape = *shape;
    variable->block = -1;
    variable->index = (int)variables->count;
    variables->list[variables->count++] = variable;
    return variable;
}

static bool is_unchanged(const mi_value *value, int depth)
{
    const struct mi_node *node = value->node;
    if (node->op == &mi_op_variable)
        return !mi_of_variable(node->graph, node->variable).assigned;
    if (node->op == &mi_op_constant)
        return true;
    if (depth > 16 || (node->op->kind != MI_MOVE && node->op->kind != MI_MAP) || mi_names_the_step(node))
        return false;
    for (int i = 0; i < node->inputs; i++)
        if (node->in[i] && !is_unchanged(node->in[i], depth + 1))
            return false;
    return true;
}

bool mi_stays_the_same(const mi_value *value)
{
    return value->node->op != &mi_op_constant && is_unchanged(value, 0);
}

bool mi_is_prepared(const struct mi_node *reader, const mi_value *value)
{
    bool before = reader->repeat && value->node->repeat != reader->repeat && value->node->op != &mi_op_constant;
    return before || mi_stays_the_same(value);
}

size_t mi_variable_count(const struct mi_variable *variable)
{
    return (size_t)mi_shape_count(&variable->shape, 0);
}

size_t mi_variable_bytes(const struct mi_variable *variable)
{
    return mi_variable_count(variable) * mi_types[variable->type].bytes;
}

bool mi_variable_make(struct mi_variable *variable)
{
    size_t count = mi_variable_count(variable);
    if (variable->initial || !variable->make.fill)
        return true;
    float *numbers = mi_new(count, sizeof *numbers);
    variable->initial = numbers;
    if (numbers && !variable->make.fill(&variable->make, &variable->shape, numbers)) {
        free(numbers);
        variable->initial = numbers = NULL;
    }
    if (!numbers || variable->type == MI_FLOAT)
        return numbers != NULL;
    variable->initial = mi_new(count, mi_types[variable->type].bytes);
    if (variable->initial)
        mi_elements_from_floats(variable->type, numbers, count, variable->initial);
    free(numbers);
    return variable->initial != NULL;
}

void mi_variable_give(struct mi_variable *variable, void *elements)
{
    free(variable->initial);
    variable->initial = elements;
    variable->make.fill = NULL;
}

void mi_variables_destroy(struct mi_variables *variables)
{
    for (size_t i = 0; i < variables->count; i++)
        variable_free(variables->list[i]);
    free(variables->list);
    mi_names_destroy(&variables->names);
    *variables = (struct mi_variables){0};
}
