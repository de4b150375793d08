/* Tables: the first byte chooses how the rest is opened. */
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

/* Every sample of an accepted table can be read, and the table fits the preprocessing that came from it. */
static void use(const mica_data *data, const uint8_t *bytes, size_t size)
{
    float *row = mi_new(data->elements, sizeof *row);
    for (int64_t i = 0; row && i < mica_data_count(data, MICA_TRAIN); i++)
        (void)mica_data_sample(data, MICA_TRAIN, i, row, NULL);
    free(row);
    char *text = copy_text(bytes, size);
    if (text)
        mica_data_destroy(mi_csv_from_text(NULL, "again", text, size,
                                           &(mica_csv_desc){.regression = data->values != NULL},
                                           &data->preprocess));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const char *const labels[] = {NULL, "-1", "0", "y"};
    static const char *const categorical[] = {"0", "c", NULL}, *const first[] = {"0", NULL};
    if (!size)
        return 0;
    unsigned how = bytes[0];
    mica_csv_desc desc = {
        .label = labels[how & 3], .regression = how >> 2 & 1, .header = (mica_header)(how >> 3 & 3) % 3,
        .missing = (mica_missing)((how >> 5) % 3),
        .categorical = how >> 7 ? categorical : how >> 6 ? first : NULL,
        .normalize = {.type = how & 1 ? MICA_STANDARD : MICA_MIN_MAX}};
    char *text = copy_text(bytes + 1, size - 1);
    mica_data *data = text ? mi_csv_from_text(NULL, "fuzz", text, size - 1, &desc, NULL) : NULL;
    if (data && mica_data_status(data) == MICA_OK)
        use(data, bytes + 1, size - 1);
    mica_data_destroy(data);
    return 0;
}
