/* What all formats have in the "data" object of a job: how its keys are read, and the fields. */
#include "formats/spec.h"

#include "json/keys.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Keys and values ---- */

mica_status mi_spec_keys(struct mi_spec *s, const cJSON *object, const char *inside,
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

const cJSON *mi_spec_get(const struct mi_spec *s, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(s->json, key);
}

mica_status mi_spec_wrong(struct mi_spec *s, const char *key, const char *wanted)
{
    return mi_fail(&s->error, MICA_FORMAT, "%s: \"%s\" must be %s", s->place, key, wanted);
}

mica_status mi_spec_name(struct mi_spec *s, const char *key, const char *text, const char *const *names, int *out)
{
    for (int i = 0; text && names[i]; i++) {
        if (!strcmp(names[i], text)) {
            *out = i;
            return MICA_OK;
        }
    }
    if (!text)
        return MICA_OK;
    return mi_fail(&s->error, MICA_FORMAT, "%s: there is no %s \"%s\"%s", s->place, key, mi_show(text).text,
                   mi_advise_term(false, text, names).text);
}

mica_status mi_spec_whole(struct mi_spec *s, const char *key, double least, int64_t *out)
{
    const cJSON *item = mi_spec_get(s, key);
    double number = cJSON_IsNumber(item) ? item->valuedouble : (double)NAN;
    if (item && (!(number >= least && number <= INT32_MAX) || floor(number) != number))
        return mi_spec_wrong(s, key, mi_arena_format(&s->arena, "a whole number from %.0f to %d", least, INT32_MAX));
    *out = item ? (int64_t)number : *out;
    return MICA_OK;
}

mica_status mi_spec_choice(struct mi_spec *s, const char *key, const char *const *names, int *out)
{
    const cJSON *item = mi_spec_get(s, key);
    if (!item)
        return MICA_OK;
    if (!cJSON_IsString(item))
        return mi_spec_wrong(s, key, "a text");
    return mi_spec_name(s, key, item->valuestring, names, out);
}

static mica_status read_numbers(struct mi_spec *s, const cJSON *item, const char *key, float **out, int *count)
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
        return mi_spec_wrong(s, key, "a number or a list of numbers");
    cJSON_ArrayForEach(one, item) {
        if (!cJSON_IsNumber(one))
            return mi_spec_wrong(s, key, "a number or a list of numbers");
        (*out)[i++] = (float)one->valuedouble;
    }
    return MICA_OK;
}

mica_status mi_spec_path(struct mi_spec *s, const cJSON *item, const char *key, const char **out)
{
    if (!cJSON_IsString(item) || !item->valuestring[0])
        return mi_spec_wrong(s, key, "the path of a file");
    char *path = mi_path_join(s->folder, item->valuestring);
    *out = path ? mi_arena_strdup(&s->arena, path) : NULL;
    free(path);
    return *out ? MICA_OK : mi_out_of_memory(&s->error);
}

/* ---- What all formats have ---- */

static mica_status read_normalize_object(struct mi_spec *s, const cJSON *item, const char *key, mica_normalize *out)
{
    static const char *const keys[] = {"divide_by", "mean", "std", NULL};
    MI_TRY(mi_spec_keys(s, item, mi_arena_format(&s->arena, ": %s", key), keys));
    const cJSON *divide = cJSON_GetObjectItemCaseSensitive(item, "divide_by");
    const cJSON *mean = cJSON_GetObjectItemCaseSensitive(item, "mean");
    const cJSON *std = cJSON_GetObjectItemCaseSensitive(item, "std");
    float *means = NULL, *deviations = NULL;
    int mean_count, std_count;
    if (divide && !mean && !std && cJSON_IsNumber(divide)) {
        *out = (mica_normalize){.type = MICA_DIVIDE_BY, .divide_by = (float)divide->valuedouble};
        return MICA_OK;
    }
    if (divide || !mean || !std)
        return mi_spec_wrong(s, key, "{\"divide_by\": number} or {\"mean\": ..., \"std\": ...}");
    MI_TRY(read_numbers(s, mean, "mean", &means, &mean_count));
    MI_TRY(read_numbers(s, std, "std", &deviations, &std_count));
    if (mean_count != std_count)
        return mi_fail(&s->error, MICA_FORMAT, "%s: %s: %d means for %d deviations", s->place, key, mean_count, std_count);
    *out = (mica_normalize){.type = MICA_MEAN_STD, .mean = means, .std = deviations, .count = mean_count};
    return MICA_OK;
}

static mica_status read_normalize_item(struct mi_spec *s, const cJSON *item, const char *key, mica_normalize *out)
{
    static const char *const names[] = {"none", "standard", "min_max", NULL};
    if (cJSON_IsObject(item))
        return read_normalize_object(s, item, key, out);
    if (!cJSON_IsString(item))
        return mi_spec_wrong(s, key, "\"standard\", \"min_max\", {\"divide_by\": number} or {\"mean\": ..., \"std\": ...}");
    for (int i = 0; names[i]; i++)
        if (!strcmp(names[i], item->valuestring)) {
            out->type = (mica_normalize_type)i;
            return MICA_OK;
        }
    return mi_fail(&s->error, MICA_FORMAT, "%s: there is no %s \"%s\"%s", s->place, key, mi_show(item->valuestring).text,
                   mi_advise_term(false, item->valuestring, names).text);
}

/* Whether the normalisation is said for each field: an object of names of inputs and targets. */
static bool is_of_each(const struct mi_spec *s)
{
    const cJSON *normalize = mi_spec_get(s, "normalize");
    bool named = cJSON_IsObject(mi_spec_get(s, "inputs")) || cJSON_IsObject(mi_spec_get(s, "targets"));
    bool each = cJSON_IsObject(normalize) && named;
    for (size_t i = 0; each && i < 3; i++)
        each = !cJSON_GetObjectItemCaseSensitive(normalize, (const char *const[]){"divide_by", "mean", "std"}[i]);
    return each;
}

static mica_status read_normalize(struct mi_spec *s)
{
    const cJSON *item = mi_spec_get(s, "normalize");
    return item && !is_of_each(s) ? read_normalize_item(s, item, "normalize", &s->normalize) : MICA_OK;
}

static mica_status read_split(struct mi_spec *s)
{
    const cJSON *split = mi_spec_get(s, "split"), *seed = mi_spec_get(s, "seed"), *shuffle = mi_spec_get(s, "shuffle");
    float *fractions = NULL;
    int count = 0;
    if (split) {
        MI_TRY(read_numbers(s, split, "split", &fractions, &count));
        if (count < 2 || count > 3)
            return mi_spec_wrong(s, "split", "a list of two or three fractions: training, validation, test");
        for (int i = 0; i < count; i++)
            s->split.fraction[i] = fractions[i];
        if (fractions[0] == 0 && fractions[1] == 0 && (count == 2 || fractions[2] == 0))
            return mi_spec_wrong(s, "split", "fractions that sum to 1");
    }
    double number = cJSON_IsNumber(seed) ? seed->valuedouble : -1;
    if (seed && (!(number >= 0 && number <= 9007199254740992.0) || floor(number) != number))
        return mi_spec_wrong(s, "seed", "a whole number from 0 to 9007199254740992");
    if (shuffle && !cJSON_IsBool(shuffle))
        return mi_spec_wrong(s, "shuffle", "true or false");
    s->split.seed = seed ? (uint64_t)number : 0;
    s->split.no_shuffle = cJSON_IsFalse(shuffle);
    return MICA_OK;
}

static mica_status read_sample_shape(struct mi_spec *s)
{
    const cJSON *list = mi_spec_get(s, "sample_shape"), *item;
    if (!list)
        return MICA_OK;
    if (!cJSON_IsArray(list) || cJSON_GetArraySize(list) < 1 || cJSON_GetArraySize(list) > MICA_MAX_RANK)
        return mi_spec_wrong(s, "sample_shape", "a list of 1 to 8 dimensions");
    cJSON_ArrayForEach(item, list) {
        if (!cJSON_IsNumber(item) || !(item->valuedouble >= 1 && item->valuedouble <= 2147483648.0) ||
            floor(item->valuedouble) != item->valuedouble)
            return mi_spec_wrong(s, "sample_shape", "a list of whole numbers from 1 to 2147483648");
        s->sample_shape.dim[s->sample_shape.rank++] = (int64_t)item->valuedouble;
    }
    return MICA_OK;
}

/* {"bytes": ..., "ratio": ...}, both optional. */
static mica_status read_limits(struct mi_spec *s)
{
    static const char *const keys[] = {"bytes", "ratio", NULL};
    uint64_t *const out[] = {&s->limits.bytes, &s->limits.ratio};
    const cJSON *limits = mi_spec_get(s, "limits");
    if (!limits)
        return MICA_OK;
    if (!cJSON_IsObject(limits))
        return mi_spec_wrong(s, "limits", "{\"bytes\": number, \"ratio\": number}");
    MI_TRY(mi_spec_keys(s, limits, ": limits", keys));
    for (int i = 0; i < 2; i++) {
        const cJSON *item = cJSON_GetObjectItemCaseSensitive(limits, keys[i]);
        if (!item)
            continue;
        if (!cJSON_IsNumber(item) || !(item->valuedouble >= 1 && item->valuedouble <= 9007199254740992.0))
            return mi_spec_wrong(s, mi_arena_format(&s->arena, "limits.%s", keys[i]), "a number of 1 or more");
        *out[i] = (uint64_t)item->valuedouble;
    }
    return MICA_OK;
}

mica_status mi_spec_common(struct mi_spec *s)
{
    MI_TRY(read_limits(s));
    MI_TRY(read_normalize(s));
    MI_TRY(read_split(s));
    return read_sample_shape(s);
}

/* ---- Fields ---- */

bool mi_spec_regresses(const struct mi_spec *s, const char *target)
{
    return s->regressions && s->regressions->is(s->regressions->user, target);
}

static mica_status add_field(struct mi_spec *s, mica_role role, const char *key, const cJSON *item, bool named,
                             struct mi_spec_field *field)
{
    *field = (struct mi_spec_field){.role = role, .item = item, .key = key, .normalize = s->normalize};
    if (named) {
        field->name = mi_arena_strdup(&s->arena, item->string);
        field->key = mi_arena_format(&s->arena, "%s.%s", key, mi_show(item->string).text);
        if (s->arena.failed)
            return mi_out_of_memory(&s->error);
    }
    field->regression = role == MICA_TARGET && mi_spec_regresses(s, field->name);
    if (role != MICA_INPUT)
        field->normalize = (mica_normalize){.type = MICA_NORMALIZE_NONE};
    const cJSON *own = role != MICA_WEIGHT && named && is_of_each(s)
                           ? cJSON_GetObjectItemCaseSensitive(mi_spec_get(s, "normalize"), item->string) : NULL;
    if (own && role == MICA_TARGET && !field->regression)
        return mi_fail(&s->error, MICA_FORMAT, "%s: normalize.%s: the target is a class, not a value", s->place, field->name);
    return own ? read_normalize_item(s, own, mi_arena_format(&s->arena, "normalize.%s", field->name), &field->normalize) : MICA_OK;
}

/* A normalisation of a field that there is not. */
static mica_status check_normalize(struct mi_spec *s)
{
    static const char *const keys[] = {"inputs", "targets"};
    const char *names[65];
    size_t count = 0;
    const cJSON *item;
    if (!is_of_each(s))
        return MICA_OK;
    for (size_t i = 0; i < MI_COUNT(keys); i++)
        cJSON_ArrayForEach(item, mi_spec_get(s, keys[i]))
            if (item->string && count + 1 < MI_COUNT(names))
                names[count++] = item->string;
    names[count] = NULL;
    return mi_spec_keys(s, mi_spec_get(s, "normalize"), ": normalize", names);
}

/* One shape cannot be that of several inputs. */
static mica_status check_sample_shape(struct mi_spec *s, const struct mi_spec_field *fields, int count)
{
    int inputs = 0;
    for (int i = 0; i < count; i++)
        inputs += fields[i].role == MICA_INPUT;
    if (inputs < 2 || !s->sample_shape.rank)
        return MICA_OK;
    return mi_fail(&s->error, MICA_FORMAT, "%s: \"sample_shape\" is of one input, there are %d: a layer reshape can follow each",
                   s->place, inputs);
}

mica_status mi_spec_fields(struct mi_spec *s, const cJSON *object, const char *inside, size_t more, struct mi_spec_field **fields,
                           int *count)
{
    static const char *const keys[] = {"inputs", "targets", "sample_weight"};
    size_t room = more + MI_COUNT(keys);
    *count = 0;
    MI_TRY(check_normalize(s));
    for (size_t i = 0; i < MI_COUNT(keys); i++)
        room += (size_t)cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(object, keys[i]));
    *fields = mi_arena_new(&s->arena, room, sizeof **fields);
    if (!*fields)
        return mi_out_of_memory(&s->error);
    for (size_t i = 0; i < MI_COUNT(keys); i++) {
        const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, keys[i]), *child;
        const char *key = mi_arena_format(&s->arena, "%s%s", inside, keys[i]);
        if (!key)
            return mi_out_of_memory(&s->error);
        if (item && !cJSON_IsObject(item))
            MI_TRY(add_field(s, (mica_role)i, key, item, false, &(*fields)[(*count)++]));
        else if (item && !item->child)
            return mi_spec_wrong(s, key, "what the field is read from, or an object that names several");
        else if (item)
            cJSON_ArrayForEach(child, item)
                MI_TRY(add_field(s, (mica_role)i, key, child, true, &(*fields)[(*count)++]));
    }
    return check_sample_shape(s, *fields, *count);
}
