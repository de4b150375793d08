/* Tables: the first two bytes choose how the rest is opened. */
#include "fuzz.h"

#include "formats/formats.h"

#include <stdlib.h>
#include <string.h>

static char *copy_text(const uint8_t *bytes, size_t size)
{
    char *text = mi_new(size + 1, 1);
    if (text && size)
        memcpy(text, bytes, size);
    return text;
}

/* Every sample of an accepted table can be read, whatever model it meets, and the table fits the preprocessing that came
 * from it, also by way of a model's file. */
static void use(mica_data *data, const uint8_t *bytes, size_t size)
{
    struct mi_error error = {MICA_OK, ""};
    struct mi_prepared loaded = {0};
    struct mi_field *input = mi_data_field(data, MICA_INPUT, NULL), *target = mi_data_field(data, MICA_TARGET, NULL);
    float *row = mi_new(input->elements, sizeof *row);
    for (int64_t i = 0; row && i < mica_data_count(data, MICA_TRAIN); i++)
        (void)mica_data_sample(data, MICA_TRAIN, i, row, NULL);
    free(row);
    for (int64_t room = 2; target && room <= 1000; room += 998)
        (void)mi_data_settle(data, target, &error, room);
    cJSON *json = mi_data_describe(data);
    char *text = copy_text(bytes, size);
    if (text && json && mi_prepared_from_json(&error, "model", json, &loaded) == MICA_OK)
        mica_data_destroy(mi_csv_from_text(NULL, "again", text, size,
                                           &(mica_csv_desc){.regression = target && target->floats}, &loaded));
    else
        free(text);
    mi_prepared_destroy(&loaded);
    cJSON_Delete(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const char *const labels[] = {NULL, "-1", "0", "y"};
    static const char *const categorical[] = {"0", "c", NULL}, *const first[] = {"0", NULL}, *const some[] = {"?*", "1", NULL};
    const mica_calendar calendar = {"d", (const char *const[]){"month", "weekday_one_hot", "hour", NULL}};
    if (size < 2)
        return 0;
    unsigned how = bytes[0], more = bytes[1];
    bool texts = more >> 7 && !(more >> 5 & 1), kinds = more >> 2 & 1 && !texts; /* a series has no texts */
    const mica_text_column text_column = {.tokens = (mica_tokens)((more & 3) % 3), .lower = more & 2,
                                          .max_tokens = !(more & 4) ? 0 : (more & 3) == 2 ? 260 : 5,
                                          .max_length = more >> 6 & 1 ? 3 : 0, .pad_before = how & 1, .cut_before = how & 2};
    mica_csv_desc desc = {
        .label = labels[how & 3], .regression = how >> 2 & 1, .header = (mica_header)(how >> 3 & 3) % 3,
        .missing = (mica_missing)(how >> 5 & 3),
        .categorical = how >> 7 ? categorical : how >> 6 ? first : NULL,
        .decimal = more & 1 ? ',' : more & 2 ? '.' : 0,
        .columns = more >> 3 & 1 ? some : NULL, .drop = more >> 4 & 1 ? first : NULL,
        .limits = {.bytes = 1 << 26},
        .text = texts ? &text_column : NULL,
        .logarithm = kinds ? first : NULL, .calendar = &calendar, .calendar_count = kinds && !(how & 4), .date = kinds ? "d" : NULL,
        .series = {.sequence_length = more >> 5 & 1 ? 1 + (more >> 6) : 0, .horizon = 2, .gap = -(int64_t)(more >> 7)},
        .normalize = {.type = texts ? MICA_NORMALIZE_NONE : how & 1 ? MICA_STANDARD : MICA_MIN_MAX}};
    char *text = copy_text(bytes + 2, size - 2);
    mica_data *data = text ? mi_csv_from_text(NULL, "fuzz", text, size - 2, &desc, NULL) : NULL;
    if (data && mica_data_status(data) == MICA_OK)
        use(data, bytes + 2, size - 2);
    mica_data_destroy(data);
    return 0;
}
