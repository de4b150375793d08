/* Names of layers and groups. */
#include "nn/layer.h"

#include <string.h>

enum { MOST_NAMES = 256, MOST_RESULTS = 1000 };

const struct mi_layer_record *mi_model_layer(const mica_model *model, const char *name)
{
    const size_t *place = mi_names_find(&model->layer_names, name);
    /* Layers within a step of another one are in the list only while that is built. */
    bool there = place && *place < model->layer_count && strcmp(model->layers[*place].name, name) == 0;
    return there ? &model->layers[*place] : NULL;
}

const char *mi_inside_name(const mica_model *model, const char *name)
{
    size_t length = model->inside ? strlen(model->inside->scope) : 0;
    return length && strncmp(name, model->inside->scope, length) == 0 ? name + length : name;
}

const char *mi_automatic_name(mica_model *model, const char *stem)
{
    size_t *next = stem ? mi_names_find(&model->stems, stem) : NULL, first = 1;
    const char *name = stem;
    if (!stem)
        return NULL;
    if (model->inside) {
        next = &first; /* a step that is built again has the same names */
    } else if (!next) {
        const char *kept = mi_arena_strdup(&model->graph->arena, stem);
        if (!kept || !mi_names_add(&model->stems, kept, 1))
            return NULL;
        next = mi_names_find(&model->stems, stem);
    } else
        name = mi_arena_format(&model->graph->arena, "%s_%zu", stem, (*next)++);
    while (name && (mi_model_layer(model, name) || mi_model_group(model, name)))
        name = mi_arena_format(&model->graph->arena, "%s_%zu", stem, (*next)++);
    return name;
}

const char *mi_in_scope(mica_model *model, const char *name)
{
    return mi_arena_format(&model->graph->arena, "%s%s", model->scope ? model->scope : "", name);
}

/* "lstm:1" is result 1 of the layer "lstm". */
static mi_value *numbered(const mica_model *model, const char *name)
{
    const char *colon = strrchr(name, ':'), *digit = colon ? colon + 1 : NULL;
    int result = 0;
    if (!colon || (*digit == '0' && digit[1]))
        return NULL;
    for (; mi_is_digit(*digit) && result < MOST_RESULTS; digit++)
        result = 10 * result + *digit - '0';
    if (*digit || digit == colon + 1)
        return NULL;
    for (size_t i = model->layer_count; i-- > 0;) {
        const struct mi_layer_record *record = &model->layers[i];
        if (strlen(record->name) == (size_t)(colon - name) && !strncmp(record->name, name, (size_t)(colon - name)))
            return result < record->result_count ? record->results[result] : NULL;
    }
    return NULL;
}

mi_value *mi_model_value(const mica_model *model, const char *name)
{
    const struct mi_layer_record *record = mi_model_layer(model, name);
    const struct mi_layer_group *group = record ? NULL : mi_model_group(model, name);
    return record ? record->value : group ? group->value : numbered(model, name);
}

mi_value *mi_scoped_value(mica_model *model, const char *name)
{
    size_t length = model->scope ? strlen(model->scope) : 0;
    for (;;) {
        const char *full = mi_arena_format(&model->graph->arena, "%.*s%s", (int)length, model->scope ? model->scope : "", name);
        mi_value *value = mi_model_value(model, full);
        if (value || !length)
            return value;
        while (--length && model->scope[length - 1] != '.') {
        }
    }
}

const char *mi_model_layer_of(const mica_model *model, const mi_value *value)
{
    for (size_t i = model->layer_count; i-- > 0;) {
        const struct mi_layer_record *record = &model->layers[i];
        if (record->value == value)
            return record->name;
        for (int k = 0; k < record->result_count; k++)
            if (record->results[k] == value)
                return mi_arena_format(&model->graph->arena, "%s:%d", record->name, k);
    }
    return NULL;
}

mica_node *mica_model_node(mica_model *model, const char *name)
{
    const char *names[MOST_NAMES];
    size_t count = 0;
    if (!model || model->error.status != MICA_OK)
        return NULL;
    mi_value *value = name ? mi_model_value(model, name) : NULL;
    if (value)
        return value;
    for (size_t i = 0; i < model->layer_count && count + 1 < MOST_NAMES; i++)
        names[count++] = model->layers[i].name;
    names[count] = NULL;
    mi_model_fail(model, MICA_INVALID_ARGUMENT, "there is no layer \"%s\"%s", name ? mi_show(name).text : "(null)",
                  name ? mi_advise(name, names).text : "");
    return NULL;
}

const struct mi_layer_group *mi_model_group(const mica_model *model, const char *name)
{
    for (size_t i = 0; i < model->group_count; i++)
        if (model->groups[i].value && strcmp(model->groups[i].name, name) == 0)
            return &model->groups[i];
    return NULL;
}
