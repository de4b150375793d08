/* The "data" object of a job file:
 *
 *   {"format": NAME, what the format has of its own, "inputs", "targets", "sample_weight": fields,
 *    "normalize", "split": [training, validation, test], "seed" and "shuffle" (of the split), "sample_shape",
 *    "limits": {"bytes": number, "ratio": number}, "layers": the model's, which a job puts behind its inputs} */
#include "formats/spec.h"

/* The formats, one a line. */
#define MI_FORMATS(X)                                                                                                            \
    X(csv)                                                                                                                       \
    X(idx)                                                                                                                       \
    X(npy)                                                                                                                       \
    X(npz)                                                                                                                       \
    X(text)

#define DECLARE(name) extern const struct mi_format mi_format_##name;
MI_FORMATS(DECLARE)

#define LIST(name) &mi_format_##name,
static const struct mi_format *const formats[] = {MI_FORMATS(LIST)};

#define NAME(name) #name,
static const char *const format_names[] = {MI_FORMATS(NAME) NULL};

static const char *const common_keys[] = {"format", "inputs", "targets", "sample_weight", "normalize", "split", "seed", "shuffle",
                                          "sample_shape", "limits", "layers"};

static mica_status check_all_keys(struct mi_spec *s, const struct mi_format *format)
{
    const char *keys[64];
    size_t count = 0;
    for (size_t i = 0; i < MI_COUNT(common_keys); i++)
        keys[count++] = common_keys[i];
    for (const char *const *key = format->keys; *key && count + 1 < MI_COUNT(keys); key++)
        keys[count++] = *key;
    keys[count] = NULL;
    return mi_spec_keys(s, s->json, "", keys);
}

static mica_data *open_spec(struct mi_spec *s)
{
    int format = -1;
    if (!cJSON_IsObject(s->json)) {
        mi_fail(&s->error, MICA_FORMAT, "%s: this must be an object, {\"format\": ...}", s->place);
        return NULL;
    }
    if (mi_spec_choice(s, "format", format_names, &format) != MICA_OK)
        return NULL;
    if (format < 0) {
        mi_spec_wrong(s, "format", "\"csv\", \"idx\", \"npy\", \"npz\" or \"text\"");
        return NULL;
    }
    if (check_all_keys(s, formats[format]) != MICA_OK || mi_spec_common(s) != MICA_OK)
        return NULL;
    return formats[format]->open(s);
}

mica_data *mi_data_from_spec(mica_device *device, const cJSON *json, const char *folder, const char *place,
                             const struct mi_prepared *fitted, const struct mi_regressions *regressions)
{
    struct mi_spec s = {.json = json, .folder = folder, .place = place, .device = device, .fitted = fitted,
                        .regressions = regressions};
    mica_data *data = open_spec(&s);
    if (s.error.status != MICA_OK && (data = mi_data_create(device)) != NULL) {
        data->error = s.error;
        (void)mi_data_report(data);
    }
    mi_arena_destroy(&s.arena);
    return data;
}
