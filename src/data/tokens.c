/* The texts of a column become numbers of a vocabulary, which the training part gives or a model has. */
#include "data/data.h"

#include <stdlib.h>
#include <string.h>

/* ---- Numbering ---- */

static mica_status make_vocabulary(mica_data *data, struct mi_field *field)
{
    struct mi_texts *texts = &field->texts;
    struct mi_preprocess *p = &field->preprocess;
    if (texts->words.count >= MI_MOST_CLASSES - 1 && !texts->most && p->vocabulary.tokens != MICA_BPE)
        return mi_fail(&data->error, MICA_DATA, "the texts%s have %zu different %s; max_tokens can take the most frequent",
                       mi_field_text(p).text, texts->words.count, mi_tokens_noun(p->vocabulary.tokens));
    int64_t *seen = mi_new(texts->words.count, sizeof *seen);
    for (int64_t i = 0; seen && i < data->count[MICA_TRAIN]; i++) {
        const int64_t *begin = field->offsets + data->order[i];
        for (int64_t k = begin[0]; k < begin[1]; k++)
            seen[texts->tokens.list[k]]++;
    }
    bool made = seen && mi_vocabulary_make(&p->vocabulary, &p->arena, &texts->words, seen, texts->most);
    free(seen);
    return made ? MICA_OK : mi_out_of_memory(&data->error);
}

static mica_status number_tokens(mica_data *data, struct mi_field *field, const struct mi_vocabulary *vocabulary)
{
    struct mi_texts *texts = &field->texts;
    struct mi_numbering numbering;
    bool good = mi_vocabulary_number(vocabulary, &texts->words, &numbering) &&
                mi_tokens_number(&numbering, &texts->tokens, field->offsets, (size_t)data->samples + 1);
    mi_numbering_destroy(&numbering);
    mi_words_destroy(&texts->words);
    for (size_t i = 0; good && i < texts->tokens.count; i++)
        texts->unknown += texts->tokens.list[i] == mi_vocabulary_unknown(vocabulary);
    return good ? MICA_OK : mi_out_of_memory(&data->error);
}

/* ---- Lengths ---- */

static int64_t longest(const mica_data *data, const struct mi_field *field)
{
    int64_t most = 1;
    for (int64_t i = 0; i < data->samples; i++)
        most = mi_field_length(field, i) > most ? mi_field_length(field, i) : most;
    return most;
}

/* Texts of more tokens than a sample has lose those at one end; what is left moves together. */
static void cut(const mica_data *data, struct mi_field *field, int64_t length, bool before)
{
    struct mi_texts *texts = &field->texts;
    int64_t begin = field->offsets[0], kept = 0;
    for (int64_t i = 0; i < data->samples; i++) {
        int64_t end = field->offsets[i + 1], count = end - begin < length ? end - begin : length;
        texts->cut += count < end - begin;
        memmove(texts->tokens.list + kept, texts->tokens.list + (before ? end - count : begin), (size_t)count * sizeof(int32_t));
        begin = end;
        field->offsets[i + 1] = kept += count;
    }
    texts->tokens.count = (size_t)kept;
}

/* ---- Texts to tell ---- */

/* A mark stands before the first text and behind each: what stands behind the mark before a text is what should be told, and
 * what is read meanwhile begins one token earlier. */
static mica_status add_marks(mica_data *data, struct mi_field *field, int32_t mark)
{
    struct mi_tokens *tokens = &field->texts.tokens;
    size_t count, at = 0;
    int32_t *list = mi_add_size(tokens->count, (size_t)data->samples + 1, &count) ? mi_new(count, sizeof *list) : NULL;
    if (!list)
        return mi_out_of_memory(&data->error);
    list[at++] = mark;
    for (int64_t i = 0, begin = 0; i < data->samples; i++) {
        size_t length = (size_t)(field->offsets[i + 1] - begin);
        memcpy(list + at, tokens->list + begin, length * sizeof *list);
        begin = field->offsets[i + 1];
        at += length;
        list[at++] = mark;
        field->offsets[i + 1] = (int64_t)at - 1;
    }
    free(tokens->list);
    *tokens = (struct mi_tokens){list, count, count};
    return MICA_OK;
}

/* The input NAME_before of the target NAME. */
static mica_status add_before(mica_data *data, const struct mi_field *target)
{
    struct mi_arena arena = {0};
    const char *name = mi_arena_format(&arena, "%s_before", target->preprocess.name);
    struct mi_field *field = name ? mi_data_add(data, name, MICA_INPUT) : NULL;
    mi_arena_destroy(&arena);
    if (!field)
        return mi_out_of_memory(&data->error);
    field->preprocess.shape = target->preprocess.shape;
    field->preprocess.vocabulary = target->preprocess.vocabulary;
    field->elements = target->elements;
    field->width = 1;
    field->tokens = target->texts.tokens.list;
    field->offsets = mi_new((size_t)data->samples + 1, sizeof *field->offsets);
    if (!field->offsets)
        return mi_out_of_memory(&data->error);
    memcpy(field->offsets, target->offsets, ((size_t)data->samples + 1) * sizeof *field->offsets);
    return MICA_OK;
}

/* Tokens are the classes of a text that should be told. */
static mica_status finish_told(mica_data *data, struct mi_field *field, const struct mi_vocabulary *vocabulary)
{
    struct mi_preprocess *p = &field->preprocess;
    MI_TRY(add_marks(data, field, vocabulary->padded));
    field->tokens = field->texts.tokens.list + 1;
    p->vocabulary = *vocabulary; /* a model's until that takes its place */
    p->classes = vocabulary->count;
    p->class_names = mi_arena_new(&p->arena, (size_t)p->classes, sizeof *p->class_names);
    for (int i = 0; p->class_names && i < p->classes; i++)
        p->class_names[i] = mi_arena_strdup(&p->arena, vocabulary->texts[i]);
    return p->arena.failed ? mi_out_of_memory(&data->error) : add_before(data, field);
}

mica_status mi_texts_finish(mica_data *data, struct mi_field *field, const struct mi_preprocess *fitted)
{
    struct mi_texts *texts = &field->texts;
    struct mi_preprocess *p = &field->preprocess;
    size_t elements = 0;
    if (!texts->tokens.list)
        return MICA_OK;
    if (!fitted)
        MI_TRY(make_vocabulary(data, field));
    const struct mi_vocabulary *vocabulary = fitted ? &fitted->vocabulary : &p->vocabulary;
    MI_TRY(number_tokens(data, field, vocabulary));
    (void)(fitted && mi_sample_elements(&fitted->shape, &elements));
    int64_t length = fitted ? (int64_t)elements : texts->length ? texts->length : longest(data, field) + vocabulary->marked;
    cut(data, field, length - vocabulary->marked, vocabulary->cut_before);
    p->shape = MICA_SHAPE(length);
    field->elements = (size_t)length;
    field->width = 1;
    field->tokens = texts->tokens.list;
    return vocabulary->marked ? finish_told(data, field, vocabulary) : MICA_OK;
}

/* ---- What is told ---- */

static void note_field(const mica_data *data, const struct mi_field *field, struct mi_text *line)
{
    const struct mi_texts *texts = &field->texts;
    const struct mi_vocabulary *vocabulary = &field->preprocess.vocabulary;
    const char *noun = mi_tokens_noun(vocabulary->tokens);
    if (!texts->cut && !texts->unknown)
        return;
    mi_text_add(line, "%stexts%s: ", line->data ? "; " : "", mi_field_text(&field->preprocess).text);
    if (texts->cut)
        mi_text_add(line, "%lld of %lld have more than %zu %s, and lose their %s%s", (long long)texts->cut,
                    (long long)data->samples, field->elements, noun, vocabulary->cut_before ? "beginnings" : "ends",
                    texts->unknown ? "; " : "");
    if (texts->unknown)
        mi_text_add(line, "%lld %s are unknown", (long long)texts->unknown, noun);
}

mica_status mi_data_note_texts(mica_data *data)
{
    struct mi_text line = {0};
    for (int i = 0; i < data->field_count; i++)
        note_field(data, data->fields[i], &line);
    mi_data_note(data, MI_NOTE_TEXTS, &line);
    return data->error.status;
}
