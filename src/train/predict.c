/* Outputs and classes of raw inputs: the preprocessing that the model was fitted with, then its inference plan. */
#include "train/training.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_BATCH = 256 };

/* ---- The plan, kept in the model ---- */

mica_status mi_model_predictor(mica_model *model, int64_t n)
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

/* ---- Where samples come from ---- */

/* Raw values of the caller for the only input, or a part of a data set. */
struct source {
    const float *inputs;
    const struct mi_preprocess *preprocess; /* of inputs; NULL: there is none */
    mica_data *data;                        /* NULL: inputs */
    mica_part part;
    int64_t n;
    const char *output;                     /* what is asked for */
    const mi_value *apart;                  /* an input that the data lack; NULL: none */
};

static const struct mi_preprocess none;

static struct mi_field *field_of(const mica_model *model, const struct source *source, size_t input)
{
    return mi_input_field(source->data, model->graph, model->graph->inputs[input]);
}

/* Host memory for a batch of an input, and for the numbers of a sample. */
struct staging {
    void *elements;
    float *row;
    double *numbers;
};

static const struct mi_preprocess *preprocess_of(const mica_model *model, const struct source *source, size_t input)
{
    if (source->data)
        return &field_of(model, source, input)->preprocess;
    return source->preprocess && !mi_length_of(model->graph->inputs[input], NULL) ? source->preprocess : &none;
}

/* One sample, of `each` numbers, as elements of the input. */
static mica_status stage_sample(const mica_model *model, const struct source *source, size_t which, int64_t sample, size_t each,
                                int64_t rows, const struct staging *staged, void *out)
{
    const mi_value *input = model->graph->inputs[which];
    const struct mi_field *field = source->data ? field_of(model, source, which) : NULL;
    int64_t index = field ? mi_data_index(source->data, source->part, sample) : 0;
    const float *from = source->inputs ? source->inputs + (size_t)sample * each : NULL;
    char text[40];
    int64_t steps;
    if (!field && mi_length_of(input, &steps)) /* samples of the caller have all their steps */
        *staged->row = (float)steps;
    else if (!field && source->preprocess)
        mi_preprocess_apply(source->preprocess, from, mi_preprocess_rows(source->preprocess), staged->row);
    else if (!field)
        memcpy(staged->row, from, each * sizeof *from);
    if (!mi_numbers_are_free(input, rows)) {
        if (field)
            mi_field_doubles(field, index, staged->row, staged->numbers);
        for (size_t i = 0; i < each && !field; i++)
            staged->numbers[i] = (double)staged->row[i];
        size_t at = mi_first_wrong(input, staged->numbers, each, rows);
        if (at < each) {
            mi_format(text, sizeof text, "sample %lld", (long long)sample);
            return mi_numbers_refuse(&model->device->error, text, preprocess_of(model, source, which), input, staged->numbers, at,
                                     rows);
        }
    }
    if (field)
        mi_field_elements(field, index, input->type, staged->row, out);
    else
        mi_elements_from_floats(input->type, staged->row, each, out);
    return MICA_OK;
}

/* ---- Running ---- */

/* Elements of a sample of an input. */
static size_t input_elements(const mica_model *model, size_t input)
{
    return (size_t)mi_shape_count(&model->graph->inputs[input]->shape, 1);
}

static mica_status write_inputs(mica_model *model, const struct source *source, int64_t first, int64_t count, const int64_t *rows,
                                const struct staging *staged)
{
    for (size_t i = 0; i < model->graph->input_count; i++) {
        const mi_value *input = model->graph->inputs[i];
        if (mi_plan_input(model->predictor, input->name) < 0)
            continue; /* nothing depends on it */
        size_t each = input_elements(model, i), bytes = each * mi_types[input->type].bytes;
        unsigned char *to = staged->elements;
        for (int64_t k = 0; k < count; k++)
            MI_TRY(stage_sample(model, source, i, first + k, each, rows[i], staged, to + (size_t)k * bytes));
        MI_TRY(mica_plan_write_elements(model->predictor, input->name, (mica_type)input->type, staged->elements,
                                        (size_t)count * each));
    }
    return MICA_OK;
}

static mica_status run_chunks(mica_model *model, const struct source *source, size_t out, float *outputs, const int64_t *rows,
                              const struct staging *staged)
{
    for (int64_t at = 0; at < source->n; at += model->predictor_batch) {
        int64_t left = source->n - at, count = left < model->predictor_batch ? left : model->predictor_batch;
        MI_TRY(write_inputs(model, source, at, count, rows, staged));
        MI_TRY(mica_plan_reset_states(model->predictor)); /* each sample is for itself, however many make a chunk */
        MI_TRY(mica_plan_run(model->predictor, count));
        MI_TRY(mica_plan_read(model->predictor, source->output, outputs + (size_t)at * out, (size_t)count * out));
    }
    return MICA_OK;
}

static mica_status run(mica_model *model, const struct source *source, size_t out, float *outputs)
{
    struct mi_error *error = &model->device->error;
    size_t most = 0, values;
    int64_t *rows = mi_new(model->graph->input_count, sizeof *rows);
    mica_status status = rows ? mi_index_rows(error, model->graph, rows) : mi_out_of_memory(error);
    for (size_t i = 0; i < model->graph->input_count; i++)
        most = input_elements(model, i) > most ? input_elements(model, i) : most;
    struct staging staged = {.row = mi_new(most, sizeof *staged.row), .numbers = mi_new(most, sizeof *staged.numbers)};
    if (mi_mul_size((size_t)model->predictor_batch, most, &values))
        staged.elements = mi_new(values, sizeof(uint64_t)); /* of the widest type */
    if (status == MICA_OK)
        status = staged.row && staged.numbers && staged.elements ? run_chunks(model, source, out, outputs, rows, &staged)
                                                                 : mi_out_of_memory(error);
    free(staged.row);
    free(staged.numbers);
    free(staged.elements);
    free(rows);
    return status;
}

/* ---- Checking ---- */

/* The output that is asked for, and the elements of a sample of it. */
static mica_status find_output(mica_model *model, struct source *source, size_t *out)
{
    struct mi_error *error = &model->device->error;
    const struct mi_graph *graph = model->graph;
    const char *names[33];
    size_t count = 0;
    for (size_t i = 0; i < graph->output_count; i++) {
        if (!source->output || !strcmp(graph->outputs[i]->name, source->output)) {
            source->output = graph->outputs[i]->name;
            *out = (size_t)mi_shape_count(&graph->outputs[i]->shape, 1);
            return mi_model_check_samples(error, graph->outputs[i]);
        }
        if (count + 1 < MI_COUNT(names))
            names[count++] = graph->outputs[i]->name;
    }
    names[count] = NULL;
    if (!source->output)
        return mi_fail(error, MICA_INVALID_ARGUMENT, "the model has no output: mica_output declares one");
    return mi_fail(error, MICA_INVALID_ARGUMENT, "the model has no output \"%s\"%s", mi_show(source->output).text,
                   mi_advise(source->output, names).text);
}

static mica_status check_input(mica_model *model, const struct source *source, size_t i)
{
    struct mi_error *error = &model->device->error;
    const mi_value *input = model->graph->inputs[i];
    struct mi_field *field = field_of(model, source, i);
    size_t wanted = input_elements(model, i);
    if (field && field->elements != wanted && field->preprocess.shape.rank == input->shape.rank - 1)
        MI_TRY(mi_field_fit(source->data, field, model->graph, input, error, "the model's input"));
    if (!field)
        return mi_fail(error, MICA_DATA, "the data have no input \"%s\"", mi_show(input->name).text);
    if (field->elements != wanted)
        return mi_fail(error, MICA_SHAPE, "a sample of the data has shape %s, the model takes %zu values",
                       mi_sample_text(&field->preprocess.shape).text, wanted);
    return MICA_OK;
}

static mica_status check_data(mica_model *model, const struct source *source)
{
    struct mi_error *error = &model->device->error;
    const mica_data *data = source->data;
    if (data->error.status != MICA_OK)
        return mi_error_report(error, &data->error);
    if (data->fill)
        return mi_fail(error, MICA_INVALID_ARGUMENT, "to predict from data that a function fills: give the values themselves");
    for (size_t i = 0; i < model->graph->input_count; i++)
        if (model->graph->inputs[i] != source->apart)
            MI_TRY(check_input(model, source, i));
    return MICA_OK;
}

static mica_status check_source(mica_model *model, struct source *source, size_t *out)
{
    MI_TRY(mi_model_begin(model));
    MI_TRY(find_output(model, source, out));
    if (source->data)
        return check_data(model, source);
    if (mi_inputs_beside_lengths(model->graph) == 1)
        return MICA_OK;
    return mi_fail(&model->device->error, MICA_UNSUPPORTED,
                   "the model has %zu inputs; predict from data, or compile it and write each",
                   model->graph->input_count);
}

/* Answers in the units of the targets that the output was trained by. */
static void undo(const mica_model *model, const struct source *source, const struct mi_prepared *prepared, size_t out,
                 float *outputs)
{
    const struct mi_preprocess *target = mi_prepared_find(prepared, MICA_TARGET, source->output);
    size_t elements = 0;
    bool own = target && (target->name ? !strcmp(target->name, source->output) : model->graph->output_count == 1);
    if (own && mi_sample_elements(&target->shape, &elements) && elements == out)
        mi_preprocess_undo(target, outputs, (size_t)source->n);
}

static mica_status predict(mica_model *model, struct source *source, float *outputs, size_t count)
{
    size_t out = 0;
    int64_t n = source->n;
    struct mi_prepared prepared;
    struct mi_error *error = &model->device->error;
    MI_TRY(check_source(model, source, &out));
    bool nothing = !source->inputs && !source->data;
    if (n < 0 || (n > 0 && (nothing || !outputs)))
        return mi_fail(error, MICA_INVALID_ARGUMENT, "%lld samples to predict%s", (long long)n,
                       n < 0 ? "" : nothing ? ", and the inputs are NULL" : ", and the room for outputs is NULL");
    if ((out && count / out != (size_t)n) || count != (size_t)n * out)
        return mi_fail(error, MICA_SHAPE, "%lld samples have %lld outputs each, there is room for %zu in all", (long long)n,
                       (long long)out, count);
    if (n == 0)
        return MICA_OK;
    MI_TRY(mi_model_predictor(model, n));
    MI_TRY(mi_prepared_parse(error, "the model", model->preprocess, &prepared));
    source->preprocess = mi_prepared_find(&prepared, MICA_INPUT, model->graph->inputs[0]->name);
    mica_status status = run(model, source, out, outputs);
    if (status == MICA_OK)
        undo(model, source, &prepared, out, outputs);
    mi_prepared_destroy(&prepared);
    return status;
}

mica_status mica_predict(mica_model *model, const float *inputs, int64_t n, float *outputs, size_t count)
{
    return model ? predict(model, &(struct source){.inputs = inputs, .n = n}, outputs, count) : MICA_INVALID_ARGUMENT;
}

static mica_status part_of(mica_model *model, mica_data *data, mica_part part, const char *output, struct source *source)
{
    if (!model)
        return MICA_INVALID_ARGUMENT;
    MI_TRY(mi_model_begin(model));
    if (!data || part < MICA_TRAIN || part > MICA_TEST)
        return mi_fail(&model->device->error, MICA_INVALID_ARGUMENT, "to predict from data%s", !data ? ": they are NULL" :
                       " takes the training, the validation or the test part");
    *source = (struct source){.data = data, .part = part, .n = mica_data_count(data, part), .output = output};
    return MICA_OK;
}

/* ---- Inputs alone ---- */

mica_status mi_samples_check(mica_model *model, mica_data *data, mica_part part, const mi_value *apart)
{
    struct source source = {0};
    MI_TRY(part_of(model, data, part, NULL, &source));
    source.apart = apart;
    return check_data(model, &source);
}

mica_status mi_samples_stage(mica_model *model, mica_data *data, mica_part part, int64_t first, int64_t count, size_t input,
                             void *out)
{
    const struct source source = {.data = data, .part = part};
    struct mi_error *error = &model->device->error;
    size_t each = input_elements(model, input), bytes = each * mi_types[model->graph->inputs[input]->type].bytes;
    int64_t *rows = mi_new(model->graph->input_count, sizeof *rows);
    const struct staging staged = {.row = mi_new(each, sizeof *staged.row), .numbers = mi_new(each, sizeof *staged.numbers)};
    mica_status status = rows && staged.row && staged.numbers ? mi_index_rows(error, model->graph, rows) : mi_out_of_memory(error);
    for (int64_t k = 0; k < count && status == MICA_OK; k++)
        status = stage_sample(model, &source, input, first + k, each, rows[input], &staged,
                              (unsigned char *)out + (size_t)k * bytes);
    free(rows);
    free(staged.row);
    free(staged.numbers);
    return status;
}

mica_status mica_predict_data(mica_model *model, mica_data *data, mica_part part, const char *output, float *outputs, size_t count)
{
    struct source source = {0};
    MI_TRY(part_of(model, data, part, output, &source));
    return predict(model, &source, outputs, count);
}

/* ---- Classes ---- */

/* How outputs become scores of classes. */
struct scoring {
    bool softmax, sigmoid;   /* still to be applied */
    bool single;             /* one output: class 1 against class 0 */
    float threshold;         /* above which the score of one output says class 1 */
    bool shares;             /* scores are probabilities: of class 0, 1 minus that of class 1 */
    int classes;
};

static mica_status choose_scoring(mica_model *model, const char *output, size_t out, struct scoring *scoring)
{
    const struct mi_trained_output *answer = mi_model_trained(model, output);
    struct mi_objective objective;
    *scoring = (struct scoring){.single = out == 1, .threshold = 0.5f, .classes = out == 1 ? 2 : (int)out};
    if (out > MI_MOST_CLASSES)
        return mi_fail(&model->device->error, MICA_UNSUPPORTED, "the model has %zu outputs, classes are %d at most", out,
                       MI_MOST_CLASSES);
    if (!answer)
        return MICA_OK;
    mica_objective trained = {.output = answer->output, .loss = answer->loss, .from_logits = answer->from_logits};
    memcpy(trained.setting, answer->setting, sizeof answer->setting);
    MI_TRY(mi_objective_resolve(&model->device->error, model, &trained, &objective));
    const struct mi_loss loss = objective.loss;
    scoring->threshold = loss.from_logits ? 0.5f : mi_loss_threshold(&loss);
    scoring->shares = loss.row->activation != NULL;
    scoring->sigmoid = loss.from_logits && !strcmp(loss.row->activation, "Sigmoid");
    scoring->softmax = loss.from_logits && !strcmp(loss.row->activation, "Softmax");
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
static void best(char *const *names, const float *scores, int classes, int k, mica_answer *answers)
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
        answers[rank] = (mica_answer){chosen, names[chosen], scores[chosen]};
    }
}

static void answer_row(char *const *names, const struct scoring *scoring, float *row, size_t out, int k,
                       mica_answer *answers)
{
    apply_scoring(scoring, row, out);
    if (!scoring->single) {
        best(names, row, scoring->classes, k, answers);
        return;
    }
    float other = 2 * scoring->threshold - row[0]; /* without a cross-entropy too: values that were fitted to 0 and 1 */
    best(names, (const float[]){other, row[0]}, 2, k, answers);
    if (!scoring->shares)
        for (int i = 0; i < k; i++)
            answers[i].score = row[0];
}

/* Names for every class, so that an answer always has a label: digits where the data gave none. */
static mica_status complete_names(mica_model *model, const char *output, int classes, char *const **names)
{
    struct mi_trained_output *trained = mi_model_trained(model, output), *answer = trained ? trained : &model->untrained;
    struct mi_arena arena = {0};
    const char **all = mi_arena_new(&arena, (size_t)classes, sizeof *all);
    for (int i = 0; all && i < classes; i++)
        all[i] = i < answer->class_count ? answer->class_names[i] : mi_arena_format(&arena, "%d", i);
    mica_status status = MICA_OK;
    if (!all || arena.failed)
        status = mi_out_of_memory(&model->device->error);
    else if (answer->class_count < classes)
        status = mi_answer_set_classes(&model->device->error, answer, all, classes);
    *names = answer->class_names;
    mi_arena_destroy(&arena);
    return status;
}

static mica_status classify(mica_model *model, struct source *source, int k, mica_answer *answers)
{
    size_t out = 0, count;
    int64_t n = source->n;
    struct scoring scoring;
    struct mi_error *error = &model->device->error;
    char *const *names = NULL;
    MI_TRY(check_source(model, source, &out));
    int rank = mi_model_output(model->graph, source->output)->shape.rank;
    if (rank > 2)
        return mi_fail(error, MICA_SHAPE, "the output has %d dimensions per sample, classes need one", rank - 1);
    MI_TRY(choose_scoring(model, source->output, out, &scoring));
    if (k < 1 || k > scoring.classes)
        return mi_fail(error, MICA_INVALID_ARGUMENT, "the %d best of %d classes", k, scoring.classes);
    MI_TRY(complete_names(model, source->output, scoring.classes, &names));
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
        answer_row(names, &scoring, outputs + (size_t)i * out, out, k, answers + (size_t)i * (size_t)k);
    free(outputs);
    return status;
}

mica_status mica_classify(mica_model *model, const float *inputs, int64_t n, int k, mica_answer *answers)
{
    return model ? classify(model, &(struct source){.inputs = inputs, .n = n}, k, answers) : MICA_INVALID_ARGUMENT;
}

mica_status mica_classify_data(mica_model *model, mica_data *data, mica_part part, const char *output, int k, mica_answer *answers)
{
    struct source source = {0};
    MI_TRY(part_of(model, data, part, output, &source));
    return classify(model, &source, k, answers);
}
