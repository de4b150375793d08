/* Groups of layers, and using a layer or a group again: with the same variables, on other inputs. */
#include "nn/layer.h"

#include <stdlib.h>
#include <string.h>

/* ---- Groups ---- */

static mica_status out_of_memory(mica_model *model)
{
    return mi_model_fail(model, MICA_OUT_OF_MEMORY, "the host is out of memory");
}

/* The innermost group that is open. */
static struct mi_layer_group *open_group(mica_model *model)
{
    for (size_t i = model->group_count; i-- > 0;)
        if (!model->groups[i].value)
            return &model->groups[i];
    return NULL;
}

mica_status mi_group_begin(mica_model *model, const char *name, const char *stem, mica_node *const *x, int count)
{
    MI_TRY(mi_model_check(model));
    const char *full = mi_in_scope(model, name ? name : stem);
    full = name ? full : mi_automatic_name(model, full);
    if (full && (mi_model_layer(model, full) || mi_model_group(model, full)))
        return mi_model_fail(model, MICA_INVALID_ARGUMENT, "group \"%s\": there is a layer of that name already", full);
    struct mi_layer_group group = {.name = full, .scope = model->scope, .first = model->layer_count, .inputs = count};
    group.in = mi_arena_new(&model->graph->arena, (size_t)count, sizeof *group.in);
    const char *scope = full ? mi_arena_format(&model->graph->arena, "%s.", full) : NULL;
    if (!scope || !group.in || !mi_grow(&model->groups, &model->group_capacity, model->group_count + 1, sizeof *model->groups))
        return out_of_memory(model);
    for (int i = 0; i < count; i++)
        group.in[i] = x[i];
    model->groups[model->group_count++] = group;
    model->scope = scope;
    model->before = count ? x[0] : NULL;
    return MICA_OK;
}

mica_node *mi_group_end(mica_model *model, mica_node *value)
{
    struct mi_layer_group *group = open_group(model);
    if (!group)
        return NULL;
    const char *scope = group->scope;
    group->end = model->layer_count;
    group->value = value;
    if (!value)
        model->group_count = (size_t)(group - model->groups); /* an error stands before it */
    model->scope = scope;
    model->before = value;
    return value;
}

/* ---- Again ---- */

/* A layer's record once more, with the inputs that stand for its own. */
static mi_value *layer_again(mica_model *model, size_t which, mica_node *const *x, int count, const char *name)
{
    struct mi_layer_record record = model->layers[which]; /* the list may grow */
    const struct mi_layer_type *type = NULL;
    struct mi_error error = {0};
    mica_regularizer activity;
    struct mi_arena arena = {0};
    void *desc = NULL;
    const char *owner = mi_layer_used(&record);
    if (owner) /* it is a use of another one itself */
        return layer_again(model, (size_t)(mi_model_layer(model, owner) - model->layers), x, count, name);
    struct mi_layer layer = {.model = model, .graph = model->graph, .type = record.type, .name = name, .again = record.name};
    mi_value *value = NULL;
    if (mi_layer_read(&error, &arena, model->device, record.json, record.name, &type, &desc, &activity) != MICA_OK)
        mi_model_fail(model, error.status, "%s", error.text);
    else
        value = mi_layer_build(&layer, x, count, desc);
    if (value && mi_activity_add(model, value, &activity) != MICA_OK)
        value = NULL;
    mi_arena_destroy(&arena);
    return value;
}

/* What stands for a value of the group: given inputs, what its layers made again, or the value itself, which is made outside. */
struct stand_ins {
    mi_value **of, **by;
    size_t count;
};

static mi_value *stand_in(const struct stand_ins *s, mi_value *value)
{
    for (size_t i = s->count; i-- > 0;)
        if (s->of[i] == value)
            return s->by[i];
    return value;
}

static void stand_for(struct stand_ins *s, mi_value *value, mi_value *by)
{
    s->of[s->count] = value;
    s->by[s->count++] = by;
}

static bool replay(mica_model *model, const struct mi_layer_group *group, const char *name, struct stand_ins *s)
{
    struct mi_arena *arena = &model->graph->arena;
    for (size_t i = group->first; i < group->end; i++) {
        const struct mi_layer_record record = model->layers[i];
        if (!record.inputs)
            continue;
        mi_value **in = mi_arena_new(arena, (size_t)record.inputs, sizeof *in);
        const char *full = mi_arena_format(arena, "%s%s", name, record.name + strlen(group->name));
        if (!in || !full)
            return out_of_memory(model) == MICA_OK;
        for (int k = 0; k < record.inputs; k++)
            in[k] = stand_in(s, record.in[k]);
        mi_value *value = layer_again(model, i, in, record.inputs, full);
        if (!value)
            return false;
        stand_for(s, record.value, value);
        const struct mi_layer_record *made = &model->layers[model->layer_count - 1];
        for (int k = 0; k < record.result_count && k < made->result_count; k++)
            if (record.results[k] != record.value)
                stand_for(s, record.results[k], made->results[k]);
    }
    return true;
}

static mi_value *group_again(mica_model *model, const struct mi_layer_group *given, mica_node *const *x, int count,
                             const char *name)
{
    const struct mi_layer_group group = *given;
    size_t most = (size_t)count;
    for (size_t i = group.first; i < group.end; i++)
        most += 1 + (size_t)model->layers[i].result_count;
    struct stand_ins s = {mi_new(most, sizeof *s.of), mi_new(most, sizeof *s.by), 0};
    mi_value *value = NULL;
    if (count != group.inputs)
        mi_model_fail(model, MICA_INVALID_ARGUMENT, "\"%s\" takes %d inputs, not %d", group.name, group.inputs, count);
    else if (!s.of || !s.by)
        out_of_memory(model);
    else if (mi_group_begin(model, name, group.name, x, count) == MICA_OK) {
        for (int i = 0; i < count; i++)
            stand_for(&s, group.in[i], x[i]);
        bool made = replay(model, &group, open_group(model)->name, &s);
        value = mi_group_end(model, made ? stand_in(&s, group.value) : NULL);
    }
    free(s.of);
    free(s.by);
    return value;
}

mica_node *mica_again(mica_model *model, const char *layer, mica_node *const *x, int count, const char *name)
{
    if (!model || mi_model_check(model) != MICA_OK)
        return NULL;
    for (int i = 0; i < count; i++)
        if (!x || !x[i] || x[i]->node->graph != model->graph) {
            mi_model_fail(model, MICA_INVALID_ARGUMENT, "to use a layer again: input %d is %s", i,
                          x && x[i] ? "a node of another model" : "NULL");
            return NULL;
        }
    const char *full = layer ? mi_in_scope(model, layer) : NULL;
    const struct mi_layer_group *group = full ? mi_model_group(model, full) : NULL;
    group = group || !layer ? group : mi_model_group(model, layer);
    const struct mi_layer_record *which = full ? mi_model_layer(model, full) : NULL;
    which = which || !layer ? which : mi_model_layer(model, layer);
    if (model->inside) {
        mi_model_fail(model, MICA_UNSUPPORTED, "within a step of a recurrent layer no layer is used again");
        return NULL;
    }
    if (group)
        return group_again(model, group, x, count, name);
    if (which)
        return layer_again(model, (size_t)(which - model->layers), x, count,
                           name ? mi_in_scope(model, name) : mi_automatic_name(model, full));
    mi_model_fail(model, MICA_INVALID_ARGUMENT, "there is no layer \"%s\" to use again", layer ? mi_show(layer).text : "(null)");
    return NULL;
}

mica_status mica_group_begin(mica_model *model, const char *name, mica_node *const *x, int count)
{
    if (!model)
        return MICA_INVALID_ARGUMENT;
    for (int i = 0; i < count; i++)
        if (!x || !x[i] || x[i]->node->graph != model->graph)
            return mi_model_fail(model, MICA_INVALID_ARGUMENT, "group \"%s\": input %d is %s", name ? mi_show(name).text : "", i,
                                 x && x[i] ? "a node of another model" : "NULL");
    return mi_group_begin(model, name, "group", x, count);
}

mica_node *mica_group_end(mica_model *model, mica_node *value)
{
    if (!model)
        return NULL;
    struct mi_layer_group *open = open_group(model);
    if (!open || (model->inside && open < model->groups + model->inside->groups)) {
        mi_model_fail(model, MICA_INVALID_ARGUMENT, "a group ends that never began");
        return NULL;
    }
    if (value && value->node->graph != model->graph) {
        mi_model_fail(model, MICA_INVALID_ARGUMENT, "group \"%s\": its result is a node of another model", open->name);
        value = NULL;
    }
    return mi_group_end(model, mi_model_check(model) == MICA_OK ? value : NULL);
}
