/* Opening a job file: overrides, keys, data, model, weights. */
#include "job/job.h"
#include "formats/formats.h"
#include "formats/model/model_file.h"
#include "nn/optimizer/optimizer.h"
#include "train/training.h"

#include <float.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define JOB_LIMIT ((uint64_t)64 << 20)

enum { EPOCHS_ABSENT = INT_MIN };

/* ---- Keys ---- */

struct job_keys {
    struct mi_job_losses losses;
    const cJSON *data, *optimizer, *batch_size, *callbacks;
    const char *train, *precision, *folder, *run;
    bool tensorboard;
    int epochs, log_every;
    float validation_split;
    uint64_t seed;
    bool no_shuffle, bucket_by_length, exact;
};

static const char *const precisions[] = {"float32", "float16", "bfloat16", NULL};

static const struct mi_key job_keys[] = {
    MI_KEY_WITH(struct job_keys, "model", MI_KEY_JSON, losses.model, .required = true),
    MI_KEY_WITH(struct job_keys, "data", MI_KEY_JSON, data, .required = true),
    MI_KEY_WITH(struct job_keys, "loss", MI_KEY_JSON, losses.loss, .required = true),
    MI_KEY(struct job_keys, "from_logits", MI_KEY_TRISTATE, losses.from_logits),
    MI_KEY(struct job_keys, "metrics", MI_KEY_JSON, losses.metrics),
    MI_KEY(struct job_keys, "class_weight", MI_KEY_JSON, losses.class_weight),
    MI_KEY(struct job_keys, "train", MI_KEY_TEXT, train),
    MI_KEY_WITH(struct job_keys, "precision", MI_KEY_TEXT, precision, .choices = precisions),
    MI_KEY(struct job_keys, "optimizer", MI_KEY_JSON, optimizer),
    MI_KEY(struct job_keys, "batch_size", MI_KEY_JSON, batch_size),
    MI_KEY(struct job_keys, "folder", MI_KEY_TEXT, folder),
    MI_KEY(struct job_keys, "run", MI_KEY_TEXT, run),
    MI_KEY(struct job_keys, "tensorboard", MI_KEY_BOOL, tensorboard),
    MI_KEY(struct job_keys, "callbacks", MI_KEY_JSON, callbacks),
    MI_KEY_WITH(struct job_keys, "epochs", MI_KEY_INT, epochs, MI_KEY_BETWEEN(0, 1000000000.0)),
    MI_KEY_WITH(struct job_keys, "log_every", MI_KEY_INT, log_every, MI_KEY_BETWEEN(1, 1000000000.0)),
    MI_KEY_WITH(struct job_keys, "validation_split", MI_KEY_FLOAT, validation_split, MI_KEY_BELOW(0, 1)),
    MI_KEY_WITH(struct job_keys, "seed", MI_KEY_SEED, seed, MI_KEY_AT_LEAST(0)),
    MI_KEY(struct job_keys, "shuffle", MI_KEY_NOT, no_shuffle),
    MI_KEY(struct job_keys, "bucket_by_length", MI_KEY_BOOL, bucket_by_length),
    MI_KEY(struct job_keys, "exact", MI_KEY_BOOL, exact),
    {0},
};

struct model_keys {
    const cJSON *input_shape, *max_length, *layers, *outputs;
    const char *weights;
    bool partial;
};

static const struct mi_key model_keys[] = {
    MI_KEY(struct model_keys, "input_shape", MI_KEY_JSON, input_shape),
    MI_KEY(struct model_keys, "max_length", MI_KEY_JSON, max_length),
    MI_KEY_WITH(struct model_keys, "layers", MI_KEY_JSON, layers, .required = true),
    MI_KEY(struct model_keys, "outputs", MI_KEY_JSON, outputs),
    MI_KEY(struct model_keys, "weights", MI_KEY_TEXT, weights),
    MI_KEY(struct model_keys, "partial", MI_KEY_BOOL, partial),
    {0},
};

mica_status mi_json_file(struct mi_error *error, const char *path, cJSON **out)
{
    unsigned char *bytes = NULL;
    size_t size = 0;
    *out = NULL;
    MI_TRY(mi_file_read(error, path, JOB_LIMIT, &bytes, &size));
    mica_status status = mi_json_parse(error, path, (const char *)bytes, size, out);
    free(bytes);
    if (status == MICA_OK && !cJSON_IsObject(*out))
        status = mi_fail(error, MICA_FORMAT, "%s: must hold a JSON object", path);
    return status;
}

/* An error of something inside the file, with the file's name before it. */
static mica_status inside(mica_job *job, mica_status status, const char *text)
{
    return mi_fail(&job->error, status, "%s: %s", job->path, text);
}

/* A number of samples, or "all". */
static mica_status read_batch_size(mica_job *job, const cJSON *item)
{
    if (!item)
        return MICA_OK;
    if (cJSON_IsString(item) && !strcmp(item->valuestring, "all")) {
        job->fit.batch_size = MICA_ALL_SAMPLES;
        return MICA_OK;
    }
    double size = cJSON_IsNumber(item) ? item->valuedouble : 0;
    if (!(size >= 1 && size <= 2147483647.0) || floor(size) != size)
        return inside(job, MICA_FORMAT, "batch_size: must be a whole number from 1 to 2147483647, or \"all\"");
    job->fit.batch_size = (int64_t)size;
    return MICA_OK;
}

/* Where the job's paths begin, beside its file, and the folder of its run. */
static mica_status read_folders(mica_job *job, const struct job_keys *keys)
{
    char *folder = mi_path_join(job->folder, keys->folder ? keys->folder : "."), *run = NULL;
    if (folder && keys->folder)
        job->folder = mi_arena_strdup(&job->arena, folder);
    if (keys->run && job->folder)
        run = mi_path_join(job->folder, keys->run);
    job->run = run ? mi_arena_strdup(&job->arena, run) : NULL;
    job->tensorboard = keys->tensorboard;
    bool good = folder && job->folder && (job->run || !keys->run);
    free(folder);
    free(run);
    if (!good)
        return mi_out_of_memory(&job->error);
    if (keys->tensorboard && !keys->run)
        return inside(job, MICA_FORMAT, "tensorboard: is written into the folder of a run, which \"run\" names; or it is a "
                      "callback with a \"log_dir\"");
    return MICA_OK;
}

static mica_status read_keys(mica_job *job, struct job_keys *keys)
{
    struct mi_error error = {0};
    keys->epochs = EPOCHS_ABSENT;
    if (mi_keys_read(&error, job->json, "", job_keys, NULL, keys) != MICA_OK)
        return inside(job, error.status, error.text);
    if (keys->validation_split <= FLT_MIN)
        keys->validation_split = 0;
    if (keys->validation_split > 0 && cJSON_GetObjectItemCaseSensitive(keys->data, "split"))
        return inside(job, MICA_FORMAT, "validation_split stands beside data.split: give one of them");
    job->fit.epochs = keys->epochs == EPOCHS_ABSENT ? 1 : keys->epochs == 0 ? -1 : keys->epochs;
    MI_TRY(read_folders(job, keys));
    job->log_every = keys->log_every ? keys->log_every : 1;
    job->fit.validation_split = keys->validation_split;
    job->fit.no_shuffle = keys->no_shuffle;
    job->fit.bucket_by_length = keys->bucket_by_length;
    job->fit.seed = keys->seed;
    job->fit.train = keys->train;
    job->fit.precision = keys->precision ? (mica_type)mi_type_named(keys->precision) : MICA_FLOAT32;
    struct mi_optimizer resolved;
    if (keys->optimizer && mi_optimizer_read(&error, keys->optimizer, "optimizer", &job->fit.optimizer) != MICA_OK)
        return inside(job, error.status, error.text);
    if (mi_optimizer_read_schedule(&error, &job->arena, keys->optimizer, "optimizer", &job->fit.schedule) != MICA_OK ||
        mi_optimizer_resolve(&error, "optimizer", &job->fit.optimizer, &resolved) != MICA_OK ||
        mi_optimizer_set_schedule(&error, "optimizer", job->fit.schedule, &resolved) != MICA_OK)
        return inside(job, error.status, error.text);
    const cJSON *groups = cJSON_GetObjectItemCaseSensitive(keys->optimizer, "groups");
    if (groups && (mi_optimizer_read_groups(&error, &job->arena, groups, "optimizer", &job->fit.groups,
                                            &job->fit.group_count) != MICA_OK ||
                   mi_optimizer_set_groups(&error, "optimizer", job->fit.groups, job->fit.group_count, &resolved) != MICA_OK))
        return inside(job, error.status, error.text);
    MI_TRY(read_batch_size(job, keys->batch_size));
    if (mi_job_objectives(job, &error, &keys->losses) != MICA_OK || mi_job_callbacks(job, &error, keys->callbacks) != MICA_OK)
        return inside(job, error.status, error.text);
    return MICA_OK;
}

/* ---- Data ---- */

cJSON *mi_job_data_spec(const cJSON *job)
{
    cJSON *spec = cJSON_Duplicate(cJSON_GetObjectItemCaseSensitive(job, "data"), true);
    const cJSON *seed = cJSON_GetObjectItemCaseSensitive(job, "seed");
    bool needs = cJSON_GetObjectItemCaseSensitive(spec, "split") && !cJSON_GetObjectItemCaseSensitive(spec, "seed");
    if (!spec || !needs || !cJSON_IsNumber(seed) || cJSON_AddNumberToObject(spec, "seed", seed->valuedouble))
        return spec;
    cJSON_Delete(spec);
    return NULL;
}

static mica_status open_data(mica_job *job)
{
    cJSON *spec = mi_job_data_spec(job->json);
    const struct mi_regressions regressions = {mi_job_regresses, job};
    if (spec)
        job->data = mi_data_from_spec(job->device, spec, job->folder,
                                      mi_arena_format(&job->arena, "%s: data", job->path), NULL, &regressions);
    cJSON_Delete(spec);
    if (!job->data)
        return mi_out_of_memory(&job->error);
    return mi_error_report(&job->error, &job->data->error);
}

/* ---- Model ---- */

/* Whether the job says the shape of the model's input. */
static bool has_input(const cJSON *model)
{
    const cJSON *first = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(model, "layers"), 0);
    const cJSON *type = cJSON_GetObjectItemCaseSensitive(first, "type");
    return cJSON_GetObjectItemCaseSensitive(model, "input_shape") ||
           (cJSON_IsString(type) && strcmp(type->valuestring, "input") == 0);
}

/* Whether the number of the input's steps varies, and the job leaves it to the data how many there are at most. */
static bool lacks_length(const cJSON *model)
{
    const cJSON *shape = cJSON_GetObjectItemCaseSensitive(model, "input_shape");
    return cJSON_IsArray(shape) && cJSON_IsNull(shape->child) && !cJSON_GetObjectItemCaseSensitive(model, "max_length");
}

/* The model's part of the job without what add_layers does not know, and with the data's shape where none is given. */
static cJSON *layers_json(const mica_job *job, const cJSON *model)
{
    cJSON *json = cJSON_Duplicate(model, true);
    cJSON_DeleteItemFromObjectCaseSensitive(json, "weights");
    cJSON_DeleteItemFromObjectCaseSensitive(json, "partial");
    if (json && lacks_length(model) && job->data && mica_data_shape(job->data).rank > 0)
        cJSON_AddNumberToObject(json, "max_length", (double)mica_data_shape(job->data).dim[0]);
    if (!json || has_input(model))
        return json;
    mica_shape shape = mica_data_shape(job->data);
    double dims[MICA_MAX_RANK];
    for (int i = 0; i < shape.rank; i++)
        dims[i] = (double)shape.dim[i];
    cJSON *list = cJSON_CreateDoubleArray(dims, shape.rank);
    if (list && cJSON_AddItemToObject(json, "input_shape", list))
        return json;
    cJSON_Delete(list);
    cJSON_Delete(json);
    return NULL;
}

static void add_note(void *user, const char *line)
{
    mica_job *job = user;
    if (!mi_grow(&job->notes, &job->note_capacity, job->note_count + 1, sizeof *job->notes))
        return;
    job->notes[job->note_count++] = mi_arena_format(&job->arena, "%s", line);
}

static mica_status load_weights(mica_job *job, const struct model_keys *keys)
{
    if (!keys->weights)
        return MICA_OK;
    char *path = mi_path_join(job->folder, keys->weights);
    if (!path)
        return mi_out_of_memory(&job->error);
    mi_weights_load(job->model, &job->error, path, &(mica_weights_desc){keys->partial, add_note, job});
    free(path);
    return job->error.status;
}

/* What does not fit together is the job's mistake, so it is found while opening. The data take the model's shape, where they have
 * as many elements. */
static mica_status fit_together(mica_job *job)
{
    const struct mi_graph *graph = job->model->graph;
    struct mi_error error = {0};
    struct mi_training training;
    mica_objective one;
    int count;
    mica_shape wanted = mi_inputs_beside_lengths(graph) == 1 ? mica_node_shape(graph->inputs[0]) : (mica_shape){.rank = 0};
    struct mi_field *input = job->data ? mi_data_field(job->data, MICA_INPUT, NULL) : NULL;
    if (input && wanted.rank > 0)
        MI_TRY(mi_field_fit(job->data, input, graph, graph->inputs[0], &job->error,
                            mi_arena_format(&job->arena, "%s: model.input_shape", job->path)));
    if (job->data)
        MI_TRY(mi_job_class_weights(job));
    const mica_objective *objectives = mi_fit_objectives(&job->fit, &one, &count);
    mica_status status = mi_training_begin(&error, job->model, job->model_only ? NULL : job->data, objectives, count, &training);
    mi_training_end(&training);
    return status == MICA_OK ? status : inside(job, status, error.text);
}

/* A field that is called as nothing of the model would be read for nothing. */
static mica_status check_fields(mica_job *job)
{
    static const char *const keys[] = {"inputs", "targets", "sample_weight"};
    const struct mi_graph *graph = job->model->graph;
    for (int i = 0; i < job->data->field_count; i++) {
        const struct mi_preprocess *field = &job->data->fields[i]->preprocess;
        bool input = field->role == MICA_INPUT, found = !field->name;
        size_t all = input ? graph->input_count : graph->output_count, count = 0;
        const char *names[33];
        for (size_t k = 0; k < all; k++) {
            const char *name = input ? graph->inputs[k]->name : graph->outputs[k]->name;
            found = found || !strcmp(name, field->name);
            if (count + 1 < MI_COUNT(names))
                names[count++] = name;
        }
        names[count] = NULL;
        if (!found)
            return mi_fail(&job->error, MICA_FORMAT, "%s: data: %s.%s: the model has no %s of that name%s", job->path,
                           keys[field->role], mi_show(field->name).text, input ? "input" : "output",
                           mi_advise(field->name, names).text);
    }
    return MICA_OK;
}

/* Patterns that name no parameter are found before anything is read or compiled. */
static mica_status check_trained(mica_job *job)
{
    struct mi_optimizer optimizer;
    struct mi_error error = {0};
    mi_optimizer_resolve(&error, "optimizer", &job->fit.optimizer, &optimizer);
    mi_optimizer_set_schedule(&error, "optimizer", job->fit.schedule, &optimizer);
    mi_optimizer_set_groups(&error, "optimizer", job->fit.groups, job->fit.group_count, &optimizer);
    if (error.status == MICA_OK)
        mi_optimizer_check_names(&error, job->model, &optimizer, job->fit.train);
    return error.status == MICA_OK ? MICA_OK : inside(job, error.status, error.text);
}

/* Such a network would be right by always saying the same. */
static mica_status check_classes(mica_job *job)
{
    for (int i = 0; i < job->data->field_count && job->fit.epochs >= 0; i++) {
        const struct mi_words *labels = &job->data->fields[i]->labels.words;
        if (labels->count == 1)
            return inside(job, MICA_DATA,
                          mi_arena_format(&job->arena, "data: every label%s is \"%s\": there is only one class to learn",
                                          mi_field_text(&job->data->fields[i]->preprocess).text, mi_show(labels->list[0]).text));
    }
    return MICA_OK;
}

/* The layers that prepare inputs, a list or an object of lists. */
static mica_status check_prepare(mica_job *job, struct mi_error *error, const cJSON *layers)
{
    const cJSON *item;
    if (!layers || cJSON_IsArray(layers))
        return layers ? mi_layers_check(error, job->device, layers, "data.layers") : MICA_OK;
    if (!cJSON_IsObject(layers) || cJSON_IsString(cJSON_GetObjectItemCaseSensitive(layers, "type")))
        return mi_fail(error, MICA_FORMAT, "data.layers must be a list of layers, or an object of such lists by names of inputs");
    if (!cJSON_GetArraySize(layers))
        return mi_fail(error, MICA_FORMAT, "data.layers is empty: it names at least one input, or is left out");
    cJSON_ArrayForEach(item, layers)
        MI_TRY(mi_layers_check(error, job->device, item,
                               mi_arena_format(&job->arena, "data.layers.%s", mi_show(item->string).text)));
    return MICA_OK;
}

/* What needs no data is checked before they are read, which may take a while. */
static mica_status read_model(mica_job *job, const cJSON *model, const cJSON *data, struct model_keys *keys)
{
    struct mi_error error = {0};
    if (mi_keys_read(&error, model, "model", model_keys, NULL, keys) != MICA_OK ||
        mi_layers_check(&error, job->device, keys->layers, "model.layers") != MICA_OK ||
        check_prepare(job, &error, cJSON_GetObjectItemCaseSensitive(data, "layers")) != MICA_OK)
        return inside(job, error.status, error.text);
    return MICA_OK;
}

/* Layers for an input that there is not would do nothing. */
static mica_status check_prepared(mica_job *job, const cJSON *layers)
{
    const struct mi_graph *graph = job->model->graph;
    const cJSON *item;
    if (!cJSON_IsObject(layers))
        return MICA_OK;
    cJSON_ArrayForEach(item, layers) {
        const char *names[33];
        size_t count = 0;
        bool found = false;
        for (size_t i = 0; i < graph->input_count; i++) {
            found = found || !strcmp(graph->inputs[i]->name, item->string);
            if (count + 1 < MI_COUNT(names))
                names[count++] = graph->inputs[i]->name;
        }
        names[count] = NULL;
        if (!found)
            return mi_fail(&job->error, MICA_FORMAT, "%s: data.layers: the model has no input \"%s\"%s", job->path,
                           mi_show(item->string).text, mi_advise(item->string, names).text);
    }
    return MICA_OK;
}

static mica_status open_model(mica_job *job, const cJSON *model, const struct model_keys *keys, bool exact)
{
    job->model = mica_model_create(job->device, &(mica_model_desc){.seed = job->fit.seed, .exact = exact});
    const cJSON *prepare = cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(job->json, "data"), "layers");
    cJSON *json = layers_json(job, model);
    if (!job->model || !json) {
        cJSON_Delete(json);
        return mi_out_of_memory(&job->error);
    }
    mica_status status = mi_model_add_layers(job->model, json, "model", prepare);
    cJSON_Delete(json);
    if (status != MICA_OK)
        return inside(job, status, job->model->error.text);
    MI_TRY(check_prepared(job, prepare));
    MI_TRY(check_trained(job));
    if (job->data)
        MI_TRY(check_fields(job));
    MI_TRY(fit_together(job));
    if (job->model_only)
        return MICA_OK;
    MI_TRY(check_classes(job));
    return load_weights(job, keys);
}

/* ---- The job ---- */

static mica_status open_job(mica_job *job, const char *path, const char *const *sets, int count)
{
    struct job_keys keys = {0};
    struct model_keys model = {0};
    char *folder = mi_path_folder(path);
    job->path = mi_arena_strdup(&job->arena, path);
    job->folder = mi_arena_strdup(&job->arena, folder ? folder : ".");
    free(folder);
    if (!job->path || !job->folder)
        return mi_out_of_memory(&job->error);
    MI_TRY(mi_json_file(&job->error, path, &job->json));
    for (int i = 0; i < count; i++)
        MI_TRY(sets[i] ? mi_job_set(&job->error, job->json, sets[i])
                       : mi_fail(&job->error, MICA_INVALID_ARGUMENT, "%s: setting %d of %d is NULL", path, i, count));
    mi_json_drop_nulls(job->json); /* of the settings */
    MI_TRY(read_keys(job, &keys));
    MI_TRY(read_model(job, keys.losses.model, keys.data, &model));
    if (!job->model_only || !has_input(keys.losses.model) || lacks_length(keys.losses.model))
        MI_TRY(open_data(job));
    MI_TRY(open_model(job, keys.losses.model, &model, keys.exact));
    return job->run && !job->model_only ? mi_job_add_run(job) : MICA_OK;
}

static mica_job *job_new(mica_device *device, const char *path, const char *const *sets, int count, bool model_only)
{
    mica_job *job = mi_new(1, sizeof *job);
    if (!job) {
        mi_out_of_memory(&device->error);
        return NULL;
    }
    job->device = device;
    job->model_only = model_only;
    mi_device_begin(device);
    if (device->failed.status != MICA_OK)
        mi_error_report(&job->error, &device->failed);
    else if (!path)
        mi_fail(&job->error, MICA_INVALID_ARGUMENT, "the path of a job is missing");
    else if (count < 0 || (count && !sets))
        mi_fail(&job->error, MICA_INVALID_ARGUMENT, "%s: %d settings%s", path, count, count < 0 ? "" : ", and their list is NULL");
    else
        open_job(job, path, sets, count);
    mi_error_report(&device->error, &job->error);
    return job;
}

mica_job *mica_job_open(mica_device *device, const char *path, const char *const *sets, int count)
{
    return device ? job_new(device, path, sets, count, false) : NULL;
}

mica_job *mica_job_open_model(mica_device *device, const char *path, const char *const *sets, int count)
{
    return device ? job_new(device, path, sets, count, true) : NULL;
}

void mica_job_destroy(mica_job *job)
{
    if (!job)
        return;
    mica_model_destroy(job->model);
    mica_data_destroy(job->data);
    cJSON_Delete(job->json);
    free(job->notes);
    free(job->callbacks);
    mi_arena_destroy(&job->arena);
    free(job);
}

mica_status mica_job_status(const mica_job *job)
{
    return job ? job->error.status : MICA_OUT_OF_MEMORY;
}

const char *mica_job_error(const mica_job *job)
{
    return job ? job->error.text : mica_status_text(MICA_OUT_OF_MEMORY);
}

mica_model *mica_job_model(mica_job *job)
{
    return job ? job->model : NULL;
}

mica_data *mica_job_data(mica_job *job)
{
    return job ? job->data : NULL;
}

mica_fit_desc *mica_job_fit(mica_job *job)
{
    return job ? &job->fit : NULL;
}

int mica_job_log_every(const mica_job *job)
{
    return job ? job->log_every : 0;
}

int mica_job_notes(const mica_job *job)
{
    return job ? (int)job->note_count : 0;
}

const char *mica_job_note(const mica_job *job, int i)
{
    return job && i >= 0 && (size_t)i < job->note_count ? job->notes[i] : NULL;
}

/* What does not go together is the job's mistake. */
static void add_place(const mica_job *job, struct mi_error *error)
{
    const struct mi_error why = *error;
    *error = (struct mi_error){.status = MICA_OK};
    mi_fail(error, why.status, "%s: %s", job->path, why.text);
}

mica_status mica_job_run(mica_job *job, mica_history **history)
{
    if (history)
        *history = NULL;
    if (!job)
        return MICA_INVALID_ARGUMENT;
    mi_device_begin(job->device);
    if (job->error.status != MICA_OK)
        return mi_error_report(&job->device->error, &job->error);
    if (job->model_only)
        return mi_fail(&job->device->error, MICA_INVALID_ARGUMENT, "%s: only the model was opened", job->path);
    bool first = job->device->error.status == MICA_OK;
    if (job->run)
        MI_TRY(mi_job_begin_run(job));
    mica_status status = mica_fit(job->model, job->data, &job->fit, history);
    if (first && (status == MICA_INVALID_ARGUMENT || status == MICA_DATA))
        add_place(job, &job->device->error);
    return status;
}
