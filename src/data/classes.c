/* Labels become classes: once when the data are there, and again when they meet a model, as only then it is known whether numbers
 * can be the indices of its outputs. */
#include "data/data.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Deciding ---- */

/* The largest label, where all are indices of classes; else -1. */
static int64_t largest_index(const struct mi_words *words)
{
    int64_t largest = -1, index;
    for (size_t i = 0; i < words->count; i++) {
        if (!mi_is_index(words->list[i], &index) || index >= MI_MOST_CLASSES)
            return -1;
        largest = index > largest ? index : largest;
    }
    return largest;
}

/* Gives word i the class of[i]; the labels of the samples change from what they were. Takes `of`. */
static mica_status assign(mica_data *data, struct mi_field *field, int32_t *of)
{
    struct mi_label_texts *labels = &field->labels;
    int32_t most = 0;
    for (size_t i = 0; labels->of_word && i < labels->words.count; i++)
        most = labels->of_word[i] > most ? labels->of_word[i] : most;
    int32_t *of_class = mi_new(labels->of_word ? (size_t)most + 1 : labels->words.count, sizeof *of_class);
    if (!of_class) {
        free(of);
        return mi_out_of_memory(&data->error);
    }
    for (size_t i = 0; i < labels->words.count; i++)
        of_class[labels->of_word ? (size_t)labels->of_word[i] : i] = of[i];
    for (int64_t i = 0; i < data->samples; i++)
        field->classes[i] = of_class[field->classes[i]];
    free(of_class);
    free(labels->of_word);
    labels->of_word = of;
    return MICA_OK;
}

static mica_status name_classes(mica_data *data, struct mi_field *field, const char *const *names, size_t count)
{
    struct mi_preprocess *p = &field->preprocess;
    p->classes = (int)count;
    p->class_names = NULL;
    if (!names)
        return MICA_OK;
    p->class_names = mi_arena_new(&p->arena, count, sizeof *p->class_names);
    for (size_t c = 0; p->class_names && c < count; c++)
        p->class_names[c] = mi_arena_strdup(&p->arena, names[c]);
    return p->arena.failed ? mi_out_of_memory(&data->error) : MICA_OK;
}

static mica_status decide(mica_data *data, struct mi_field *field, int64_t room)
{
    struct mi_label_texts *labels = &field->labels;
    size_t count = labels->words.count;
    int64_t largest = largest_index(&labels->words), index = 0;
    bool numbers = largest >= 0 && largest < room;
    int32_t *of = mi_new(count, sizeof *of);
    if (!of)
        return mi_out_of_memory(&data->error);
    for (size_t i = 0; i < count; i++) {
        (void)mi_is_index(labels->words.list[i], &index);
        of[i] = (int32_t)(numbers ? index : (int64_t)i);
    }
    MI_TRY(assign(data, field, of));
    labels->room = room;
    field->preprocess.label_numbers = numbers;
    if (!numbers)
        return name_classes(data, field, labels->words.list, count);
    bool named = labels->names && (size_t)largest < labels->name_count;
    return name_classes(data, field, named ? labels->names : NULL, named ? labels->name_count : (size_t)largest + 1);
}

/* As long as there is no model: labels that begin at 0, or that a first line names, are indices. */
static int64_t room_without_model(const struct mi_label_texts *labels)
{
    int64_t largest = largest_index(&labels->words);
    if (largest >= 0 && (size_t)largest < labels->name_count)
        return (int64_t)labels->name_count;
    return largest >= 0 && !strcmp(labels->words.list[0], "0") ? largest + 1 : 0;
}

/* ---- The classes of a model ---- */

static mica_status unknown_class(mica_data *data, struct mi_field *field, const char *place, const struct mi_preprocess *fitted,
                                 size_t word)
{
    int64_t i = 0;
    while (field->classes[i] != (int32_t)word)
        i++;
    const char *text = field->labels.words.list[word];
    if (!fitted->class_names)
        return mi_fail(&data->error, MICA_DATA, "%s: %s: the label \"%s\" is no number of a class, and the model's %d classes "
                       "have no names", place, mi_data_sample_text(data, i).text, mi_show(text).text, fitted->classes);
    const char **names = mi_new((size_t)fitted->classes + 1, sizeof *names);
    for (int c = 0; names && c < fitted->classes; c++)
        names[c] = fitted->class_names[c];
    mi_fail(&data->error, MICA_DATA, "%s: %s: the label \"%s\" is not one of the %d known classes%s", place,
            mi_data_sample_text(data, i).text, mi_show(text).text, fitted->classes, names ? mi_advise(text, names).text : "");
    free(names);
    return data->error.status;
}

/* A first line that names the classes as the model does makes numbers of them, too. */
static bool same_names(const struct mi_label_texts *labels, const struct mi_preprocess *fitted)
{
    bool same = labels->names && fitted->class_names && labels->name_count == (size_t)fitted->classes;
    for (size_t i = 0; same && i < labels->name_count; i++)
        same = !strcmp(labels->names[i], fitted->class_names[i]);
    return same;
}

/* The class of every word by its name; the first word that is none, or the number of words. */
static size_t match_names(const struct mi_words *words, const struct mi_preprocess *fitted, const struct mi_column_names *names,
                          int32_t *of)
{
    for (size_t i = 0; i < words->count; i++) {
        size_t found = 0;
        if (!fitted->class_names || !mi_column_names_find(names, words->list[i], 0, &found))
            return i;
        of[i] = (int32_t)found;
    }
    return words->count;
}

static mica_status match(mica_data *data, struct mi_field *field, const char *place, const struct mi_preprocess *fitted,
                         int32_t *of)
{
    const struct mi_words *words = &field->labels.words;
    struct mi_column_names names = {0};
    if (fitted->class_names && !mi_column_names_create(&names, fitted->class_names, (size_t)fitted->classes))
        return mi_out_of_memory(&data->error);
    size_t unknown = match_names(words, fitted, &names, of);
    mi_column_names_destroy(&names);
    if (unknown == words->count)
        return MICA_OK;
    bool numbers = !fitted->class_names || fitted->label_numbers || same_names(&field->labels, fitted);
    for (size_t i = 0; i < words->count; i++) {
        int64_t index = -1;
        bool good = numbers && mi_is_index(words->list[i], &index) && index < MI_MOST_CLASSES &&
                    (!fitted->class_names || index < fitted->classes);
        if (!good)
            return unknown_class(data, field, place, fitted, numbers ? i : unknown);
        of[i] = (int32_t)index;
    }
    return MICA_OK;
}

static mica_status take_fitted(mica_data *data, struct mi_field *field, const char *place, const struct mi_preprocess *fitted)
{
    int32_t *of = mi_new(field->labels.words.count, sizeof *of);
    if (!of)
        return mi_out_of_memory(&data->error);
    mica_status status = match(data, field, place, fitted, of);
    if (status == MICA_OK)
        return assign(data, field, of);
    free(of);
    return status;
}

/* ---- All labels are there ---- */

/* Where all labels are numbers, one with a fraction is a value. */
static mica_status check_fractions(mica_data *data, struct mi_field *field, const char *place)
{
    const struct mi_words *words = &field->labels.words;
    size_t fraction = words->count;
    double value;
    for (size_t i = 0; i < words->count; i++) {
        if (!mi_parse_number(words->list[i], '.', &value))
            return MICA_OK;
        if (fraction == words->count && floor(value) != value)
            fraction = i;
    }
    if (fraction == words->count)
        return MICA_OK;
    int64_t i = 0;
    while (field->classes[i] != (int32_t)fraction)
        i++;
    return mi_fail(&data->error, MICA_DATA, "%s: %s: the label %s is not a class, and values to regress need a regression",
                   place, mi_data_sample_text(data, i).text, mi_show(words->list[fraction]).text);
}

/* Numbers of words as they came become those in sorted order. */
static mica_status sort_words(mica_data *data, struct mi_field *field)
{
    struct mi_words *words = &field->labels.words;
    uint32_t *places = mi_new(words->count, sizeof *places);
    bool sorted = places && mi_words_sort(words, true, places);
    for (int64_t i = 0; sorted && i < data->samples; i++)
        field->classes[i] = (int32_t)places[field->classes[i]];
    free(places);
    return sorted ? MICA_OK : mi_out_of_memory(&data->error);
}

mica_status mi_labels_finish(mica_data *data, struct mi_field *field, const char *place, const struct mi_preprocess *fitted)
{
    if (!field->classes)
        return MICA_OK;
    MI_TRY(sort_words(data, field));
    MI_TRY(check_fractions(data, field, place));
    if (fitted)
        return take_fitted(data, field, place, fitted);
    MI_TRY(decide(data, field, room_without_model(&field->labels)));
    return mi_data_note_fields(data, false);
}

/* What labels are: the numbers of outputs, or names. */
static const char *const kinds[] = {"numbers of outputs", "names of classes"};

mica_status mi_data_settle(mica_data *data, struct mi_field *field, struct mi_error *error, int64_t room)
{
    bool open = data->error.status == MICA_OK && field->labels.of_word && !field->fitted_before;
    int64_t largest = open ? largest_index(&field->labels.words) : -1;
    bool same = open && (largest >= 0 && largest < room) == field->preprocess.label_numbers;
    if (open && !same && data->readers)
        return mi_fail(error, MICA_INVALID_ARGUMENT,
                       "the labels%s are %s for the model that the data are read for, and %s for this one, whose output has room "
                       "for %lld classes: they cannot share the data",
                       mi_field_text(&field->preprocess).text, kinds[!field->preprocess.label_numbers],
                       kinds[field->preprocess.label_numbers], (long long)room);
    if (same)
        field->labels.room = room;
    if (open && room != field->labels.room && decide(data, field, room) == MICA_OK) {
        (void)mi_data_number_classes(data, field);
        (void)mi_data_note_fields(data, false);
    }
    return mi_error_report(error, &data->error);
}
