/* Data fed to a plan: batches go through two slots of host memory while the device works. Nothing is allocated for a batch; the
 * host waits only for a slot that the device has not read yet. */
#include "train/training.h"

#include "plan/plan.h"

#include <stdlib.h>
#include <string.h>

struct slot {
    bool held;
    cl_event *read;                /* (inputs) passed once the device has read them */
};

struct mica_batches {
    mica_device *device;
    mica_plan *plan;
    mica_data *data;
    struct mi_loader *loader;
    struct mi_field **fields;      /* (count) what feeds each input of the plan */
    int count;
    struct slot slots[MI_LOADER_SLOTS];
    int oldest;                    /* the slot that was filled first of those held */
};

/* ---- Which field feeds which input ---- */

struct mi_field *mi_training_field(const mica_data *data, mica_role role, const char *name, bool only)
{
    struct mi_field *unnamed = NULL;
    for (int i = 0; i < data->field_count; i++) {
        struct mi_field *field = data->fields[i];
        if (field->preprocess.role != role)
            continue;
        if (field->preprocess.name && !strcmp(field->preprocess.name, name))
            return field;
        unnamed = field->preprocess.name ? unnamed : field;
    }
    if (unnamed && (only || role == MICA_WEIGHT)) /* samples are weighted for all outputs */
        return unnamed;
    return only && mi_data_fields(data, role) == 1 ? mi_data_field(data, role, NULL) : NULL;
}

struct mi_field *mi_input_field(mica_data *data, const struct mi_graph *graph, const mi_value *input)
{
    const char *of = mi_length_of(input, NULL);
    bool only = mi_inputs_beside_lengths(graph) == 1;
    struct mi_field *field = mi_training_field(data, MICA_INPUT, of ? of : input->name, only);
    return field && of ? mi_field_lengths(data, field) : field;
}

/* Whether a graph has an input of the lengths of another one. */
static bool has_lengths(const struct mi_graph *graph, const mi_value *input)
{
    bool found = false;
    for (size_t i = 0; i < graph->input_count && !found; i++) {
        const char *of = mi_length_of(graph->inputs[i], NULL);
        found = of && !strcmp(of, input->name);
    }
    return found;
}

mica_status mi_field_fit(mica_data *data, struct mi_field *field, const struct mi_graph *graph, const mi_value *input,
                         struct mi_error *error, const char *place)
{
    mica_shape wanted = mica_node_shape(input);
    if (!has_lengths(graph, input))
        return mi_data_reshape(data, field, error, place, wanted);
    if (field->preprocess.vocabulary.pad_before)
        return mi_fail(error, MICA_INVALID_ARGUMENT, "%s: padding stands before the texts, and the steps of an input whose length "
                       "varies are its first ones", place);
    return mi_data_lengthen(data, field, error, place, wanted);
}

/* The role of an input by its name, and the output that it belongs to. */
static mica_role role_of(const char *input, char *output, size_t size)
{
    static const struct { const char *ending; mica_role role; } endings[] = {{"_target", MICA_TARGET}, {"_weight", MICA_WEIGHT}};
    size_t length = strlen(input);
    mi_format(output, size, "%s", input);
    for (size_t i = 0; i < MI_COUNT(endings); i++) {
        size_t ending = strlen(endings[i].ending);
        if (length > ending && !strcmp(input + length - ending, endings[i].ending)) {
            mi_format(output, size, "%.*s", (int)(length - ending), input);
            return endings[i].role;
        }
    }
    return MICA_INPUT;
}

/* How many inputs of the plan have a role. */
static int inputs_of_role(const mica_batches *b, mica_role role)
{
    char output[300];
    int count = 0;
    for (int i = 0; i < b->count; i++)
        count += !mi_plan_input_length_of(b->plan, i, NULL) &&
                 role_of(mi_plan_input_name(b->plan, i), output, sizeof output) == role;
    return count;
}

static mica_status no_field(mica_batches *b, const char *input)
{
    const char *names[33];
    size_t count = 0;
    for (int i = 0; i < b->data->field_count && count + 1 < MI_COUNT(names); i++)
        if (b->data->fields[i]->preprocess.name)
            names[count++] = b->data->fields[i]->preprocess.name;
    names[count] = NULL;
    return mi_plan_refuse(b->plan, MICA_DATA, "the data have no field for the input \"%s\"%s", mi_show(input).text,
                        mi_advise(input, names).text);
}

/* What labels mean hangs on how many classes the output tells apart. */
static mica_status settle_labels(mica_batches *b, int i, struct mi_field *field)
{
    int64_t classes = mi_plan_input_classes(b->plan, i);
    struct mi_error error = {MICA_OK, ""};
    if (!classes || !mi_is_classes(&field->preprocess))
        return MICA_OK;
    if (mi_data_settle(b->data, field, &error, classes) != MICA_OK)
        return mi_plan_refuse(b->plan, error.status, "%s", error.text);
    if (field->preprocess.classes > classes)
        return mi_plan_refuse(b->plan, MICA_DATA, "the input \"%s\" takes %lld classes, the data have %d",
                              mi_show(mi_plan_input_name(b->plan, i)).text, (long long)classes, field->preprocess.classes);
    return MICA_OK;
}

/* How many steps there are of the field that feeds another input. */
static mica_status bind_lengths(mica_batches *b, int i, const char *of, int64_t steps)
{
    struct mi_field *field = mi_training_field(b->data, MICA_INPUT, of, inputs_of_role(b, MICA_INPUT) == 1);
    if (!field)
        return no_field(b, of);
    if (field->preprocess.shape.rank < 1 || field->preprocess.shape.dim[0] != steps)
        return mi_plan_refuse(b->plan, MICA_SHAPE, "the input \"%s\" takes up to %lld steps, a sample of the data has shape %s",
                              mi_show(of).text, (long long)steps, mi_sample_text(&field->preprocess.shape).text);
    b->fields[i] = mi_field_lengths(b->data, field);
    return b->fields[i] ? MICA_OK : mi_plan_refuse(b->plan, MICA_OUT_OF_MEMORY, "%s", mica_status_text(MICA_OUT_OF_MEMORY));
}

static mica_status bind_input(mica_batches *b, int i)
{
    int64_t steps;
    const char *name = mi_plan_input_name(b->plan, i), *of = mi_plan_input_length_of(b->plan, i, &steps);
    char output[300];
    mica_role role = role_of(name, output, sizeof output);
    struct mi_field *field = NULL;
    if (of)
        return bind_lengths(b, i, of, steps);
    for (int k = 0; k < b->data->field_count && !field; k++) /* any field of the very name */
        if (b->data->fields[k]->preprocess.name && !strcmp(b->data->fields[k]->preprocess.name, name))
            field = b->data->fields[k];
    if (!field)
        field = mi_training_field(b->data, role, output, inputs_of_role(b, role) == 1);
    if (!field)
        return no_field(b, name);
    MI_TRY(settle_labels(b, i, field));
    struct mi_shape shape = mi_plan_input_shape(b->plan, i);
    int64_t wanted = mi_shape_count(&shape, 1);
    if (wanted != (int64_t)field->elements)
        return mi_plan_refuse(b->plan, MICA_SHAPE, "the input \"%s\" takes %lld values a sample, the data have %zu",
                              mi_show(name).text,
                            (long long)wanted, field->elements);
    b->fields[i] = field;
    return MICA_OK;
}

static mica_status bind(mica_batches *b)
{
    b->count = mi_plan_inputs(b->plan);
    b->fields = mi_new((size_t)b->count, sizeof(struct mi_field *));
    for (int s = 0; s < MI_LOADER_SLOTS; s++)
        if (!b->fields || !(b->slots[s].read = mi_new((size_t)b->count, sizeof(cl_event))))
            return mi_plan_refuse(b->plan, MICA_OUT_OF_MEMORY, "%s", mica_status_text(MICA_OUT_OF_MEMORY));
    for (int i = 0; i < b->count; i++)
        MI_TRY(bind_input(b, i));
    return MICA_OK;
}

/* ---- Life ---- */

static mica_status make_loader(mica_batches *b, const mica_batches_desc *desc)
{
    int64_t most = mi_plan_batch(b->plan), samples = mica_data_count(b->data, desc->part), size = desc->batch_size;
    if (desc->part < MICA_TRAIN || desc->part > MICA_TEST)
        return mi_plan_refuse(b->plan, MICA_INVALID_ARGUMENT, "there is no part %d of the data", (int)desc->part);
    if (size == MICA_ALL_SAMPLES)
        size = samples;
    if (size < 0 || size > most)
        return mi_plan_refuse(b->plan, MICA_INVALID_ARGUMENT, "batches of %lld, the plan was compiled for at most %lld",
                              (long long)size,
                            (long long)most);
    enum mi_type *types = mi_new((size_t)b->count, sizeof *types);
    for (int i = 0; types && i < b->count; i++)
        types[i] = mi_plan_input_type(b->plan, i);
    const struct mi_loader_desc how = {.part = desc->part, .batch = size ? size : most, .seed = desc->seed,
                                       .shuffle = desc->shuffle, .bucket_by_length = desc->bucket_by_length,
                                       .fields = b->fields, .types = types, .field_count = b->count};
    mica_status status = types ? mi_loader_create(b->data, &how, &b->loader) : MICA_OUT_OF_MEMORY;
    free(types);
    return status == MICA_OK ? status : mi_plan_refuse(b->plan, status, "%s", types ? mica_data_error(b->data)
                                                                                  : mica_status_text(MICA_OUT_OF_MEMORY));
}

mica_status mica_batches_create(mica_plan *plan, mica_data *data, const mica_batches_desc *desc, mica_batches **out)
{
    const mica_batches_desc usual = {.part = MICA_TRAIN};
    if (out)
        *out = NULL;
    if (!plan)
        return MICA_INVALID_ARGUMENT;
    MI_TRY(mi_plan_begin(plan));
    if (!data || !out)
        return mi_plan_refuse(plan, MICA_INVALID_ARGUMENT, "batches take data and a place for the result; the %s NULL",
                            !data ? "data are" : "place is");
    if (data->error.status != MICA_OK)
        return mi_plan_refuse(plan, data->error.status, "%s", data->error.text);
    mica_batches *b = mi_new(1, sizeof *b);
    if (!b)
        return mi_plan_refuse(plan, MICA_OUT_OF_MEMORY, "%s", mica_status_text(MICA_OUT_OF_MEMORY));
    b->plan = plan;
    b->data = data;
    b->device = mi_plan_device(plan);
    mica_status status = bind(b);
    if (status == MICA_OK)
        status = make_loader(b, desc ? desc : &usual);
    if (status == MICA_OK)
        *out = b;
    else
        mica_batches_destroy(b);
    return status;
}

/* ---- Slots ---- */

static bool is_read(const mica_batches *b, const struct slot *slot)
{
    for (int i = 0; i < b->count; i++)
        if (slot->read[i] && !mi_event_done(b->device, slot->read[i]))
            return false;
    return true;
}

static mica_status free_slot(mica_batches *b, int index)
{
    struct slot *slot = &b->slots[index];
    mica_status status = MICA_OK;
    if (!slot->held)
        return MICA_OK;
    for (int i = 0; i < b->count; i++) {
        if (slot->read[i] && !mi_event_done(b->device, slot->read[i]) && status == MICA_OK)
            status = mi_event_wait(b->device, &slot->read[i]);
        mi_event_release(b->device, &slot->read[i]);
    }
    mi_loader_release(b->loader, index);
    slot->held = false;
    return status;
}

void mica_batches_destroy(mica_batches *b)
{
    if (!b)
        return;
    for (int i = 0; i < MI_LOADER_SLOTS; i++) {
        if (b->loader)
            free_slot(b, i);
        free(b->slots[i].read);
    }
    mi_loader_destroy(b->loader);
    free(b->fields);
    free(b);
}

/* ---- An epoch ---- */

int64_t mica_batches_count(const mica_batches *batches)
{
    return batches ? mi_loader_batches(batches->loader) : 0;
}

mica_status mica_batches_begin(mica_batches *b, uint64_t epoch)
{
    return mi_batches_begin_at(b, epoch, 0);
}

mica_status mi_batches_begin_at(mica_batches *b, uint64_t epoch, int64_t batch)
{
    if (!b)
        return MICA_INVALID_ARGUMENT;
    for (int i = 0; i < MI_LOADER_SLOTS; i++)
        MI_TRY(free_slot(b, i));
    b->oldest = (int)(batch % MI_LOADER_SLOTS);
    mi_loader_begin_at(b->loader, epoch, batch);
    return MICA_OK;
}

/* The next batch; false: the epoch is over. A slot that is held is waited for when both are. */
static mica_status next_batch(mica_batches *b, struct mi_batch *batch, bool *more)
{
    *more = mi_loader_next(b->loader, batch);
    if (*more || batch->n == 0)
        return MICA_OK;
    MI_TRY(free_slot(b, b->oldest));
    *more = mi_loader_next(b->loader, batch);
    return MICA_OK;
}

mica_status mica_batches_next(mica_batches *b, int64_t *n)
{
    struct mi_batch batch;
    bool more = false;
    if (n)
        *n = 0;
    if (!b || !n)
        return MICA_INVALID_ARGUMENT;
    MI_TRY(next_batch(b, &batch, &more));
    if (mi_loader_failed(b->loader))
        return mi_plan_refuse(b->plan, MICA_DATA, "the function that fills batches could not");
    if (!more)
        return MICA_OK;
    struct slot *slot = &b->slots[batch.slot];
    slot->held = true;
    b->oldest = (batch.slot + 1) % MI_LOADER_SLOTS;
    for (int i = 0; i < b->count; i++)
        MI_TRY(mi_plan_feed(b->plan, i, batch.fields[i], batch.n, &slot->read[i]));
    *n = batch.n;
    /* Given back early where the device has read it, so that the next batch is prepared while it works. */
    return is_read(b, &b->slots[b->oldest]) ? free_slot(b, b->oldest) : MICA_OK;
}
