/* JSON objects into descriptors, by tables. */
#include "json/keys.h"

#include <mica/model.h>

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_CANDIDATES = 64 };

struct reader {
    struct mi_error *error;
    const char *place;
};

/* "place.key", or the one that there is. */
static mica_status wrong(const struct reader *reader, const char *key, const char *what)
{
    return mi_fail(reader->error, MICA_FORMAT, "%s%s%s: %s", reader->place, *reader->place ? "." : "", key, what);
}

mica_status mi_keys_unknown(struct mi_error *error, const char *place, const char *what, const char *word,
                            const char *const *candidates)
{
    return mi_fail(error, MICA_FORMAT, "%s%sthere is no %s \"%s\"%s", place, *place ? ": " : "", what, mi_show(word).text,
                   mi_advise_term(strcmp(what, "key") == 0, word, candidates).text);
}

/* ---- Reading ---- */

static mica_status not_zero(const struct reader *reader, const struct mi_key *key, const char *name)
{
    char text[80];
    mi_format(text, sizeof text, "must not be 0: %s", key->not_zero);
    return wrong(reader, name, text);
}

/* Why a number is not from `min` to `max`. */
static mica_status out_of_range(const struct reader *reader, const char *name, double number, double min, double max)
{
    char text[160];
    if (min > -MI_MOST_WHOLE && max < MI_MOST_WHOLE)
        mi_format(text, sizeof text, "must lie between %s and %s, not %s", mi_show_number(min).text, mi_show_number(max).text,
                  mi_show_number(number).text);
    else if (number < min)
        mi_format(text, sizeof text, "must be at least %s, not %s", mi_show_number(min).text, mi_show_number(number).text);
    else
        mi_format(text, sizeof text, "is %s, which is too large: at most %s", mi_show_number(number).text,
                  mi_show_number(max).text);
    return wrong(reader, name, text);
}

/* Why a number is not at least `min` and below `max`: a number just below it may be the same float. */
static mica_status not_below(const struct reader *reader, const struct mi_key *key, const char *name, double number)
{
    char text[160];
    bool rounded = number >= key->min && number < key->max;
    mi_format(text, sizeof text, rounded ? "must be at least %s and below %s, not %s, which is %g as a float"
                                         : "must be at least %s and below %s, not %s",
              mi_show_number(key->min).text, mi_show_number(key->max).text, mi_show_number(number).text, key->max);
    return wrong(reader, name, text);
}

/* A number that is finite, whole where `whole` says so, and within the key's range and `most`. */
static mica_status read_number(const struct reader *reader, const struct mi_key *key, const char *name, const cJSON *json,
                               bool whole, double most, double *number)
{
    char text[120];
    if (!cJSON_IsNumber(json)) {
        bool is_text = cJSON_IsString(json);
        const char *what = cJSON_IsArray(json) ? "a list" : cJSON_IsObject(json) ? "an object" : cJSON_IsNull(json) ? "null" :
                           cJSON_IsTrue(json) ? "true" : "false";
        mi_format(text, sizeof text, "must be a %snumber, not %s%s%s", whole ? "whole " : "", is_text ? "the text \"" : what,
                  is_text ? mi_show(json->valuestring).text : "", is_text ? "\"" : "");
        return wrong(reader, name, text);
    }
    *number = json->valuedouble;
    double min = key->ranged ? key->min : -most, max = key->ranged && key->max < MI_MOST_WHOLE ? key->max : most;
    if (key->below && !(*number >= min && (double)(float)*number < max))
        return not_below(reader, key, name, *number);
    if (!(*number >= min && *number <= max))
        return out_of_range(reader, name, *number, min, max);
    if (key->not_zero && fpclassify(*number) == FP_ZERO)
        return not_zero(reader, key, name);
    if (!whole || *number == floor(*number))
        return MICA_OK;
    mi_format(text, sizeof text, "must be a whole number, not %s", mi_show_number(*number).text);
    return wrong(reader, name, text);
}

static mica_status read_shape(struct mi_error *error, const cJSON *json, const char *place, const char *key, int64_t min, int limit,
                              bool open, int64_t *dims, int *rank)
{
    struct reader reader = {error, place};
    struct mi_key row = {.ranged = true, .min = (double)min, .max = MI_MOST_WHOLE};
    char text[80];
    mi_format(text, sizeof text, "must be a list of at most %d whole numbers", limit);
    if (!cJSON_IsArray(json) || cJSON_GetArraySize(json) > limit)
        return wrong(&reader, key, text);
    const cJSON *item;
    int count = 0;
    cJSON_ArrayForEach(item, json) {
        double number = 0;
        if (!open || count || !cJSON_IsNull(item))
            MI_TRY(read_number(&reader, &row, key, item, true, MI_MOST_WHOLE, &number));
        dims[count++] = (int64_t)number;
    }
    *rank = count;
    return MICA_OK;
}

mica_status mi_json_shape(struct mi_error *error, const cJSON *json, const char *place, const char *key, int64_t min,
                          int limit, int64_t *dims, int *rank)
{
    return read_shape(error, json, place, key, min, limit, false, dims, rank);
}

mica_status mi_json_open_shape(struct mi_error *error, const cJSON *json, const char *place, const char *key, int64_t min,
                               int limit, int64_t *dims, int *rank)
{
    return read_shape(error, json, place, key, min, limit, true, dims, rank);
}

/* Zero means the default in a descriptor, so a 0 that is given is kept as -1. */
static mica_status read_sizes(const struct reader *reader, const struct mi_key *key, const cJSON *json, int64_t *sizes)
{
    double number = 0;
    int count = cJSON_GetArraySize(json);
    bool list = cJSON_IsArray(json);
    char text[80];
    int64_t min = key->ranged ? (int64_t)key->min : INT64_MIN / 2048;
    mi_format(text, sizeof text, "must be a number or a list of %d, one for each axis", key->spatial);
    if (list && count != key->spatial)
        return wrong(reader, key->name, text);
    MI_TRY(list ? mi_json_shape(reader->error, json, reader->place, key->name, min, key->spatial, sizes, &count)
                : read_number(reader, key, key->name, json, true, MI_MOST_WHOLE, &number));
    for (int i = 0; i < key->spatial; i++) {
        sizes[i] = list ? sizes[i] : (int64_t)number;
        if (key->not_zero && sizes[i] == 0)
            return not_zero(reader, key, key->name);
        sizes[i] = sizes[i] ? sizes[i] : -1;
    }
    return MICA_OK;
}

/* "same", "valid", a number for every side, one a spatial axis, or (before..., after...) as ONNX has them. */
static mica_status read_padding(const struct reader *reader, const struct mi_key *key, const cJSON *json, const char **padding,
                                int64_t *pads)
{
    static const char *const words[] = {"valid", "same", NULL};
    int n = key->spatial, count = 1;
    int64_t given[6] = {0};
    char text[80];
    if (cJSON_IsString(json)) {
        if (strcmp(json->valuestring, "same") && strcmp(json->valuestring, "valid"))
            return mi_keys_unknown(reader->error, reader->place, "padding", json->valuestring, words);
        *padding = json->valuestring;
        return MICA_OK;
    }
    if (cJSON_IsArray(json)) {
        MI_TRY(mi_json_shape(reader->error, json, reader->place, key->name, 0, 2 * n, given, &count));
        mi_format(text, sizeof text, "must be \"same\", \"valid\", a number, or a list of %d or %d", n, 2 * n);
        if (count != n && count != 2 * n)
            return wrong(reader, key->name, text);
    } else {
        double number;
        struct mi_key row = {.ranged = true, .max = MI_MOST_WHOLE};
        MI_TRY(read_number(reader, &row, key->name, json, true, MI_MOST_WHOLE, &number));
        given[0] = (int64_t)number;
    }
    for (int i = 0; i < 2 * n; i++)
        pads[i] = given[count == 2 * n ? i : count == n ? i % n : 0];
    *padding = "explicit";
    return MICA_OK;
}

/* A number for both sides of an axis, or a pair of them. */
static mica_status read_side(const struct reader *reader, const struct mi_key *key, const cJSON *json, int64_t *pair)
{
    const struct mi_key row = {.ranged = true, .max = MI_MOST_WHOLE};
    double number = 0;
    int count = 0;
    if (cJSON_IsArray(json)) {
        MI_TRY(mi_json_shape(reader->error, json, reader->place, key->name, 0, 2, pair, &count));
        return count == 2 ? MICA_OK : wrong(reader, key->name, "must hold pairs: before and after an axis");
    }
    MI_TRY(read_number(reader, &row, key->name, json, true, MI_MOST_WHOLE, &number));
    pair[0] = pair[1] = (int64_t)number;
    return MICA_OK;
}

static bool sides_are_zero(const struct mi_key *key, const int64_t *sides)
{
    bool zero = true;
    for (int i = 0; i < 2 * key->spatial; i++)
        zero = zero && sides[i] == 0;
    return zero;
}

static mica_status read_sides(const struct reader *reader, const struct mi_key *key, const cJSON *json, int64_t *sides)
{
    char text[96];
    int n = key->spatial, count = cJSON_GetArraySize(json);
    bool list = cJSON_IsArray(json), pair = n == 1 && count == 2;
    mi_format(text, sizeof text, "must be a number, or a list of %d, one or [before, after] for each axis", n);
    if (list && !pair && count != n)
        return wrong(reader, key->name, text);
    for (int i = 0; i < n; i++)
        MI_TRY(read_side(reader, key, list && !pair ? cJSON_GetArrayItem(json, i) : json, sides + 2 * i));
    return key->not_zero && sides_are_zero(key, sides) ? not_zero(reader, key, key->name) : MICA_OK;
}

static mica_status read_text(const struct reader *reader, const struct mi_key *key, const cJSON *json, const char **text)
{
    static const char *const none[] = {NULL};
    char must[sizeof "must be a text" + sizeof(struct mi_advice)];
    if (!cJSON_IsString(json)) {
        mi_format(must, sizeof must, "must be a text%s", mi_list(key->choices ? key->choices : none).text);
        return wrong(reader, key->name, must);
    }
    *text = json->valuestring;
    if (!key->choices)
        return MICA_OK;
    for (const char *const *choice = key->choices; *choice; choice++)
        if (strcmp(*choice, *text) == 0)
            return MICA_OK;
    return mi_keys_unknown(reader->error, reader->place, key->name, *text, key->choices);
}

static mica_status read_object(const struct reader *reader, const struct mi_key *key, const cJSON *json, void *desc)
{
    char place[256];
    mi_format(place, sizeof place, "%s%s%s", reader->place, *reader->place ? "." : "", key->name);
    if (cJSON_IsString(json)) {
        struct reader inner = {reader->error, place};
        return read_text(&inner, &key->keys[0], json, (const char **)((char *)desc + key->keys[0].offset));
    }
    if (!cJSON_IsObject(json))
        return wrong(reader, key->name, "must be a text or an object");
    return mi_keys_read(reader->error, json, place, key->keys, NULL, desc);
}

static mica_status read_flag(const struct reader *reader, const struct mi_key *key, const cJSON *json, void *field)
{
    if (!cJSON_IsBool(json))
        return wrong(reader, key->name, "must be true or false");
    bool yes = cJSON_IsTrue(json);
    if (key->type == MI_KEY_TRISTATE)
        *(int *)field = yes ? 1 : -1;
    else
        *(bool *)field = key->type == MI_KEY_NOT ? !yes : yes;
    return MICA_OK;
}

static mica_status read_numeric(const struct reader *reader, const struct mi_key *key, const cJSON *json, void *field)
{
    double number, most = key->type == MI_KEY_FLOAT ? (double)FLT_MAX : key->type == MI_KEY_INT ? INT32_MAX : MI_MOST_WHOLE;
    MI_TRY(read_number(reader, key, key->name, json, key->type != MI_KEY_FLOAT, most, &number));
    if (key->type == MI_KEY_LONG)
        *(int64_t *)field = (int64_t)number;
    else if (key->type == MI_KEY_SEED)
        *(uint64_t *)field = (uint64_t)number;
    else if (key->type == MI_KEY_INT)
        *(int *)field = (int)number;
    else
        *(float *)field = (float)number == 0 && !key->plain ? FLT_MIN : (float)number;
    return MICA_OK;
}

static mica_status read_axes(const struct reader *reader, const struct mi_key *key, const cJSON *json, mica_shape *axes)
{
    double number;
    const struct mi_key of_axes = {.ranged = true, .min = -MICA_MAX_RANK, .max = MICA_MAX_RANK};
    const struct mi_key *row = key->ranged ? key : &of_axes;
    if (cJSON_IsArray(json))
        return mi_json_shape(reader->error, json, reader->place, key->name, (int64_t)row->min, MICA_MAX_RANK, axes->dim,
                             &axes->rank);
    MI_TRY(read_number(reader, row, key->name, json, true, MI_MOST_WHOLE, &number));
    *axes = (mica_shape){.rank = 1, .dim = {(int64_t)number}};
    return MICA_OK;
}

static const struct mi_number *find_number(const struct mi_number *numbers, const char *name)
{
    for (; numbers && numbers->name; numbers++)
        if (strcmp(numbers->name, name) == 0)
            return numbers;
    return NULL;
}

/* Adds a number to the settings that were read before it. */
static mica_status read_setting(const struct reader *reader, const struct mi_key *key, const cJSON *json, mica_setting *list)
{
    const struct mi_number *number = find_number(key->numbers, json->string);
    const struct mi_key any = {.name = number->name};
    double value = cJSON_IsTrue(json);
    size_t at = 0;
    if (number->flag && !cJSON_IsBool(json))
        return wrong(reader, number->name, "must be true or false");
    if (!number->flag)
        MI_TRY(read_number(reader, &any, number->name, json, number->whole, (double)FLT_MAX, &value));
    while (at < key->second && list[at].key)
        at++;
    if (at == key->second)
        return wrong(reader, number->name, "there is no room for so many keys");
    list[at] = (mica_setting){number->name, value};
    return MICA_OK;
}

static mica_status read_value(const struct reader *reader, const struct mi_key *key, const cJSON *json, char *desc)
{
    void *field = desc + key->offset;
    switch (key->type) {
    case MI_KEY_TEXT:
        return read_text(reader, key, json, field);
    case MI_KEY_BOOL:
    case MI_KEY_NOT:
    case MI_KEY_TRISTATE:
        return read_flag(reader, key, json, field);
    case MI_KEY_INT:
    case MI_KEY_LONG:
    case MI_KEY_SEED:
    case MI_KEY_FLOAT:
        return read_numeric(reader, key, json, field);
    case MI_KEY_SIZES:
        return read_sizes(reader, key, json, field);
    case MI_KEY_PADDING:
        return read_padding(reader, key, json, field, (int64_t *)(void *)(desc + key->second));
    case MI_KEY_SIDES:
        return read_sides(reader, key, json, field);
    case MI_KEY_SHAPE: {
        mica_shape *shape = field;
        return read_shape(reader->error, json, reader->place, key->name, key->ranged ? (int64_t)key->min : 1, MICA_MAX_RANK - 1,
                          key->open, shape->dim, &shape->rank);
    }
    case MI_KEY_AXES:
        return read_axes(reader, key, json, field);
    case MI_KEY_OBJECT:
        return read_object(reader, key, json, field);
    case MI_KEY_NUMBERS:
        return read_setting(reader, key, json, field);
    case MI_KEY_JSON:
        *(const cJSON **)field = json;
        return MICA_OK;
    }
    return MICA_OK;
}

static const struct mi_key *find_key(const struct mi_key *keys, const char *name)
{
    for (; keys->name; keys++)
        if (keys->type == MI_KEY_NUMBERS ? find_number(keys->numbers, name) != NULL : strcmp(keys->name, name) == 0)
            return keys;
    return NULL;
}

static bool listed(const char *const *names, const char *name)
{
    for (; names && *names; names++)
        if (strcmp(*names, name) == 0)
            return true;
    return false;
}

/* Whether an object of this type has the key; `list` NULL: every type has. */
static bool has_key(const char *list, const char *type)
{
    size_t length = type ? strlen(type) : 0;
    for (const char *at = list; at && type && (at = strstr(at, type)) != NULL; at += length)
        if ((at == list || at[-1] == ' ') && (at[length] == ' ' || at[length] == 0))
            return true;
    return !list || !type;
}

/* The text of the first key, which says what an object is. */
static const char *type_of(const cJSON *object, const struct mi_key *keys)
{
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, keys->name));
}

static mica_status unknown_key(const struct reader *reader, const struct mi_key *keys, const char *const *also,
                               const char *type, const char *name)
{
    const char *candidates[MOST_CANDIDATES + 1] = {0};
    size_t count = 0;
    for (; keys->name && count < MOST_CANDIDATES; keys++) {
        const struct mi_number *number = keys->type == MI_KEY_NUMBERS ? keys->numbers : NULL;
        for (; number && number->name && count < MOST_CANDIDATES; number++)
            candidates[count++] = number->name;
        if (keys->type != MI_KEY_NUMBERS && has_key(keys->only, type))
            candidates[count++] = keys->name;
    }
    for (; also && *also && count < MOST_CANDIDATES; also++)
        candidates[count++] = *also;
    return mi_keys_unknown(reader->error, reader->place, "key", name, candidates);
}

mica_status mi_keys_read(struct mi_error *error, const cJSON *object, const char *place, const struct mi_key *keys,
                         const char *const *also, void *desc)
{
    struct reader reader = {error, place};
    if (!cJSON_IsObject(object))
        return mi_fail(error, MICA_FORMAT, "%s%smust be a JSON object", place, *place ? ": " : "");
    const char *type = keys->name ? type_of(object, keys) : NULL;
    const cJSON *item;
    cJSON_ArrayForEach(item, object) {
        const struct mi_key *key = find_key(keys, item->string);
        if (key && !has_key(key->only, type))
            key = NULL;
        if (cJSON_GetObjectItemCaseSensitive(object, item->string) != item)
            return wrong(&reader, item->string, "is given twice");
        if (!key && !listed(also, item->string))
            return unknown_key(&reader, keys, also, type, item->string);
        if (key)
            MI_TRY(read_value(&reader, key, item, desc));
    }
    for (const struct mi_key *key = keys; key->name; key++) {
        if (key->required && !cJSON_GetObjectItemCaseSensitive(object, key->name))
            return mi_fail(error, MICA_FORMAT, "%s%s\"%s\" is missing", place, *place ? ": " : "", key->name);
    }
    return MICA_OK;
}

/* ---- Writing ---- */

static bool add(cJSON *object, const char *name, cJSON *item)
{
    if (item && cJSON_AddItemToObject(object, name, item))
        return true;
    cJSON_Delete(item);
    return false;
}

static cJSON *whole_numbers(const int64_t *values, int count)
{
    double numbers[MICA_MAX_RANK];
    for (int i = 0; i < count; i++)
        numbers[i] = (double)values[i];
    return cJSON_CreateDoubleArray(numbers, count);
}

static cJSON *open_shape(const struct mi_key *key, const mica_shape *shape)
{
    cJSON *list = whole_numbers(shape->dim, shape->rank);
    cJSON *none = list && key->open && shape->rank && shape->dim[0] == 0 ? cJSON_CreateNull() : NULL;
    if (none)
        cJSON_ReplaceItemInArray(list, 0, none);
    return list;
}

static cJSON *sizes_item(const struct mi_key *key, const int64_t *sizes)
{
    int64_t values[MICA_MAX_RANK];
    bool same = true;
    for (int i = 0; i < key->spatial; i++) {
        int64_t size = sizes[i] ? sizes[i] : sizes[0];
        values[i] = size < 0 && key->ranged && key->min >= 0 ? 0 : size;
        same = same && values[i] == values[0];
    }
    return same ? cJSON_CreateNumber((double)values[0]) : whole_numbers(values, key->spatial);
}

static cJSON *sides_item(const struct mi_key *key, const int64_t *sides)
{
    cJSON *list = cJSON_CreateArray();
    for (int i = 0; i < key->spatial && list; i++) {
        cJSON *pair = whole_numbers(sides + 2 * i, 2);
        if (pair && cJSON_AddItemToArray(list, pair))
            continue;
        cJSON_Delete(pair);
        cJSON_Delete(list);
        list = NULL;
    }
    return list;
}

static double float_number(const struct mi_key *key, float value)
{
    return value <= FLT_MIN && value > 0 && !key->plain ? 0 : mi_json_number(value);
}

static cJSON *number_item(const struct mi_key *key, const void *field)
{
    double number = 0;
    if (key->type == MI_KEY_INT)
        number = *(const int *)field;
    else if (key->type == MI_KEY_LONG)
        number = (double)*(const int64_t *)field;
    else if (key->type == MI_KEY_SEED)
        number = (double)*(const uint64_t *)field;
    else
        number = float_number(key, *(const float *)field);
    return cJSON_CreateNumber(number);
}

static cJSON *object_item(const struct mi_key *key, const void *field)
{
    cJSON *object = cJSON_CreateObject();
    if (object && !mi_keys_write(key->keys, field, object)) {
        cJSON_Delete(object);
        return NULL;
    }
    return object;
}

static cJSON *value_item(const struct mi_key *key, const char *desc)
{
    const void *field = desc + key->offset;
    switch (key->type) {
    case MI_KEY_TEXT:
        return cJSON_CreateString(*(const char *const *)field);
    case MI_KEY_BOOL:
        return cJSON_CreateTrue();
    case MI_KEY_NOT:
        return cJSON_CreateFalse();
    case MI_KEY_TRISTATE:
        return cJSON_CreateBool(*(const int *)field > 0);
    case MI_KEY_INT:
    case MI_KEY_LONG:
    case MI_KEY_SEED:
    case MI_KEY_FLOAT:
        return number_item(key, field);
    case MI_KEY_SIZES:
        return sizes_item(key, field);
    case MI_KEY_PADDING:
        if (strcmp(*(const char *const *)field, "explicit"))
            return cJSON_CreateString(*(const char *const *)field);
        return whole_numbers((const int64_t *)(const void *)(desc + key->second), 2 * key->spatial);
    case MI_KEY_SIDES:
        return sides_item(key, field);
    case MI_KEY_SHAPE:
        return open_shape(key, field);
    case MI_KEY_AXES:
        return whole_numbers(((const mica_shape *)field)->dim, ((const mica_shape *)field)->rank);
    case MI_KEY_OBJECT:
        return object_item(key, field);
    case MI_KEY_NUMBERS:
        return NULL; /* it has no name of its own */
    case MI_KEY_JSON:
        return cJSON_Duplicate(*(const cJSON *const *)field, true);
    }
    return NULL;
}

static bool is_default(const struct mi_key *key, const char *desc)
{
    const void *field = desc + key->offset;
    switch (key->type) {
    case MI_KEY_TEXT:
    case MI_KEY_PADDING:
        return *(const char *const *)field == NULL;
    case MI_KEY_BOOL:
    case MI_KEY_NOT:
        return !*(const bool *)field;
    case MI_KEY_TRISTATE:
    case MI_KEY_INT:
        return *(const int *)field == 0;
    case MI_KEY_FLOAT:
        return fpclassify(*(const float *)field) == FP_ZERO;
    case MI_KEY_LONG:
    case MI_KEY_SIZES:
        return *(const int64_t *)field == 0;
    case MI_KEY_SEED:
        return *(const uint64_t *)field == 0;
    case MI_KEY_SIDES:
        return sides_are_zero(key, field);
    case MI_KEY_SHAPE:
    case MI_KEY_AXES:
        return ((const mica_shape *)field)->rank == 0;
    case MI_KEY_OBJECT: /* by its first key, which says what it is */
        return is_default(&key->keys[0], field);
    case MI_KEY_NUMBERS:
        return ((const mica_setting *)field)->key == NULL;
    case MI_KEY_JSON:
        return *(const cJSON *const *)field == NULL;
    }
    return true;
}

/* Of settings by one name the last counts. */
static bool write_settings(const struct mi_key *key, const mica_setting *list, cJSON *object)
{
    for (const struct mi_number *number = key->numbers; number && number->name; number++) {
        const mica_setting *last = NULL;
        for (size_t i = 0; i < key->second && list[i].key; i++)
            if (strcmp(list[i].key, number->name) == 0)
                last = &list[i];
        if (last && !add(object, number->name, number->flag ? cJSON_CreateBool(last->value > 0) : cJSON_CreateNumber(last->value)))
            return false;
    }
    return true;
}

static bool write_key(const struct mi_key *key, const char *desc, cJSON *object)
{
    if (key->type == MI_KEY_NUMBERS)
        return write_settings(key, (const mica_setting *)(const void *)(desc + key->offset), object);
    return key->alias || (!key->required && is_default(key, desc)) || add(object, key->name, value_item(key, desc));
}

bool mi_keys_write(const struct mi_key *keys, const void *desc, cJSON *object)
{
    for (const struct mi_key *key = keys; key->name; key++)
        if (!write_key(key, desc, object))
            return false;
    return true;
}
