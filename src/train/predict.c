/* Outputs and classes of raw inputs: the preprocessing that the model was fitted with, then its inference plan. */
#include "data/data.h"
#include "nn/loss/loss.h"

#include <mica/train.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_BATCH = 256 };

/* ---- The plan, kept in the model ---- */

static mica_status predictor(mica_model *model, int64_t n)
{
    int64_t batch = n < MOST_BATCH ? n : MOST_BATCH;
    if (model->predictor && model->predictor_batch >= batch)
        return MICA_OK;
    if (model->predictor && 2 * model->predictor_batch > batch) /* growing by doubling, so not at every call */
        batch = 2 * model->predictor_batch < MOST_BATCH ? 2 * model->predictor_batch : MOST_BATCH;
    mi_model_drop_predictor(model);
    model->predictor = mica_compile(model, &(mica_plan_desc){.batch = batch});
    model->predictor_batch = batch;
    if (!model->predictor)
        return mi_out_of_memory(&model->device->error);
    mica_status status = mica_plan_status(model->predictor);
    if (status != MICA_OK)
        mi_model_drop_predictor(model);
    return status;
}

static mica_status read_preprocess(mica_model *model, struct mi_preprocess *preprocess)
{
    *preprocess = (struct mi_preprocess){0};
    if (!model->preprocess)
        return MICA_OK;
    cJSON *json = mi_json_read(model->preprocess, strlen(model->preprocess), NULL);
    if (!json)
        return mi_out_of_memory(&model->device->error);
    mica_status status = mi_preprocess_from_json(&model->device->error, "the model", json, preprocess);
    cJSON_Delete(json);
    return status;
}

/* `staged` holds `count` samples, the first of them number `first`; rows as mi_index_rows has it. */
static mica_status check_indices(mica_model *model, const struct mi_preprocess *preprocess, const float *staged, int64_t first,
                                 int64_t count, size_t in, int64_t rows)
{
    size_t values = (size_t)count * in, at = rows ? mi_first_no_row(staged, values, rows) : values;
    if (at == values)
        return MICA_OK;
    return mi_fail(&model->device->error, MICA_DATA, "sample %lld: %s is %g, the embedding has rows 0 to %lld",
                   (long long)first + (long long)(at / in), mi_preprocess_input_text(preprocess, at % in).text,
                   (double)staged[at], (long long)(rows - 1));
}

/* Where samples come from: raw values of the caller, or a part of a data set. */
struct source {
    const float *inputs;
    const struct mi_preprocess *preprocess; /* of inputs */
    const mica_data *data;                  /* NULL: inputs */
    mica_part part;
    int64_t n;
};

/* `count` samples from number `first` on as the network sees them. */
static void stage(const struct source *source, int64_t first, int64_t count, size_t in, float *staged)
{
    if (source->data) {
        for (int64_t i = 0; i < count; i++)
            mi_data_input(source->data, mi_data_index(source->data, source->part, first + i), staged + (size_t)i * in);
        return;
    }
    const float *from = source->inputs + (size_t)first * in;
    if (source->preprocess->shape.rank)
        mi_preprocess_apply(source->preprocess, from, (size_t)count, staged);
    else
        memcpy(staged, from, (size_t)count * in * sizeof *staged);
}

static mica_status run_chunks(mica_model *model, const struct source *source, size_t in, size_t out, float *outputs,
                              float *staged)
{
    int64_t n = source->n, rows = 0;
    const struct mi_preprocess *preprocess = source->data ? &source->data->preprocess : source->preprocess;
    MI_TRY(mi_index_rows(&model->device->error, model->graph, &rows));
    for (int64_t at = 0; at < n; at += model->predictor_batch) {
        int64_t count = n - at < model->predictor_batch ? n - at : model->predictor_batch;
        stage(source, at, count, in, staged);
        MI_TRY(check_indices(model, preprocess, staged, at, count, in, rows));
        MI_TRY(mica_plan_write(model->predictor, model->graph->inputs[0]->name, staged, (size_t)count * in));
        MI_TRY(mica_plan_run(model->predictor, count));
        MI_TRY(mica_plan_read(model->predictor, model->graph->outputs[0]->name, outputs + (size_t)at * out,
                              (size_t)count * out));
    }
    return MICA_OK;
}

/* Elements of a sample of the model's only input and first output. */
static mica_status sizes(mica_model *model, size_t *in, size_t *out)
{
    MI_TRY(mi_model_begin(model));
    if (model->graph->output_count == 0)
        return mi_fail(&model->device->error, MICA_INVALID_ARGUMENT, "the model has no output: mica_output declares one");
    if (model->graph->input_count != 1)
        return mi_fail(&model->device->error, MICA_UNSUPPORTED, "the model has %zu inputs; compile it and write each",
                       model->graph->input_count);
    MI_TRY(mi_model_check_samples(&model->device->error, model->graph->outputs[0]));
    *in = (size_t)mi_shape_count(&model->graph->inputs[0]->shape, 1);
    *out = (size_t)mi_shape_count(&model->graph->outputs[0]->shape, 1);
    return MICA_OK;
}

static mica_status check_data(mica_model *model, const mica_data *data, size_t in)
{
    struct mi_error *error = &model->device->error;
    if (data->error.status != MICA_OK)
        return mi_error_report(error, &data->error);
    if (data->elements != in)
        return mi_fail(error, MICA_SHAPE, "a sample of the data has shape %s, the model takes %zu values",
                       mi_sample_text(&data->preprocess.shape).text, in);
    return MICA_OK;
}

static mica_status predict(mica_model *model, struct source *source, float *outputs, size_t count)
{
    size_t in = 0, out = 0, bytes;
    int64_t n = source->n;
    struct mi_preprocess preprocess;
    struct mi_error *error = &model->device->error;
    MI_TRY(sizes(model, &in, &out));
    if (source->data)
        MI_TRY(check_data(model, source->data, in));
    bool nothing = !source->inputs && !source->data;
    if (n < 0 || (n > 0 && (nothing || !outputs)))
        return mi_fail(error, MICA_INVALID_ARGUMENT, "%lld samples to predict%s", (long long)n,
                       n < 0 ? "" : nothing ? ", and the inputs are NULL" : ", and the room for outputs is NULL");
    if ((out && count / out != (size_t)n) || count != (size_t)n * out)
        return mi_fail(error, MICA_SHAPE, "%lld samples have %lld outputs each, there is room for %zu in all", (long long)n,
                       (long long)out, count);
    if (n == 0)
        return MICA_OK;
    MI_TRY(predictor(model, n));
    if (!mi_mul_size((size_t)model->predictor_batch, in, &bytes))
        return mi_out_of_memory(error);
    MI_TRY(read_preprocess(model, &preprocess));
    source->preprocess = &preprocess;
    float *staged = mi_new(bytes, sizeof *staged);
    mica_status status = staged ? MICA_OK : mi_out_of_memory(error);
    if (status == MICA_OK)
        status = run_chunks(model, source, in, out, outputs, staged);
    free(staged);
    mi_preprocess_destroy(&preprocess);
    return status;
}

mica_status mica_predict(mica_model *model, const float *inputs, int64_t n, float *outputs, size_t count)
{
    return model ? predict(model, &(struct source){.inputs = inputs, .n = n}, outputs, count) : MICA_INVALID_ARGUMENT;
}

static mica_status part_of(mica_model *model, const mica_data *data, mica_part part, struct source *source)
{
    if (!model)
        return MICA_INVALID_ARGUMENT;
    MI_TRY(mi_model_begin(model));
    if (!data || part < MICA_TRAIN || part > MICA_TEST)
        return mi_fail(&model->device->error, MICA_INVALID_ARGUMENT, "to predict from data%s", !data ? ": they are NULL" :
                       " takes the training, the validation or the test part");
    *source = (struct source){.data = data, .part = part, .n = mica_data_count(data, part)};
    return MICA_OK;
}

mica_status mica_predict_data(mica_model *model, const mica_data *data, mica_part part, float *outputs, size_t count)
{
    struct source source;
    MI_TRY(part_of(model, data, part, &source));
    return predict(model, &source, outputs, count);
}

/* ---- Classes ---- */

/* How outputs become scores of classes. */
struct scoring {
    bool softmax, sigmoid;   /* still to be applied */
    bool single;             /* one output: class 1 against class 0 */
    bool shares;             /* scores are probabilities: of class 0, 1 minus that of class 1 */
    int classes;
};

static mica_status choose_scoring(mica_model *model, size_t out, struct scoring *scoring)
{
    struct mi_loss loss = {0};
    *scoring = (struct scoring){.single = out == 1, .classes = out == 1 ? 2 : (int)out};
    if (out > MI_MOST_CLASSES)
        return mi_fail(&model->device->error, MICA_UNSUPPORTED, "the model has %zu outputs, classes are %d at most", out,
                       MI_MOST_CLASSES);
    if (!model->loss)
        return MICA_OK;
    MI_TRY(mi_loss_choose(&model->device->error, model->graph, model->loss, model->from_logits, &loss));
    scoring->shares = loss.row->task != MI_VALUES;
    scoring->sigmoid = loss.row->task == MI_BINARY && loss.from_logits;
    scoring->softmax = loss.row->task != MI_BINARY && loss.row->task != MI_VALUES && loss.from_logits;
    return MICA_OK;
}

static void apply_softmax(float *row, size_t count)
{
    float largest = -INFINITY;
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        largest = row[i] > largest ? row[i] : largest;
    for (size_t i = 0; i < count; i++) {
        row[i] = expf(row[i] - largest);
        sum += (double)row[i];
    }
    for (size_t i = 0; i < count; i++)
        row[i] = (float)((double)row[i] / sum);
}

static void apply_scoring(const struct scoring *scoring, float *row, size_t count)
{
    if (scoring->softmax)
        apply_softmax(row, count);
    for (size_t i = 0; i < count && scoring->sigmoid; i++)
        row[i] = 1 / (1 + expf(-row[i]));
}

/* The k best of a row, best first; equal scores in the order of the classes; NaN comes last. */
static void best(const mica_model *model, const float *scores, int classes, int k, mica_answer *answers)
{
    for (int rank = 0; rank < k; rank++) {
        int chosen = -1;
        for (int c = 0; c < classes; c++) {
            bool taken = false;
            for (int i = 0; i < rank; i++)
                taken = taken || answers[i].class_index == c;
            if (!taken && (chosen < 0 || scores[c] > scores[chosen] || (isnan(scores[chosen]) && !isnan(scores[c]))))
                chosen = c;
        }
        answers[rank] = (mica_answer){chosen, model->class_names[chosen], scores[chosen]};
    }
}

static void answer_row(const mica_model *model, const struct scoring *scoring, float *row, size_t out, int k,
                       mica_answer *answers)
{
    apply_scoring(scoring, row, out);
    if (!scoring->single) {
        best(model, row, scoring->classes, k, answers);
        return;
    }
    float other = 1 - row[0]; /* without a cross-entropy too: values that were fitted to 0 and 1 */
    best(model, (const float[]){other, row[0]}, 2, k, answers);
    if (!scoring->shares)
        for (int i = 0; i < k; i++)
            answers[i].score = row[0];
}

/* Names for every class, so that an answer always has a label: digits where the data gave none. */
static mica_status complete_names(mica_model *model, int classes)
{
    if (model->class_count >= classes)
        return MICA_OK;
    struct mi_arena arena = {0};
    const char **names = mi_arena_new(&arena, (size_t)classes, sizeof *names);
    for (int i = 0; names && i < classes; i++)
        names[i] = i < model->class_count ? mi_arena_strdup(&arena, model->class_names[i]) : mi_arena_format(&arena, "%d", i);
    char *preprocess = model->preprocess ? mi_strdup(model->preprocess) : NULL;
    bool good = names && !arena.failed && (preprocess || !model->preprocess);
    mica_status status = good ? mi_model_set_data(model, preprocess, names, classes)
                              : mi_out_of_memory(&model->device->error);
    free(preprocess);
    mi_arena_destroy(&arena);
    return status;
}

static mica_status classify(mica_model *model, struct source *source, int k, mica_answer *answers)
{
    size_t in = 0, out = 0, count;
    int64_t n = source->n;
    struct scoring scoring;
    struct mi_error *error = &model->device->error;
    MI_TRY(sizes(model, &in, &out));
    if (model->graph->outputs[0]->shape.rank > 2)
        return mi_fail(error, MICA_SHAPE, "the output has %d dimensions per sample, classes need one",
                       model->graph->outputs[0]->shape.rank - 1);
    MI_TRY(choose_scoring(model, out, &scoring));
    if (k < 1 || k > scoring.classes)
        return mi_fail(error, MICA_INVALID_ARGUMENT, "the %d best of %d classes", k, scoring.classes);
    MI_TRY(complete_names(model, scoring.classes));
    bool nothing = !source->inputs && !source->data;
    if (n < 0 || (n > 0 && (nothing || !answers)) || !mi_mul_size((size_t)n, out * sizeof(float), &count))
        return mi_fail(error, MICA_INVALID_ARGUMENT, "%lld samples to classify%s", (long long)n,
                       n < 0 ? "" : nothing ? ", and the inputs are NULL" : !answers ? ", and the room for answers is NULL" : "");
    count /= sizeof(float);
    float *outputs = mi_new(count, sizeof *outputs);
    if (!outputs)
        return mi_out_of_memory(error);
    mica_status status = predict(model, source, outputs, count);
    for (int64_t i = 0; i < n && status == MICA_OK; i++)
        answer_row(model, &scoring, outputs + (size_t)i * out, out, k, answers + (size_t)i * (size_t)k);
    free(outputs);
    return status;
}

mica_status mica_classify(mica_model *model, const float *inputs, int64_t n, int k, mica_answer *answers)
{
    return model ? classify(model, &(struct source){.inputs = inputs, .n = n}, k, answers) : MICA_INVALID_ARGUMENT;
}

mica_status mica_classify_data(mica_model *model, const mica_data *data, mica_part part, int k, mica_answer *answers)
{
    struct source source;
    MI_TRY(part_of(model, data, part, &source));
    return classify(model, &source, k, answers);
}
