/* The "data" object of a job file:
 *
 *   {"format": "csv", "path": FILE, "label": NAME or INDEX, "header": true | false,
 *    "missing": "error" | "drop" | "mean", "decimal": "." | ",",
 *    "columns", "drop", "categorical": [NAME, PATTERN or INDEX, ...]}
 *   {"format": "idx" | "npy", "train": {"inputs": FILE, "labels": FILE}, "validation": {...}, "test": {...}}
 *
 * and in each "normalize", "split": [training, validation, test], "seed" and "shuffle" (of the split),
 * "sample_shape", "limits": {"bytes": number, "ratio": number}. */
#include "formats/formats.h"
#include "json/keys.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct spec {
    struct mi_error error;
    struct mi_arena arena;
    const cJSON *json;
    const char *folder, *place;
    mica_normalize normalize;
    mica_split split;
    mica_shape sample_shape;
    mica_read_limits limits;
};

/* ---- Keys and values ---- */

static mica_status check_keys(struct spec *s, const cJSON *object, const char *inside,
                              const char *const *known)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, object) {
        const char *const *name = known;
        while (*name && strcmp(*name, item->string) != 0)
            name++;
        if (*name)
            continue;
        return mi_fail(&s->error, MICA_FORMAT, "%s%s: there is no key \"%s\"%s", s->place, inside,
                       mi_show(item->string).text, mi_advise_term(true, item->string, known).text);
    }
    return MICA_OK;
}

static const cJSON *get(const struct spec *s, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(s->json, key);
}

static mica_status wrong(struct spec *s, const char *key, const char *wanted)
{
    return mi_fail(&s->error, MICA_FORMAT, "%s: \"%s\" must be %s", s->place, key, wanted);
}

/* One of the names, which stand in the order of their values; absent: *out stays. */
static mica_status read_choice(struct spec *s, const char *key, const char *const *names, int *out)
{
    const cJSON *item = get(s, key);
    if (!item)
        return MICA_OK;
    if (!cJSON_IsString(item))
        return wrong(s, key, "a text");
    for (int i = 0; names[i]; i++) {
        if (!strcmp(names[i], item->valuestring)) {
            *out = i;
            return MICA_OK;
        }
    }
    return mi_fail(&s->error, MICA_FORMAT, "%s: there is no %s \"%s\"%s", s->place, key,
                   mi_show(item->valuestring).text, mi_advise_term(false, item->valuestring, names).text);
}

static mica_status read_numbers(struct spec *s, const cJSON *item, const char *key, float **out, int *count)
{
    const cJSON *one;
    int size = cJSON_IsArray(item) ? cJSON_GetArraySize(item) : 1, i = 0;
    *out = mi_arena_new(&s->arena, (size_t)size, sizeof **out);
    if (!*out)
        return mi_out_of_memory(&s->error);
    *count = size;
    if (cJSON_IsNumber(item)) {
        (*out)[0] = (float)item->valuedouble;
        return MICA_OK;
    }
    if (!cJSON_IsArray(item) || !size)
        return wrong(s, key, "a number or a list of numbers");
    cJSON_ArrayForEach(one, item) {
        if (!cJSON_IsNumber(one))
            return wrong(s, key, "a number or a list of numbers");
        (*out)[i++] = (float)one->valuedouble;
    }
    return MICA_OK;
}

/* A path of the file system, found from the folder of the job. */
static mica_status read_path(struct spec *s, const cJSON *item, const char *key, const char **out)
{
    if (!cJSON_IsString(item) || !item->valuestring[0])
        return wrong(s, key, "the path of a file");
    char *path = mi_path_join(s->folder, item->valuestring);
    *out = path ? mi_arena_strdup(&s->arena, path) : NULL;
    free(path);
    return *out ? MICA_OK : mi_out_of_memory(&s->error);
}

/* ---- What all formats have ---- */

static mica_status read_normalize_object(struct spec *s, const cJSON *item)
{
    static const char *const keys[] = {"divide_by", "mean", "std", NULL};
    MI_TRY(check_keys(s, item, ": normalize", keys));
    const cJSON *divide = cJSON_GetObjectItemCaseSensitive(item, "divide_by");
    const cJSON *mean = cJSON_GetObjectItemCaseSensitive(item, "mean");
    const cJSON *std = cJSON_GetObjectItemCaseSensitive(item, "std");
    float *means = NULL, *deviations = NULL;
    int mean_count, std_count;
    if (divide && !mean && !std && cJSON_IsNumber(divide)) {
        s->normalize = (mica_normalize){.type = MICA_DIVIDE_BY, .divide_by = (float)divide->valuedouble};
        return MICA_OK;
    }
    if (divide || !mean || !std)
        return wrong(s, "normalize", "{\"divide_by\": number} or {\"mean\": ..., \"std\": ...}");
    MI_TRY(read_numbers(s, mean, "mean", &means, &mean_count));
    MI_TRY(read_numbers(s, std, "std", &deviations, &std_count));
    if (mean_count != std_count)
        return mi_fail(&s->error, MICA_FORMAT, "%s: normalize: %d means for %d deviations", s->place,
                       mean_count, std_count);
    s->normalize = (mica_normalize){.type = MICA_MEAN_STD, .mean = means, .std = deviations,
                                    .count = mean_count};
    return MICA_OK;
}

static mica_status read_normalize(struct spec *s)
{
    static const char *const names[] = {"none", "standard", "min_max", NULL};
    const cJSON *item = get(s, "normalize");
    int type = MICA_NORMALIZE_NONE;
    if (cJSON_IsObject(item))
        return read_normalize_object(s, item);
    if (item && !cJSON_IsString(item))
        return wrong(s, "normalize", "\"standard\", \"min_max\", {\"divide_by\": number} or {\"mean\": ..., "
                     "\"std\": ...}");
    MI_TRY(read_choice(s, "normalize", names, &type));
    s->normalize.type = (mica_normalize_type)type;
    return MICA_OK;
}

static mica_status read_split(struct spec *s)
{
    const cJSON *split = get(s, "split"), *seed = get(s, "seed"), *shuffle = get(s, "shuffle");
    float *fractions = NULL;
    int count = 0;
    if (split) {
        MI_TRY(read_numbers(s, split, "split", &fractions, &count));
        if (count < 2 || count > 3)
            return wrong(s, "split", "a list of two or three fractions: training, validation, test");
        for (int i = 0; i < count; i++)
            s->split.fraction[i] = fractions[i];
        if (fractions[0] == 0 && fractions[1] == 0 && (count == 2 || fractions[2] == 0))
            return wrong(s, "split", "fractions that sum to 1");
    }
    double number = cJSON_IsNumber(seed) ? seed->valuedouble : -1;
    if (seed && (!(number >= 0 && number <= 9007199254740992.0) || floor(number) != number))
        return wrong(s, "seed", "a whole number from 0 to 9007199254740992");
    if (shuffle && !cJSON_IsBool(shuffle))
        return wrong(s, "shuffle", "true or false");
    s->split.seed = seed ? (uint64_t)number : 0;
    s->split.no_shuffle = cJSON_IsFalse(shuffle);
    return MICA_OK;
}

static mica_status read_sample_shape(struct spec *s)
{
    const cJSON *list = get(s, "sample_shape"), *item;
    if (!list)
        return MICA_OK;
    if (!cJSON_IsArray(list) || cJSON_GetArraySize(list) < 1 || cJSON_GetArraySize(list) > MICA_MAX_RANK)
        return wrong(s, "sample_shape", "a list of 1 to 8 dimensions");
    cJSON_ArrayForEach(item, list) {
        if (!cJSON_IsNumber(item) || !(item->valuedouble >= 1 && item->valuedouble <= 2147483648.0) ||
            floor(item->valuedouble) != item->valuedouble)
            return wrong(s, "sample_shape", "a list of whole numbers from 1 to 2147483648");
        s->sample_shape.dim[s->sample_shape.rank++] = (int64_t)item->valuedouble;
    }
    return MICA_OK;
}

/* {"bytes": ..., "ratio": ...}, both optional. */
static mica_status read_limits(struct spec *s)
{
    static const char *const keys[] = {"bytes", "ratio", NULL};
    uint64_t *const out[] = {&s->limits.bytes, &s->limits.ratio};
    const cJSON *limits = get(s, "limits");
    if (!limits)
        return MICA_OK;
    if (!cJSON_IsObject(limits))
        return wrong(s, "limits", "{\"bytes\": number, \"ratio\": number}");
    MI_TRY(check_keys(s, limits, ": limits", keys));
    for (int i = 0; i < 2; i++) {
        const cJSON *item = cJSON_GetObjectItemCaseSensitive(limits, keys[i]);
        if (!item)
            continue;
        if (!cJSON_IsNumber(item) || !(item->valuedouble >= 1 && item->valuedouble <= 9007199254740992.0))
            return wrong(s, mi_arena_format(&s->arena, "limits.%s", keys[i]), "a number of 1 or more");
        *out[i] = (uint64_t)item->valuedouble;
    }
    return MICA_OK;
}

static mica_status read_common(struct spec *s)
{
    MI_TRY(read_limits(s));
    MI_TRY(read_normalize(s));
    MI_TRY(read_split(s));
    return read_sample_shape(s);
}

/* ---- Tables ---- */

/* A column's name, or its index: a sign tells it from a name that is a number. */
static mica_status read_column(struct spec *s, const cJSON *item, const char *key, const char **out)
{
    if (cJSON_IsNumber(item) && fabs(item->valuedouble) < 1e9 &&
        floor(item->valuedouble) == item->valuedouble)
        *out = mi_arena_format(&s->arena, "%+d", item->valueint);
    else if (cJSON_IsString(item))
        *out = mi_arena_strdup(&s->arena, item->valuestring);
    else
        return wrong(s, key, "the name or the index of a column");
    return s->arena.failed ? mi_out_of_memory(&s->error) : MICA_OK;
}

static mica_status read_columns(struct spec *s, const char *key, const char *const **out)
{
    const cJSON *list = get(s, key), *item;
    int count = 0;
    if (!list)
        return MICA_OK;
    if (!cJSON_IsArray(list))
        return wrong(s, key, "a list of columns");
    const char **columns = mi_arena_new(&s->arena, (size_t)cJSON_GetArraySize(list) + 1, sizeof *columns);
    if (!columns)
        return mi_out_of_memory(&s->error);
    *out = columns;
    cJSON_ArrayForEach(item, list)
        MI_TRY(read_column(s, item, key, &columns[count++]));
    return MICA_OK;
}

static mica_status read_csv(struct spec *s, mica_csv_desc *desc, const char **path)
{
    static const char *const keys[] = {"format", "path", "label", "header", "missing", "decimal", "columns", "drop",
                                       "categorical", "normalize", "split", "seed", "shuffle", "sample_shape", "limits", NULL};
    static const char *const policies[] = {"error", "drop", "mean", NULL}, *const marks[] = {".", ",", NULL};
    int missing = MICA_MISSING_ERROR, decimal = -1;
    const cJSON *header = get(s, "header"), *label = get(s, "label");
    MI_TRY(check_keys(s, s->json, "", keys));
    MI_TRY(read_path(s, get(s, "path"), "path", path));
    MI_TRY(read_choice(s, "missing", policies, &missing));
    desc->missing = (mica_missing)missing;
    if (header && !cJSON_IsBool(header))
        return wrong(s, "header", "true or false");
    if (header)
        desc->header = cJSON_IsTrue(header) ? MICA_HEADER_YES : MICA_HEADER_NO;
    MI_TRY(read_choice(s, "decimal", marks, &decimal));
    desc->decimal = decimal < 0 ? 0 : marks[decimal][0];
    if (label)
        MI_TRY(read_column(s, label, "label", &desc->label));
    MI_TRY(read_columns(s, "columns", &desc->columns));
    MI_TRY(read_columns(s, "drop", &desc->drop));
    return read_columns(s, "categorical", &desc->categorical);
}

static mica_data *open_csv(struct spec *s, mica_device *device, const struct mi_preprocess *fitted,
                           bool regression)
{
    mica_csv_desc desc = {.regression = regression};
    const char *path = NULL;
    if (read_csv(s, &desc, &path) != MICA_OK || read_common(s) != MICA_OK)
        return NULL;
    desc.normalize = s->normalize;
    desc.split = s->split;
    desc.sample_shape = s->sample_shape;
    desc.limits = s->limits;
    return mi_csv_open(device, path, &desc, fitted);
}

/* ---- Array files ---- */

static mica_status read_part(struct spec *s, const char *name, mica_files *out)
{
    static const char *const keys[] = {"inputs", "images", "labels", NULL};
    const cJSON *part = get(s, name);
    if (!part)
        return MICA_OK;
    if (!cJSON_IsObject(part))
        return wrong(s, name, "{\"inputs\": FILE, \"labels\": FILE}");
    MI_TRY(check_keys(s, part, mi_arena_format(&s->arena, ": %s", name), keys));
    const cJSON *inputs = cJSON_GetObjectItemCaseSensitive(part, "inputs");
    const cJSON *images = cJSON_GetObjectItemCaseSensitive(part, "images");
    const cJSON *labels = cJSON_GetObjectItemCaseSensitive(part, "labels");
    if (!inputs == !images)
        return wrong(s, name, "{\"inputs\": FILE, \"labels\": FILE}, or with \"images\" instead of "
                     "\"inputs\"");
    MI_TRY(read_path(s, inputs ? inputs : images, mi_arena_format(&s->arena, "%s.inputs", name),
                     &out->inputs));
    if (labels)
        MI_TRY(read_path(s, labels, mi_arena_format(&s->arena, "%s.labels", name), &out->labels));
    return MICA_OK;
}

static mica_data *open_arrays(struct spec *s, mica_device *device, mi_array_parser *parser,
                              const struct mi_preprocess *fitted, bool regression)
{
    static const char *const keys[] = {"format", "train", "validation", "test", "normalize", "split", "seed",
                                       "shuffle", "sample_shape", "limits", NULL};
    static const char *const parts[3] = {"train", "validation", "test"};
    mica_files_desc desc = {.regression = regression};
    if (check_keys(s, s->json, "", keys) != MICA_OK)
        return NULL;
    for (int i = 0; i < 3; i++)
        if (read_part(s, parts[i], &desc.part[i]) != MICA_OK)
            return NULL;
    if (!desc.part[0].inputs && !desc.part[1].inputs && !desc.part[2].inputs) {
        wrong(s, "train", "given: {\"inputs\": FILE, \"labels\": FILE}");
        return NULL;
    }
    if (read_common(s) != MICA_OK)
        return NULL;
    desc.normalize = s->normalize;
    desc.split = s->split;
    desc.sample_shape = s->sample_shape;
    desc.limits = s->limits;
    return mi_files_open(device, &desc, parser, fitted);
}

mica_data *mi_data_from_spec(mica_device *device, const cJSON *json, const char *folder, const char *place,
                             const struct mi_preprocess *fitted, bool regression)
{
    static const char *const formats[] = {"csv", "idx", "npy", NULL};
    struct spec s = {.json = json, .folder = folder, .place = place};
    mica_data *data = NULL;
    int format = -1;
    if (!cJSON_IsObject(json))
        mi_fail(&s.error, MICA_FORMAT, "%s: this must be an object, {\"format\": ...}", place);
    else if (read_choice(&s, "format", formats, &format) == MICA_OK && format < 0)
        wrong(&s, "format", "\"csv\", \"idx\" or \"npy\"");
    if (format == 0)
        data = open_csv(&s, device, fitted, regression);
    else if (format > 0)
        data = open_arrays(&s, device, format == 1 ? mi_idx_parse : mi_npy_parse, fitted, regression);
    if (s.error.status != MICA_OK && (data = mi_data_create(device)) != NULL) {
        data->error = s.error;
        (void)mi_data_report(data);
    }
    mi_arena_destroy(&s.arena);
    return data;
}
