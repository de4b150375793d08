/* Labels as classes. */
#include "formats/formats.h"

#include <stdlib.h>
#include <string.h>

/* "line 7" or "sample 7". */
static const char *where(const struct mi_label_source *source, int64_t i, char out[32])
{
    if (source->lines)
        mi_format(out, 32, "line %zu", source->lines[i]);
    else
        mi_format(out, 32, "sample %lld", (long long)i);
    return out;
}

static int compare_words(const void *a, const void *b)
{
    const char *const *left = a, *const *right = b;
    return strcmp(*left, *right);
}

static int compare_numbers(const void *a, const void *b)
{
    const int64_t *left = a, *right = b;
    return (*left > *right) - (*left < *right);
}

static mica_status too_many(mica_data *data, const struct mi_label_source *source, size_t distinct)
{
    return mi_fail(&data->error, MICA_DATA, "%s: the labels have %zu different values; there can be %d "
                   "classes, and values to regress need a regression", source->place, distinct,
                   MI_MOST_CLASSES);
}

static bool make_classes(mica_data *data)
{
    data->classes = mi_new((size_t)data->samples, sizeof *data->classes);
    return data->classes != NULL;
}

/* ---- Words ---- */

/* A model's classes, sorted by name. */
struct named {
    const char *name;
    int32_t index;
};

static int compare_named(const void *a, const void *b)
{
    const struct named *left = a, *right = b;
    return strcmp(left->name, right->name);
}

static mica_status unknown_class(mica_data *data, const struct mi_label_source *source, int64_t i,
                                 const char *word, const struct named *sorted)
{
    char place[32];
    int classes = source->fitted->classes;
    const char **names = mi_new((size_t)classes + 1, sizeof *names);
    for (int c = 0; names && c < classes; c++)
        names[c] = sorted[c].name;
    mica_status status = mi_fail(&data->error, MICA_DATA, "%s: %s: the label \"%s\" is not one of the %d "
                                 "known classes%s", source->place, where(source, i, place),
                                 mi_show(word).text, classes, names ? mi_advise(word, names).text : "");
    free(names);
    return status;
}

static mica_status match_words(mica_data *data, const struct mi_label_source *source,
                               const char *const *labels)
{
    int classes = source->fitted->classes;
    struct named *sorted = mi_new((size_t)classes, sizeof *sorted);
    if (!sorted)
        return mi_out_of_memory(&data->error);
    for (int c = 0; c < classes; c++)
        sorted[c] = (struct named){source->fitted->class_names[c], c};
    qsort(sorted, (size_t)classes, sizeof *sorted, compare_named);
    mica_status status = MICA_OK;
    for (int64_t i = 0; i < data->samples && status == MICA_OK; i++) {
        struct named key = {labels[i], 0};
        const struct named *found = bsearch(&key, sorted, (size_t)classes, sizeof *sorted, compare_named);
        if (found)
            data->classes[i] = found->index;
        else
            status = unknown_class(data, source, i, labels[i], sorted);
    }
    free(sorted);
    return status;
}

/* Sorts the words and leaves each once. */
static size_t distinct_words(const char **words, size_t count)
{
    size_t kept = 0;
    qsort(words, count, sizeof *words, compare_words);
    for (size_t i = 0; i < count; i++)
        if (!kept || strcmp(words[kept - 1], words[i]) != 0)
            words[kept++] = words[i];
    return kept;
}

static mica_status name_words(mica_data *data, const struct mi_label_source *source,
                              const char *const *labels, const char **sorted)
{
    struct mi_preprocess *p = &data->preprocess;
    memcpy(sorted, labels, (size_t)data->samples * sizeof *sorted);
    size_t count = distinct_words(sorted, (size_t)data->samples);
    if (count > MI_MOST_CLASSES)
        return too_many(data, source, count);
    for (int64_t i = 0; i < data->samples; i++) {
        const char **found = bsearch(&labels[i], sorted, count, sizeof *sorted, compare_words);
        data->classes[i] = (int32_t)(found - sorted);
    }
    p->classes = (int)count;
    p->class_names = mi_arena_new(&p->arena, count, sizeof *p->class_names);
    for (size_t c = 0; p->class_names && c < count; c++)
        p->class_names[c] = mi_arena_strdup(&p->arena, sorted[c]);
    return p->arena.failed ? mi_out_of_memory(&data->error) : MICA_OK;
}

mica_status mi_labels_from_words(mica_data *data, const struct mi_label_source *source,
                                 const char *const *labels)
{
    if (!make_classes(data))
        return mi_out_of_memory(&data->error);
    if (source->fitted && source->fitted->class_names)
        return match_words(data, source, labels);
    if (source->fitted)
        return mi_fail(&data->error, MICA_DATA, "%s: the labels are words (\"%s\"), the model's %d classes "
                       "have no names", source->place, mi_show(labels[0]).text, source->fitted->classes);
    const char **sorted = mi_new((size_t)data->samples, sizeof *sorted);
    if (!sorted)
        return mi_out_of_memory(&data->error);
    mica_status status = name_words(data, source, labels, sorted);
    free(sorted);
    return status;
}

/* ---- Numbers ---- */

/* Numbers as the names that a model gave its classes. */
static mica_status match_numbers(mica_data *data, const struct mi_label_source *source, const int64_t *labels)
{
    enum { WIDTH = 24 };
    const char **words = mi_new((size_t)data->samples, sizeof *words);
    char *text = mi_new((size_t)data->samples, WIDTH);
    mica_status status = words && text ? MICA_OK : mi_out_of_memory(&data->error);
    for (int64_t i = 0; i < data->samples && status == MICA_OK; i++) {
        mi_format(text + i * WIDTH, WIDTH, "%lld", (long long)labels[i]);
        words[i] = text + i * WIDTH;
    }
    if (status == MICA_OK)
        status = match_words(data, source, words);
    free(words);
    free(text);
    return status;
}

static mica_status index_numbers(mica_data *data, const struct mi_label_source *source, const int64_t *labels)
{
    char place[32];
    for (int64_t i = 0; i < data->samples; i++) {
        if (labels[i] < 0 || labels[i] >= MI_MOST_CLASSES)
            return mi_fail(&data->error, MICA_DATA, "%s: %s: the label is %lld; classes count from 0 to %d, "
                           "and values to regress need a regression", source->place, where(source, i, place),
                           (long long)labels[i], MI_MOST_CLASSES - 1);
        data->classes[i] = (int32_t)labels[i];
        if (data->classes[i] >= data->preprocess.classes)
            data->preprocess.classes = data->classes[i] + 1;
    }
    return MICA_OK;
}

/* Numbers that do not begin at 0: 1, 2, 3 or -1, 1. Each becomes a class with its digits as the name. */
static mica_status name_numbers(mica_data *data, const struct mi_label_source *source, const int64_t *labels,
                                int64_t *sorted)
{
    struct mi_preprocess *p = &data->preprocess;
    size_t samples = (size_t)data->samples, count = 0;
    memcpy(sorted, labels, samples * sizeof *sorted);
    qsort(sorted, samples, sizeof *sorted, compare_numbers);
    for (size_t i = 0; i < samples; i++)
        if (!count || sorted[count - 1] != sorted[i])
            sorted[count++] = sorted[i];
    if (count > MI_MOST_CLASSES)
        return too_many(data, source, count);
    for (size_t i = 0; i < samples; i++) {
        const int64_t *found = bsearch(&labels[i], sorted, count, sizeof *sorted, compare_numbers);
        data->classes[i] = (int32_t)(found - sorted);
    }
    p->classes = (int)count;
    p->class_names = mi_arena_new(&p->arena, count, sizeof *p->class_names);
    for (size_t c = 0; p->class_names && c < count; c++)
        p->class_names[c] = mi_arena_format(&p->arena, "%lld", (long long)sorted[c]);
    return p->arena.failed ? mi_out_of_memory(&data->error) : MICA_OK;
}

mica_status mi_labels_from_numbers(mica_data *data, const struct mi_label_source *source,
                                   const int64_t *labels)
{
    int64_t least = labels[0];
    for (int64_t i = 1; i < data->samples; i++)
        least = labels[i] < least ? labels[i] : least;
    if (!make_classes(data))
        return mi_out_of_memory(&data->error);
    if (source->fitted && source->fitted->class_names)
        return match_numbers(data, source, labels);
    if (least == 0 || source->fitted)
        return index_numbers(data, source, labels);
    int64_t *sorted = mi_new((size_t)data->samples, sizeof *sorted);
    if (!sorted)
        return mi_out_of_memory(&data->error);
    mica_status status = name_numbers(data, source, labels, sorted);
    free(sorted);
    return status;
}
