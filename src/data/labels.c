/* The texts of labels, kept until the data meet a model (classes.c). */
#include "data/data.h"

#include <stdlib.h>

void mi_labels_destroy(struct mi_label_texts *labels)
{
    mi_words_destroy(&labels->words);
    free(labels->of_word);
    *labels = (struct mi_label_texts){0};
}

mica_status mi_labels_add(mica_data *data, struct mi_field *field, const char *place, int64_t sample, const char *text)
{
    struct mi_label_texts *labels = &field->labels;
    size_t number;
    if (!field->classes && !(field->classes = mi_new((size_t)data->samples, sizeof *field->classes)))
        return mi_out_of_memory(&data->error);
    if (!mi_words_add(&labels->words, text, &number))
        return mi_out_of_memory(&data->error);
    if (number >= MI_MOST_CLASSES)
        return mi_fail(&data->error, MICA_DATA, "%s: the labels have more than %d different values, and values to regress need "
                       "a regression", place, MI_MOST_CLASSES);
    field->classes[sample] = (int32_t)number;
    return MICA_OK;
}
