/* Layers learn from data, in the order of the graph, each from what the layers before it make of the training part. */
#include "nn/layer.h"
#include "train/training.h"

#include <stdlib.h>

enum { ADAPT_BATCH = 256 };

/* A plan up to a layer's input, and the data that go through it. */
struct reading {
    struct mi_adapting adapting;     /* the first, so that one is found from the other */
    mica_plan *plan;
    mica_batches *batches;
    float *values;                   /* of a batch */
    bool begun;
};

static mica_status next(struct mi_adapting *adapting, const float **values, int64_t *n)
{
    struct reading *reading = (struct reading *)(void *)adapting;
    *values = reading->values;
    if (!reading->begun)
        MI_TRY(mica_batches_begin(reading->batches, 0));
    MI_TRY(mica_batches_next(reading->batches, n));
    reading->begun = *n > 0;
    if (*n == 0)
        return MICA_OK;
    MI_TRY(mica_plan_run(reading->plan, *n));
    return mica_plan_read(reading->plan, NULL, reading->values, (size_t)(*n * adapting->elements));
}

static mica_status begin(struct reading *reading, mica_data *data)
{
    struct mi_adapting *adapting = &reading->adapting;
    mica_node *input = adapting->layer->in[0];
    int64_t samples = adapting->samples, batch = samples < ADAPT_BATCH ? samples : ADAPT_BATCH;
    adapting->elements = mi_shape_count(&input->shape, 1);
    reading->plan = mica_compile(adapting->model, &(mica_plan_desc){.batch = batch, .outputs = &input, .output_count = 1});
    reading->values = mi_new((size_t)(batch * adapting->elements), sizeof *reading->values);
    if (!reading->plan || !reading->values)
        return mi_out_of_memory(&adapting->model->device->error);
    MI_TRY(mica_plan_status(reading->plan));
    return mica_batches_create(reading->plan, data, &(mica_batches_desc){.part = MICA_TRAIN}, &reading->batches);
}

static mica_status adapt_layer(mica_model *model, const struct mi_layer_record *layer, mica_data *data)
{
    struct reading reading = {.adapting = {.model = model, .layer = layer, .samples = mica_data_count(data, MICA_TRAIN),
                                           .next = next}};
    mica_status status = begin(&reading, data);
    if (status == MICA_OK)
        status = layer->type->adapt(&reading.adapting);
    mica_batches_destroy(reading.batches);
    mica_plan_destroy(reading.plan);
    free(reading.values);
    return status;
}

mica_status mi_adapt(mica_model *model, mica_data *data, bool again)
{
    for (size_t i = 0; i < model->layer_count; i++) {
        bool learns, waits;
        MI_TRY(mi_layer_learns(model, &model->layers[i], &learns, &waits));
        if (!(again ? learns : waits))
            continue;
        if (mica_data_count(data, MICA_TRAIN) == 0)
            return mi_fail(&model->device->error, MICA_DATA, "the data have no training part, from which %s \"%s\" could learn",
                           model->layers[i].type->type, model->layers[i].name);
        MI_TRY(adapt_layer(model, &model->layers[i], data));
    }
    return MICA_OK;
}

mica_status mica_model_adapt(mica_model *model, mica_data *data)
{
    if (!model)
        return MICA_INVALID_ARGUMENT;
    MI_TRY(mi_model_begin(model));
    if (!data)
        return mi_fail(&model->device->error, MICA_INVALID_ARGUMENT, "to adapt takes data, which are NULL");
    if (data->error.status != MICA_OK)
        return mi_fail(&model->device->error, data->error.status, "%s", data->error.text);
    return mi_adapt(model, data, true);
}
