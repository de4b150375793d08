/* The texts of a column, taken apart and kept until it is known what the training part has (tokens.c). */
#include "data/data.h"

#include <stdlib.h>

void mi_texts_destroy(struct mi_texts *texts)
{
    mi_words_destroy(&texts->words);
    free(texts->tokens.list);
    *texts = (struct mi_texts){0};
}

mica_status mi_texts_add(mica_data *data, struct mi_field *field, const struct mi_vocabulary *how, int64_t sample, const char *text)
{
    struct mi_texts *texts = &field->texts;
    size_t count;
    if (!field->offsets && mi_add_size((size_t)data->samples, 1, &count))
        field->offsets = mi_new(count, sizeof *field->offsets);
    if (!field->offsets || !mi_grow(&texts->tokens.list, &texts->tokens.capacity, 1, sizeof *texts->tokens.list) ||
        !mi_tokens_read(how, text, &texts->words, &texts->tokens))
        return mi_out_of_memory(&data->error);
    field->offsets[sample + 1] = (int64_t)texts->tokens.count;
    return MICA_OK;
}
