/* Answers of an encoder and a decoder: what the decoder writes of each sample is read by it again, in beams side by side. */
#include "train/beams.h"
#include "train/training.h"
#include "train/writing.h"

#include <stdlib.h>
#include <string.h>

struct decoding {
    mica_model *model;
    mica_data *data;
    mica_part part;
    mica_decode_desc desc;         /* with what the model says, where the application does not */
    struct mi_prepared prepared;
    const struct mi_vocabulary *vocabulary; /* NULL: there is none */
    const mi_value *input, *output;
    int beams;
    int64_t known;                 /* classes from 0 on that may be written ... */
    bool *never;                   /* (known) ... but for these */
    struct mi_sequences sequences; /* of some samples */
};

static struct mi_error *error_of(const struct decoding *d)
{
    return &d->model->device->error;
}

/* ---- What is asked for ---- */

static mica_status find_input(struct decoding *d)
{
    const struct mi_graph *graph = d->model->graph;
    const char *names[33];
    size_t count = 0;
    for (size_t i = 0; i < graph->input_count; i++) {
        if (mi_length_of(graph->inputs[i], NULL))
            continue;
        if (!strcmp(graph->inputs[i]->name, d->desc.input))
            d->input = graph->inputs[i];
        if (count + 1 < MI_COUNT(names))
            names[count++] = graph->inputs[i]->name;
    }
    names[count] = NULL;
    if (!d->input)
        return mi_fail(error_of(d), MICA_INVALID_ARGUMENT, "the model has no input \"%s\"%s", mi_show(d->desc.input).text,
                       mi_advise(d->desc.input, names).text);
    if (graph->input_count < 2)
        return mi_fail(error_of(d), MICA_UNSUPPORTED, "the model has no input but \"%s\": there is nothing to answer to",
                       mi_show(d->desc.input).text);
    return MICA_OK;
}

/* What a model of pairs of texts was trained with. */
static mica_status find_texts(struct decoding *d)
{
    for (int i = 0; i < d->prepared.count && !d->vocabulary; i++) {
        const struct mi_preprocess *p = &d->prepared.fields[i];
        if (p->role != MICA_INPUT || !p->vocabulary.marked || !p->name)
            continue;
        d->vocabulary = &p->vocabulary;
        d->desc.input = p->name;
        d->desc.start = d->desc.end = p->vocabulary.padded;
    }
    if (d->vocabulary)
        return MICA_OK;
    return mi_fail(error_of(d), MICA_INVALID_ARGUMENT, "input is NULL, and the model was not trained on pairs of texts");
}

static mica_status find_output(struct decoding *d)
{
    const char *output = d->desc.output;
    d->output = mi_model_output(d->model->graph, output);
    if (d->output)
        return MICA_OK;
    if (!output)
        return mi_fail(error_of(d), MICA_INVALID_ARGUMENT, "the model has no output: mica_output declares one");
    return mi_fail(error_of(d), MICA_INVALID_ARGUMENT, "the model has no output \"%s\"", mi_show(output).text);
}

static mica_status check_classes(struct decoding *d)
{
    const mica_decode_desc *desc = &d->desc;
    const struct { const char *what; int32_t number; } of[] = {{"start", desc->start}, {"end", desc->end}};
    for (size_t i = 0; i < MI_COUNT(of); i++)
        if (of[i].number < 0 || of[i].number >= d->known)
            return mi_fail(error_of(d), MICA_INVALID_ARGUMENT, "%s is %d, the classes are from 0 to %lld", of[i].what, of[i].number,
                           (long long)(d->known - 1));
    if (desc->suppress_count < 0 || (desc->suppress_count && !desc->suppress))
        return mi_fail(error_of(d), MICA_INVALID_ARGUMENT, "%d classes to suppress%s", desc->suppress_count,
                       desc->suppress_count > 0 ? ", and they are NULL" : "");
    d->never = mi_new((size_t)d->known, sizeof *d->never);
    if (!d->never)
        return mi_out_of_memory(error_of(d));
    d->never[desc->start] = desc->start != desc->end;
    d->never[0] = d->never[0] || (d->vocabulary && d->vocabulary->padded);
    for (int i = 0; i < desc->suppress_count; i++) {
        if (desc->suppress[i] < 0 || desc->suppress[i] >= d->known || desc->suppress[i] == desc->end)
            return mi_fail(error_of(d), MICA_INVALID_ARGUMENT, "class %d cannot be suppressed: %s", desc->suppress[i],
                           desc->suppress[i] == desc->end ? "it is the end" : "there is none");
        d->never[desc->suppress[i]] = true;
    }
    return MICA_OK;
}

static mica_status check(struct decoding *d)
{
    struct mi_sequences *s = &d->sequences;
    MI_TRY(mi_beams_check(error_of(d), d->desc.num_beams, d->desc.length_penalty));
    MI_TRY(find_input(d));
    MI_TRY(find_output(d));
    d->beams = d->desc.num_beams > 1 ? d->desc.num_beams : 1;
    *s = (struct mi_sequences){.model = d->model, .input = d->input, .output = d->output, .output_name = d->desc.output};
    MI_TRY(mi_sequences_check(s, d->vocabulary ? d->vocabulary->count : 2));
    if (d->desc.tokens < 0 || d->desc.tokens > s->window)
        return mi_fail(error_of(d), MICA_INVALID_ARGUMENT, "tokens is %lld, the input \"%s\" has %lld steps",
                       (long long)d->desc.tokens, mi_show(d->desc.input).text, (long long)s->window);
    d->desc.tokens = d->desc.tokens ? d->desc.tokens : s->window;
    d->known = d->vocabulary ? mi_vocabulary_known(d->vocabulary) : s->classes;
    MI_TRY(check_classes(d));
    return mi_samples_check(d->model, d->data, d->part, d->input);
}

/* ---- Some samples ---- */

static mica_status read_given(struct decoding *d, int64_t first, int64_t count)
{
    const struct mi_graph *graph = d->model->graph;
    struct mi_sequences *s = &d->sequences;
    s->given = mi_new(graph->input_count, sizeof *s->given);
    for (size_t i = 0; s->given && i < graph->input_count; i++) {
        const mi_value *input = graph->inputs[i];
        size_t elements;
        if (input == d->input)
            continue;
        if (!mi_mul_size((size_t)count, (size_t)mi_shape_count(&input->shape, 1), &elements))
            return mi_out_of_memory(error_of(d));
        void *values = mi_new(elements, mi_types[input->type].bytes);
        if (!values)
            return mi_out_of_memory(error_of(d));
        s->given[s->given_count++] = (struct mi_given){input, values};
        MI_TRY(mi_samples_stage(d->model, d->data, d->part, first, count, i, values));
    }
    return s->given ? MICA_OK : mi_out_of_memory(error_of(d));
}

static mica_status tell(struct decoding *d, int64_t number, const struct mi_way *way)
{
    struct mi_writing writing = {.vocabulary = d->vocabulary, .begins = true, .ended = way->ended, .score = way->score};
    bool good = true, goes_on = true;
    size_t from;
    for (int64_t i = 0; i < way->count && good; i++)
        good = mi_writing_add(&writing, way->tokens[i], i + 1 == way->count, &from);
    const mica_written told = mi_writing_told(&writing, number);
    if (good && d->desc.on_written)
        goes_on = d->desc.on_written(d->desc.user, &told);
    mi_writing_destroy(&writing);
    return !good ? mi_out_of_memory(error_of(d)) : goes_on ? MICA_OK : MICA_CANCELLED;
}

static mica_status search(struct decoding *d, int64_t first, int64_t count)
{
    const int32_t **begin = mi_new((size_t)count, sizeof *begin);
    int64_t *begin_count = mi_new((size_t)count, sizeof *begin_count);
    struct mi_way *best = mi_new((size_t)count, sizeof *best);
    bool made = begin && begin_count && best;
    for (int64_t i = 0; i < count && made; i++) {
        begin[i] = &d->desc.start;
        begin_count[i] = 1;
    }
    const struct mi_beams_desc how = {
        .groups = count, .beams = d->beams, .begin = begin, .begin_count = begin_count, .tokens = d->desc.tokens, .known = d->known,
        .never = d->never, .end = d->desc.end, .length_penalty = (double)d->desc.length_penalty};
    mica_status status = made ? mi_beam_search(&d->sequences, &how, best) : mi_out_of_memory(error_of(d));
    for (int64_t i = 0; i < count && made; i++) {
        if (status == MICA_OK)
            status = tell(d, first + i, &best[i]);
        free(best[i].tokens);
    }
    free(begin);
    free(begin_count);
    free(best);
    return status;
}

static mica_status decode_some(struct decoding *d, int64_t first, int64_t count)
{
    struct mi_sequences *s = &d->sequences;
    *s = (struct mi_sequences){.model = d->model, .input = d->input, .output = d->output, .output_name = d->desc.output,
                               .rows = count * d->beams, .sources = count};
    mica_status status = read_given(d, first, count);
    if (status == MICA_OK)
        status = mi_sequences_create(s, d->known);
    if (status == MICA_OK)
        status = search(d, first, count);
    mi_sequences_destroy(s);
    return status;
}

/* ---- All together ---- */

static mica_status decode(struct decoding *d)
{
    int64_t count = mica_data_count(d->data, d->part);
    MI_TRY(check(d));
    for (int64_t first = 0, most = MI_MOST_SEQUENCES / d->beams; first < count; first += most)
        MI_TRY(decode_some(d, first, count - first < most ? count - first : most));
    return MICA_OK;
}

mica_status mica_decode(mica_model *model, mica_data *data, mica_part part, const mica_decode_desc *desc)
{
    struct decoding d = {.model = model, .data = data, .part = part};
    if (!model)
        return MICA_INVALID_ARGUMENT;
    MI_TRY(mi_model_begin(model));
    if (!desc || !data)
        return mi_fail(error_of(&d), MICA_INVALID_ARGUMENT, "to decode takes data and a description; the %s NULL",
                       !desc ? "description is" : "data are");
    d.desc = *desc;
    mica_status status = mi_prepared_parse(error_of(&d), "the model", model->preprocess, &d.prepared);
    if (status == MICA_OK && !desc->input)
        status = find_texts(&d);
    if (status == MICA_OK)
        status = decode(&d);
    mi_prepared_destroy(&d.prepared);
    free(d.never);
    return status;
}
