/* Texts: the first two bytes choose how the rest is opened. */
#include "fuzz.h"

#include "formats/formats.h"

#include <stdlib.h>
#include <string.h>

/* Every window of an accepted text can be read, and its tokens are in the vocabulary; the text fits a model that was trained on it, also
 * by way of a model's file, and its windows are the same then. */
static void use(const mica_data *data, const mica_data *again)
{
    const struct mi_field *fields[2] = {mi_data_field(data, MICA_INPUT, NULL), mi_data_field(data, MICA_TARGET, NULL)};
    size_t elements = fields[0]->elements;
    int32_t *tokens = mi_new(2 * elements, sizeof *tokens);
    float *row = mi_new(elements, sizeof *row);
    for (int64_t i = 0; tokens && row && i < data->samples; i++)
        for (int f = 0; f < 2; f++) {
            mi_field_elements(fields[f], i, MI_INT32, row, tokens);
            mi_field_elements(again->fields[f], i, MI_INT32, row, tokens + elements);
            if (memcmp(tokens, tokens + elements, elements * sizeof *tokens) != 0)
                abort();
            for (size_t k = 0; k < elements; k++)
                if (tokens[k] < 0 || tokens[k] >= fields[1]->preprocess.classes)
                    abort();
        }
    free(tokens);
    free(row);
}

static void open_again(const mica_data *data, const char *text, size_t size, const mica_text_desc *desc)
{
    struct mi_error error = {MICA_OK, ""};
    struct mi_prepared loaded = {0};
    cJSON *json = mi_data_describe(data);
    if (json && mi_prepared_from_json(&error, "model", json, &loaded) == MICA_OK) {
        mica_data *again = mi_text_from_memory(NULL, "again", text, size, desc, &loaded);
        if (again && mica_data_status(again) != MICA_OK)
            abort();
        if (again)
            use(data, again);
        mica_data_destroy(again);
    } else if (json) {
        abort();
    }
    mi_prepared_destroy(&loaded);
    cJSON_Delete(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size < 2)
        return 0;
    unsigned how = bytes[0], more = bytes[1];
    const mica_text_desc desc = {
        .tokens = how >> 5 & 1 ? MICA_BPE : how & 1 ? MICA_WORDS : MICA_CHARACTERS, .lower = how >> 1 & 1, .max_tokens = !(how >> 2 & 1) ? 0 : how >> 5 & 1 ? 260 : 4,
        .shuffle = how >> 3 & 1, .window = 1 + (more & 15), .stride = more >> 4,
        .split = {.fraction = {how >> 4 & 1 ? 0.5f : 0, how >> 4 & 1 ? 0.5f : 0}}, .limits = {.bytes = 1 << 24}};
    char *text = mi_new(size - 1, 1);
    if (text)
        memcpy(text, bytes + 2, size - 2);
    mica_data *data = text ? mi_text_from_memory(NULL, "fuzz", text, size - 2, &desc, NULL) : NULL;
    if (data && mica_data_status(data) == MICA_OK)
        open_again(data, text, size - 2, &desc);
    mica_data_destroy(data);
    free(text);
    return 0;
}
