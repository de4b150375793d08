/* What a job compares its outputs with:
 *
 *   "loss": "mse" | {"type": "huber", "weight": 0.3, "from_logits": true}
 *         | {"price": "mse", "kind": {"type": "sparse_categorical_crossentropy", "weight": 2}}
 *   "metrics": ["accuracy", {"type": "top_k_accuracy", "k": 3}] | {"kind": ["accuracy"]}
 *   "class_weight": "balanced" | {"spam": 5, "0": 1} | {"kind": "balanced" | {...}}
 *
 * An object with a "type" is one loss; otherwise its keys are outputs of the model. */
#include "job/job.h"
#include "train/training.h"

#include <math.h>
#include <string.h>

/* ---- Losses ---- */

/* An object's keys: those of all losses, and the numbers of its own. */
static mica_status read_keys(struct mi_error *error, const cJSON *item, const char *place, const struct mi_loss_row *row,
                             mica_objective *out)
{
    struct mi_key keys[] = {
        MI_KEY_WITH(mica_objective, "type", MI_KEY_TEXT, loss, .required = true, .choices = mi_loss_names),
        MI_KEY_WITH(mica_objective, "weight", MI_KEY_FLOAT, weight, MI_KEY_AT_LEAST(0)),
        MI_KEY_WITH(mica_objective, "setting", MI_KEY_NUMBERS, setting, .numbers = row ? row->keys : mi_no_numbers,
                    .second = MICA_MOST_LOSS_SETTINGS),
        MI_KEY(mica_objective, "from_logits", MI_KEY_TRISTATE, from_logits),
        {0},
    };
    if (row && !row->activation)
        keys[MI_COUNT(keys) - 2] = (struct mi_key){0}; /* it takes any values */
    float ignored[MICA_MOST_LOSS_SETTINGS];
    MI_TRY(mi_keys_read(error, item, place, keys, NULL, out));
    if (out->weight <= 0)
        return mi_fail(error, MICA_FORMAT, "%s.weight: must be more than 0; without a loss an output is not trained", place);
    return mi_settings_resolve(error, place, row->keys, out->setting, MICA_MOST_LOSS_SETTINGS, ignored);
}

static mica_status read_loss(struct mi_error *error, const cJSON *item, const char *place, mica_objective *out)
{
    const cJSON *type = cJSON_IsObject(item) ? cJSON_GetObjectItemCaseSensitive(item, "type") : item;
    const struct mi_loss_row *row = cJSON_IsString(type) ? mi_loss_find(type->valuestring) : NULL;
    if (!cJSON_IsString(item) && !cJSON_IsObject(item))
        return mi_fail(error, MICA_FORMAT, "%s: must be a name, or an object with a \"type\"", place);
    if (cJSON_IsString(type) && !row)
        return mi_keys_unknown(error, place, "type", type->valuestring, mi_loss_names);
    out->weight = 1;
    if (cJSON_IsObject(item))
        MI_TRY(read_keys(error, item, place, row, out));
    out->loss = row->layer.type;
    return MICA_OK;
}

/* Whether the model has an output of that name; one without "outputs" has "output". Of outputs that are no object something else is
 * said. */
static bool has_output(const cJSON *outputs, const char *name)
{
    if (!outputs)
        return !strcmp(name, "output");
    return !cJSON_IsObject(outputs) || cJSON_GetObjectItemCaseSensitive(outputs, name);
}

static mica_status no_output(struct mi_error *error, const cJSON *outputs, const char *name)
{
    static const char *const type[] = {"type", NULL};
    const char *names[33] = {"output"};
    const cJSON *item;
    size_t count = 0;
    cJSON_ArrayForEach(item, outputs)
        if (count + 1 < MI_COUNT(names))
            names[count++] = item->string;
    return mi_fail(error, MICA_FORMAT, "loss: the model has no output \"%s\"%s", mi_show(name).text,
                   mi_advise(name, mi_nearest(name, type) ? type : names).text);
}

/* An object without a "type" names outputs. One whose values are no losses was meant as a loss. */
static mica_status check_outputs(struct mi_error *error, const cJSON *loss, const cJSON *outputs)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, loss) {
        if (has_output(outputs, item->string))
            continue;
        if (cJSON_IsString(item) || cJSON_IsObject(item))
            return no_output(error, outputs, item->string);
        return mi_fail(error, MICA_FORMAT, "loss: the key \"type\" is missing; without it, keys are outputs of the model, and "
                       "\"%s\" is none", mi_show(item->string).text);
    }
    return MICA_OK;
}

static mica_status read_losses(mica_job *job, struct mi_error *error, const cJSON *loss, const cJSON *model)
{
    const cJSON *item;
    bool one = !cJSON_IsObject(loss) || cJSON_GetObjectItemCaseSensitive(loss, "type");
    int count = one ? 1 : cJSON_GetArraySize(loss), i = 0;
    job->objectives = mi_arena_new(&job->arena, (size_t)(count ? count : 1), sizeof *job->objectives);
    job->class_weights = mi_arena_new(&job->arena, (size_t)(count ? count : 1), sizeof *job->class_weights);
    if (!job->objectives || !job->class_weights)
        return mi_out_of_memory(error);
    job->fit.objectives = job->objectives;
    job->fit.objective_count = count;
    if (!count)
        return mi_fail(error, MICA_FORMAT, "loss: the key \"type\" is missing");
    if (one)
        return read_loss(error, loss, "loss", &job->objectives[0]);
    MI_TRY(check_outputs(error, loss, cJSON_GetObjectItemCaseSensitive(model, "outputs")));
    cJSON_ArrayForEach(item, loss) {
        const char *place = mi_arena_format(&job->arena, "loss.%s", mi_show(item->string).text);
        if (!place)
            return mi_out_of_memory(error);
        job->objectives[i].output = item->string;
        MI_TRY(read_loss(error, item, place, &job->objectives[i++]));
    }
    return MICA_OK;
}

bool mi_job_regresses(const void *user, const char *output)
{
    const mica_job *job = user;
    for (int i = 0; i < job->fit.objective_count; i++) {
        const char *own = job->objectives[i].output;
        if (!own || !output || !strcmp(own, output))
            return mi_loss_find(job->objectives[i].loss)->task == MI_VALUES;
    }
    return false;
}

/* ---- What belongs to each output ---- */

static mica_objective *find_objective(mica_job *job, struct mi_error *error, const char *key, const char *output, int *index)
{
    const char *names[33];
    size_t count = 0;
    for (int i = 0; i < job->fit.objective_count; i++) {
        const char *own = job->objectives[i].output;
        if (own && !strcmp(own, output)) {
            *index = i;
            return &job->objectives[i];
        }
        if (own && count + 1 < MI_COUNT(names))
            names[count++] = own;
    }
    names[count] = NULL;
    if (count)
        mi_fail(error, MICA_FORMAT, "%s: \"%s\" is no output that has a loss%s", key, mi_show(output).text,
                mi_advise(output, names).text);
    else
        mi_fail(error, MICA_FORMAT, "%s.%s: there is one loss, which names no output; then %s names none either", key,
                mi_show(output).text, key);
    return NULL;
}

/* ---- Metrics ---- */

static mica_status read_metric(struct mi_error *error, const cJSON *item, const char *place, mica_metric *out)
{
    struct mi_metric resolved;
    const cJSON *type = cJSON_IsObject(item) ? cJSON_GetObjectItemCaseSensitive(item, "type") : item;
    if (!cJSON_IsString(type))
        return mi_fail(error, MICA_FORMAT, "%s: must be a name, or an object with a \"type\"", place);
    *out = (mica_metric){.type = type->valuestring};
    const struct mi_metric_row *row = mi_metric_find(out->type);
    if (cJSON_IsObject(item) && row)
        MI_TRY(mi_settings_read(error, item, place, row->keys, NULL, out->setting, MICA_MOST_METRIC_SETTINGS));
    return mi_metric_resolve(error, place, out, &resolved);
}

static mica_status read_list(mica_job *job, struct mi_error *error, const cJSON *list, const char *key, mica_objective *out)
{
    const cJSON *item;
    int i = 0;
    if (!cJSON_IsArray(list))
        return mi_fail(error, MICA_FORMAT, "%s: must be a list, such as [\"accuracy\"]", key);
    if (cJSON_GetArraySize(list) > MICA_MOST_METRICS)
        return mi_fail(error, MICA_FORMAT, "%s: holds more than %d", key, MICA_MOST_METRICS);
    cJSON_ArrayForEach(item, list) {
        const char *place = mi_arena_format(&job->arena, "%s[%d]", key, i);
        if (!place)
            return mi_out_of_memory(error);
        MI_TRY(read_metric(error, item, place, &out->metrics[i]));
        MI_TRY(mi_metric_once(error, place, out->metrics, i++));
    }
    return MICA_OK;
}

static mica_status read_metrics(mica_job *job, struct mi_error *error, const cJSON *metrics)
{
    const cJSON *item;
    int index;
    if (!metrics)
        return MICA_OK;
    if (!cJSON_IsObject(metrics)) {
        if (job->fit.objective_count > 1 && cJSON_IsArray(metrics))
            return mi_fail(error, MICA_FORMAT, "metrics: there are several losses; name the outputs: {\"%s\": [...]}",
                           job->objectives[0].output);
        return read_list(job, error, metrics, "metrics", &job->objectives[0]);
    }
    cJSON_ArrayForEach(item, metrics) {
        mica_objective *objective = find_objective(job, error, "metrics", item->string, &index);
        const char *place = mi_arena_format(&job->arena, "metrics.%s", mi_show(item->string).text);
        if (!objective)
            return error->status;
        if (!place)
            return mi_out_of_memory(error);
        MI_TRY(read_list(job, error, item, place, objective));
    }
    return MICA_OK;
}

/* ---- Weights of classes ---- */

/* Numbers by classes; which classes these are is known when the data are there. */
static mica_status read_weights(mica_job *job, struct mi_error *error, const cJSON *item, const char *place, int index)
{
    const cJSON *weight;
    if (cJSON_IsString(item) && !strcmp(item->valuestring, "balanced")) {
        job->objectives[index].balance = true;
        return MICA_OK;
    }
    if (!cJSON_IsObject(item))
        return mi_fail(error, MICA_FORMAT, "%s: must be \"balanced\", or an object of classes and their weights", place);
    cJSON_ArrayForEach(weight, item)
        if (!cJSON_IsNumber(weight) || !(weight->valuedouble >= 0 && weight->valuedouble <= 1e30))
            return mi_fail(error, MICA_FORMAT, "%s.%s: must be a number of at least 0", place, mi_show(weight->string).text);
    job->class_weights[index] = item;
    return MICA_OK;
}

static mica_status read_class_weight(mica_job *job, struct mi_error *error, const cJSON *json)
{
    const cJSON *item;
    int index = 0;
    if (!json)
        return MICA_OK;
    if (job->fit.objective_count == 1 && !job->objectives[0].output)
        return read_weights(job, error, json, "class_weight", 0);
    if (!cJSON_IsObject(json))
        return mi_fail(error, MICA_FORMAT, "class_weight: name the outputs: {\"%s\": ...}", job->objectives[0].output);
    cJSON_ArrayForEach(item, json) {
        const char *place = mi_arena_format(&job->arena, "class_weight.%s", mi_show(item->string).text);
        if (!place)
            return mi_out_of_memory(error);
        if (!find_objective(job, error, "class_weight", item->string, &index))
            return error->status;
        MI_TRY(read_weights(job, error, item, place, index));
    }
    return MICA_OK;
}

static mica_status unknown_class(mica_job *job, const struct mi_field *field, const char *name)
{
    const char *names[33];
    size_t count = 0;
    for (int i = 0; i < field->preprocess.classes && count + 1 < MI_COUNT(names); i++)
        names[count++] = mi_field_class_name(field, i);
    names[count] = NULL;
    return mi_fail(&job->error, MICA_DATA, "%s: class_weight: there is no class \"%s\"%s", job->path, mi_show(name).text,
                   mi_advise(name, names).text);
}

/* Classes that are not named weigh 1. */
static mica_status look_up(mica_job *job, mica_objective *objective, const struct mi_field *field, const cJSON *json, int classes)
{
    const cJSON *item;
    float *weights = mi_arena_new(&job->arena, (size_t)classes, sizeof *weights);
    if (!weights)
        return mi_out_of_memory(&job->error);
    for (int i = 0; i < classes; i++)
        weights[i] = -1;
    cJSON_ArrayForEach(item, json) {
        int found = -1;
        int64_t number;
        for (int i = 0; i < field->preprocess.classes && found < 0; i++)
            found = strcmp(mi_field_class_name(field, i), item->string) ? -1 : i;
        if (found < 0 && mi_is_index(item->string, &number) && number < classes)
            found = (int)number;
        if (found < 0 || found >= classes)
            return unknown_class(job, field, item->string);
        if (weights[found] >= 0)
            return mi_fail(&job->error, MICA_FORMAT, "%s: class_weight: \"%s\" is class %d, which has a weight already", job->path,
                           mi_show(item->string).text, found);
        weights[found] = (float)item->valuedouble;
    }
    for (int i = 0; i < classes; i++)
        weights[i] = weights[i] < 0 ? 1 : weights[i];
    objective->class_weight = weights;
    objective->class_count = classes;
    return MICA_OK;
}

mica_status mi_job_class_weights(mica_job *job)
{
    const struct mi_graph *graph = job->model->graph;
    for (int i = 0; i < job->fit.objective_count; i++) {
        mica_objective *objective = &job->objectives[i];
        const mi_value *output = mi_model_output(graph, objective->output);
        if (!job->class_weights[i] || !output)
            continue;
        struct mi_field *field = mi_training_field(job->data, MICA_TARGET, objective->output ? objective->output : "",
                                                         graph->output_count == 1);
        int64_t units = mi_shape_count(&output->shape, 1);
        if (!field)
            continue; /* whoever needs it says so */
        MI_TRY(mi_data_settle(job->data, field, &job->error, units == 1 ? 2 : units));
        MI_TRY(look_up(job, objective, field, job->class_weights[i], (int)(units == 1 ? 2 : units)));
    }
    return MICA_OK;
}

/* ---- All together ---- */

/* What the job says of all its losses is of those whose outputs may be scores. */
static mica_status take_from_logits(mica_job *job, struct mi_error *error, int from_logits)
{
    bool taken = false;
    for (int i = 0; i < job->fit.objective_count && from_logits; i++) {
        mica_objective *objective = &job->objectives[i];
        if (!mi_loss_find(objective->loss)->activation)
            continue;
        if (objective->from_logits && objective->from_logits != from_logits)
            return mi_fail(error, MICA_FORMAT, "from_logits is given twice, and differs");
        objective->from_logits = from_logits;
        taken = true;
    }
    if (from_logits && !taken)
        return mi_fail(error, MICA_FORMAT, "from_logits: goes with cross-entropies, not with %s",
                       mi_loss_find(job->objectives[0].loss)->layer.type);
    return MICA_OK;
}

mica_status mi_job_objectives(mica_job *job, struct mi_error *error, const struct mi_job_losses *keys)
{
    MI_TRY(read_losses(job, error, keys->loss, keys->model));
    MI_TRY(take_from_logits(job, error, keys->from_logits));
    MI_TRY(read_metrics(job, error, keys->metrics));
    return read_class_weight(job, error, keys->class_weight);
}
