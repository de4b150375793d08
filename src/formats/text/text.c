/* Texts: read, taken apart into tokens, and cut into windows, whose target is the same text one token further on. */
#include "formats/formats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { USUAL_WINDOW = 64 };

struct opening {
    mica_data *data;
    const mica_text_desc *desc;
    const char *place;             /* begins errors about the whole: the path of the training text */
    const struct mi_prepared *fitted;
    struct mi_budget budget;
    struct mi_vocabulary how;      /* the model's, or how texts are taken apart until there is one */
    struct mi_words words;         /* every different token of the texts */
    struct mi_tokens tokens;       /* of all parts, one behind the other */
    int64_t part[4];               /* where the tokens of each begin, and where they end */
    int64_t window, stride;
    int64_t unknown;               /* tokens that the vocabulary lacks */
};

static const char *noun(const struct opening *o)
{
    return mi_tokens_noun(o->how.tokens);
}

/* ---- What is asked for ---- */

/* A model has a vocabulary of its own, and the windows that it was trained on. */
static mica_status take_model(struct opening *o)
{
    const struct mi_preprocess *p = o->fitted ? mi_prepared_find(o->fitted, MICA_INPUT, NULL) : NULL;
    if (!o->fitted)
        return MICA_OK;
    if (!p || !p->vocabulary.count)
        return mi_fail(&o->data->error, MICA_DATA, "%s: the model has no vocabulary: it was not trained on a text", o->place);
    if (p->vocabulary.padded)
        return mi_fail(&o->data->error, MICA_DATA, "%s: the model was trained on a column of texts, not on one text", o->place);
    o->how = p->vocabulary;
    if (!o->window && p->shape.rank == 1)
        o->window = p->shape.dim[0];
    return MICA_OK;
}

static mica_status check_desc(struct opening *o)
{
    const mica_text_desc *desc = o->desc;
    struct mi_error *error = &o->data->error;
    MI_TRY(mi_vocabulary_check(error, o->place, &(struct mi_vocabulary){.tokens = desc->tokens}, desc->max_tokens));
    if (desc->window < 0 || desc->window > INT32_MAX || desc->stride < 0 || desc->stride > INT32_MAX)
        return mi_fail(error, MICA_INVALID_ARGUMENT, "%s: a window of %lld and a stride of %lld; they must be from 1 to %d",
                       o->place, (long long)desc->window, (long long)desc->stride, INT32_MAX);
    o->how = (struct mi_vocabulary){.tokens = desc->tokens, .lower = desc->lower};
    o->window = desc->window;
    MI_TRY(take_model(o));
    o->window = o->window ? o->window : USUAL_WINDOW;
    o->stride = desc->stride ? desc->stride : o->window;
    return MICA_OK;
}

/* ---- Tokens ---- */

static mica_status read_text(struct opening *o, const char *path, const char *text, size_t size)
{
    struct mi_error *error = &o->data->error;
    size_t fault = mi_text_fault(text, size), begin = size >= 3 && !memcmp(text, "\xef\xbb\xbf", 3) ? 3 : 0;
    if (fault < size)
        return mi_fail(error, MICA_FORMAT, "%s: byte %zu (0x%02x) is no text in UTF-8", path, fault, (unsigned char)text[fault]);
    if (size > UINT64_MAX / 32)
        return mi_out_of_memory(error);
    MI_TRY(mi_budget_take(&o->budget, error, path, "its tokens", size * mi_tokens_cost(o->how.tokens)));
    return mi_tokens_read(&o->how, text + begin, &o->words, &o->tokens) ? MICA_OK : mi_out_of_memory(error);
}

/* How many windows a part has. */
static mica_status count_windows(struct opening *o, int part, const char *path)
{
    int64_t count = o->part[part + 1] - o->part[part];
    if (count < o->window + 1)
        return mi_fail(&o->data->error, MICA_DATA, "%s: %lld %s are too few for a window of %lld and what comes next", path,
                       (long long)count, noun(o), (long long)o->window);
    o->data->count[part] = (count - o->window - 1) / o->stride + 1;
    o->data->samples += o->data->count[part];
    return MICA_OK;
}

static mica_status read_files(struct opening *o)
{
    for (int part = 0; part < 3; part++) {
        const char *path = o->desc->part[part];
        unsigned char *bytes = NULL;
        size_t size = 0;
        if (path) {
            MI_TRY(mi_data_file_read(&o->data->error, path, &o->budget, &bytes, &size));
            mica_status status = read_text(o, path, (const char *)bytes, size);
            free(bytes);
            mi_budget_give(&o->budget, size);
            MI_TRY(status);
        }
        o->part[part + 1] = (int64_t)o->tokens.count;
    }
    return MICA_OK;
}

/* ---- Windows ---- */

static mica_status cut(struct opening *o)
{
    mica_data *data = o->data;
    size_t bytes;
    if (!mi_mul_size((size_t)data->samples, 3 * sizeof *data->starts, &bytes)) /* the orders of samples take as much each */
        return mi_out_of_memory(&data->error);
    MI_TRY(mi_budget_take(&o->budget, &data->error, o->place, "its windows", bytes));
    data->starts = mi_new((size_t)data->samples, sizeof *data->starts);
    if (!data->starts)
        return mi_out_of_memory(&data->error);
    for (int64_t part = 0, sample = 0; part < 3; part++)
        for (int64_t i = 0; i < data->count[part]; i++)
            data->starts[sample++] = o->part[part] + i * o->stride;
    data->window = o->window;
    data->in_order = !o->desc->shuffle;
    return MICA_OK;
}

/* ---- The vocabulary ---- */

/* The tokens that training sees: where the end of the text is split off, those before it. Byte pairs are learnt before it is known
 * how many windows there are. */
static int64_t training_tokens(const struct opening *o)
{
    double fraction = (double)o->desc->split.fraction[0];
    bool whole = o->desc->shuffle || !(fraction > 0 && fraction < 1);
    if (!whole && o->how.tokens == MICA_BPE)
        return llround(fraction * (double)o->part[1]);
    int64_t windows = whole ? o->data->count[MICA_TRAIN] : llround(fraction * (double)o->data->count[MICA_TRAIN]);
    return whole || !windows ? o->part[1] : o->data->starts[windows - 1] + o->window + 1;
}

static mica_status make_vocabulary(struct opening *o)
{
    struct mi_field *input = o->data->fields[0];
    if (o->words.count >= MI_MOST_CLASSES && !o->desc->max_tokens && o->how.tokens != MICA_BPE)
        return mi_fail(&o->data->error, MICA_DATA, "%s: there are %zu different %s; max_tokens can take the most frequent",
                       o->place, o->words.count, noun(o));
    int64_t *seen = mi_new(o->words.count, sizeof *seen), count = training_tokens(o);
    for (int64_t i = 0; seen && i < count; i++)
        seen[o->tokens.list[i]]++;
    bool made = seen && mi_vocabulary_make(&o->how, &input->preprocess.arena, &o->words, seen, o->desc->max_tokens);
    free(seen);
    return made ? MICA_OK : mi_out_of_memory(&o->data->error);
}

static mica_status number_tokens(struct opening *o)
{
    struct mi_numbering numbering;
    bool good = mi_vocabulary_number(&o->how, &o->words, &numbering) &&
                mi_tokens_number(&numbering, &o->tokens, o->part, MI_COUNT(o->part));
    mi_numbering_destroy(&numbering);
    for (size_t i = 0; good && i < o->tokens.count; i++)
        o->unknown += o->tokens.list[i] == mi_vocabulary_unknown(&o->how);
    return good ? MICA_OK : mi_out_of_memory(&o->data->error);
}

static mica_status make_numbers(struct opening *o)
{
    if (!o->fitted)
        MI_TRY(make_vocabulary(o));
    return number_tokens(o);
}

/* ---- Fields ---- */

/* The input has the vocabulary, the target its tokens as classes; a model's take their place when the data are finished. */
static mica_status fill_fields(struct opening *o)
{
    struct mi_field *input = o->data->fields[0], *target = o->data->fields[1];
    struct mi_preprocess *p = &target->preprocess;
    for (int i = 0; i < 2; i++) {
        o->data->fields[i]->preprocess.shape = MICA_SHAPE(o->window);
        o->data->fields[i]->tokens = o->data->tokens + i;
        o->data->fields[i]->starts = o->data->starts;
    }
    if (!o->fitted)
        input->preprocess.vocabulary = o->how;
    p->classes = o->how.count;
    p->class_names = mi_arena_new(&p->arena, (size_t)p->classes, sizeof *p->class_names);
    for (int i = 0; p->class_names && i < p->classes; i++)
        p->class_names[i] = mi_arena_strdup(&p->arena, o->how.texts[i]);
    return p->arena.failed ? mi_out_of_memory(&o->data->error) : MICA_OK;
}

/* Of data for a model only what it does not know. */
static void note(const struct opening *o, int64_t count)
{
    struct mi_text line = {0};
    if (!o->fitted)
        mi_text_add(&line, "text: %lld %s, a vocabulary of %d%s; %lld windows of %lld, one every %lld", (long long)count, noun(o),
                    o->how.count, mi_vocabulary_unknown(&o->how) < 0 ? "" : " with the one for what is unknown",
                    (long long)o->data->samples, (long long)o->window, (long long)o->stride);
    if (o->unknown)
        mi_text_add(&line, "%s%lld of %lld %s are unknown", line.data ? "; " : "text: ", (long long)o->unknown, (long long)count,
                    noun(o));
    mi_data_note(o->data, MI_NOTE_TABLE, &line);
}

/* Of characters and words it is known before they have numbers how many there are, of byte pairs only then. The places of the parts
 * are told. */
static mica_status finish(struct opening *o, const char *const *paths)
{
    mica_split split = o->desc->split;
    bool pairs = o->how.tokens == MICA_BPE;
    split.no_shuffle = !o->desc->shuffle;
    if (pairs)
        MI_TRY(make_numbers(o));
    int64_t count = (int64_t)o->tokens.count;
    for (int part = 0; part < 3; part++)
        if (paths[part])
            MI_TRY(count_windows(o, part, paths[part]));
    MI_TRY(cut(o));
    if (!pairs)
        MI_TRY(make_numbers(o));
    o->data->tokens = o->tokens.list;
    o->tokens = (struct mi_tokens){0};
    MI_TRY(fill_fields(o));
    MI_TRY(mi_data_finish(o->data, &(struct mi_finish){.place = o->place, .split = split, .fitted = o->fitted}));
    note(o, count);
    return o->data->error.status;
}

/* ---- The data set ---- */

static mica_status begin(struct opening *o)
{
    if (!o->desc || !o->place)
        return mi_fail(&o->data->error, MICA_INVALID_ARGUMENT, "text: %s is needed",
                       !o->desc ? "a description" : "a training text");
    o->budget = mi_budget_of(&o->desc->limits);
    if (!mi_data_add(o->data, NULL, MICA_INPUT) || !mi_data_add(o->data, NULL, MICA_TARGET))
        return o->data->error.status;
    return check_desc(o);
}

static void end(struct opening *o)
{
    free(o->tokens.list);
    mi_words_destroy(&o->words);
    (void)mi_data_report(o->data);
}

mica_data *mi_text_open(mica_device *device, const mica_text_desc *desc, const struct mi_prepared *fitted)
{
    mica_data *data = mi_data_create(device);
    struct opening o = {.data = data, .desc = desc, .place = desc ? desc->part[MICA_TRAIN] : NULL, .fitted = fitted};
    if (!data)
        return NULL;
    if (begin(&o) == MICA_OK && read_files(&o) == MICA_OK)
        (void)finish(&o, desc->part);
    end(&o);
    return data;
}

mica_data *mi_text_from_memory(mica_device *device, const char *place, const char *text, size_t size, const mica_text_desc *desc,
                               const struct mi_prepared *fitted)
{
    mica_data *data = mi_data_create(device);
    struct opening o = {.data = data, .desc = desc, .place = place, .fitted = fitted};
    if (!data)
        return NULL;
    if (begin(&o) == MICA_OK && read_text(&o, place, text, size) == MICA_OK) {
        o.part[1] = o.part[2] = o.part[3] = (int64_t)o.tokens.count;
        (void)finish(&o, (const char *const[]){place, NULL, NULL});
    }
    end(&o);
    return data;
}

mica_data *mica_text_open(mica_device *device, const mica_text_desc *desc)
{
    return mi_text_open(device, desc, NULL);
}
