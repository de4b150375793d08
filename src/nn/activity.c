/* Penalties on what a layer gives: a key of every layer, and a function of the caller's. */
#include "nn/layer.h"
#include "nn/penalty.h"

const struct mi_key mi_activity_keys[] = {
    {.name = "activity_regularizer", .type = MI_KEY_OBJECT, .offset = 0, .keys = mi_regularizer_keys},
    {0},
};

static mica_status fail(mica_model *model, const struct mi_layer_record *record, mica_status status, const char *text)
{
    return mi_model_fail(model, status, "%s \"%s\": %s: %s", record->type->type, record->name, mi_activity_keys[0].name, text);
}

static mica_status penalize(mica_model *model, const struct mi_layer_record *record, mi_value *value,
                            const mica_regularizer *given)
{
    struct mi_error error = {0};
    bool again = mi_layer_used(record) != NULL; /* what it uses has the key */
    if (model->inside)
        return fail(model, record, MICA_UNSUPPORTED, "what a step of a recurrent layer makes is not penalized");
    if (mi_penalty_add(model, &error, value, given, true) != MICA_OK)
        return fail(model, record, error.status, error.text);
    if (!again && !mi_keys_write(mi_activity_keys, given, record->json))
        return mi_model_fail(model, MICA_OUT_OF_MEMORY, "the host is out of memory");
    return MICA_OK;
}

mica_status mi_activity_add(mica_model *model, mi_value *value, const mica_regularizer *given)
{
    return given->type ? penalize(model, &model->layers[model->layer_count - 1], value, given) : MICA_OK;
}

static const struct mi_layer_record *layer_of(const mica_model *model, const mi_value *value)
{
    for (size_t i = model->layer_count; i-- > 0;)
        if (model->layers[i].value == value)
            return &model->layers[i];
    return NULL;
}

mica_node *mica_activity_regularizer(mica_node *y, const mica_regularizer *regularizer)
{
    mica_model *model = y ? y->node->graph->owner : NULL;
    const struct mi_layer_record *record = model ? layer_of(model, y) : NULL;
    if (!model || model->error.status != MICA_OK)
        return NULL;
    if (!record || !regularizer || !regularizer->type)
        mi_model_fail(model, MICA_INVALID_ARGUMENT, "activity_regularizer: %s",
                      record ? "the regularizer's type is missing" : "the node is what no layer gives");
    else if (cJSON_GetObjectItemCaseSensitive(record->json, mi_activity_keys[0].name))
        fail(model, record, MICA_INVALID_ARGUMENT, "there is one already");
    else if (mi_layer_used(record))
        fail(model, record, MICA_INVALID_ARGUMENT, "a layer that is used again has that of its first use");
    else
        penalize(model, record, y, regularizer);
    return model->error.status == MICA_OK ? y : NULL;
}
