/* An optimizer's settings: read from JSON, completed and checked. */
#include "nn/optimizer/optimizer.h"
#include "nn/settings.h"

#include <string.h>

enum { MOST_NAMES = 32 };

/* What every optimizer has. */
static const struct common {
    struct mi_number key;
    size_t offset;
    bool averages;             /* says something of the average that use_ema makes */
} common[] = {
#define COMMON(field, ...) .offset = offsetof(struct mi_optimizer, field), .key = {__VA_ARGS__}
    {COMMON(learning_rate, "learning_rate", .most = 1e30f)},
    {COMMON(weight_decay, "weight_decay", .most = 1e30f)},
    {COMMON(clip_value, "clipvalue", .most = 1e30f)},
    {COMMON(clip_norm, "clipnorm", .most = 1e30f)},
    {COMMON(clip_global_norm, "global_clipnorm", .most = 1e30f)},
    {COMMON(accumulate, "gradient_accumulation_steps", .least = 1, .most = 1e6f, .whole = true)},
    {COMMON(use_ema, "use_ema", .most = 1, .flag = true)},
    {COMMON(ema_momentum, "ema_momentum", .most = 1, .below = true), .averages = true},
    {COMMON(ema_overwrite, "ema_overwrite_frequency", .most = 1e6f, .whole = true), .averages = true},
};

static const struct common *find_common(const char *name)
{
    for (size_t i = 0; i < MI_COUNT(common); i++)
        if (strcmp(common[i].key.name, name) == 0)
            return &common[i];
    return NULL;
}

/* ---- What there is ---- */

static mica_status find_row(struct mi_error *error, const char *place, const char *type, const struct mi_optimizer_row **row)
{
    const char *names[MOST_NAMES];
    size_t count = 0;
    for (const struct mi_optimizer_row *const *r = mi_optimizer_rows; *r; r++) {
        *row = *r;
        if (strcmp((*r)->name, type) == 0)
            return MICA_OK;
        if (count + 1 < MOST_NAMES)
            names[count++] = (*r)->name;
    }
    names[count] = NULL;
    return mi_keys_unknown(error, place, "type", type, names);
}

/* A key that other optimizers have is said to be theirs. */
static mica_status unknown_key(struct mi_error *error, const char *place, const struct mi_optimizer_row *row, const char *key)
{
    const char *names[MOST_NAMES];
    size_t count = 0;
    for (const struct mi_optimizer_row *const *r = mi_optimizer_rows; *r; r++)
        for (int i = 0; (*r)->keys[i].name; i++)
            if (*r != row && !strcmp((*r)->keys[i].name, key))
                return mi_fail(error, MICA_FORMAT, "%s: %s has no \"%s\", which %s has", place, row->name, key, (*r)->name);
    for (size_t i = 0; i < MI_COUNT(common); i++)
        names[count++] = common[i].key.name;
    for (int i = 0; row->keys[i].name; i++)
        names[count++] = row->keys[i].name;
    names[count] = NULL;
    return mi_keys_unknown(error, place, "key", key, names);
}

/* ---- JSON ---- */

static bool is_schedule(const cJSON *item)
{
    return !strcmp(item->string, "learning_rate") && cJSON_IsObject(item);
}

static mica_status read_setting(struct mi_error *error, const cJSON *item, const char *place, const struct mi_optimizer_row *row,
                                mica_optimizer *out, size_t *count)
{
    const struct common *shared = find_common(item->string);
    const struct mi_number *key = shared ? &shared->key : mi_number_named(row->keys, item->string);
    if (!strcmp(item->string, "type") || !strcmp(item->string, "groups") || is_schedule(item))
        return MICA_OK;
    if (!key)
        return unknown_key(error, place, row, item->string);
    if (*count == MICA_MOST_SETTINGS)
        return mi_fail(error, MICA_FORMAT, "%s: has more than %d keys", place, MICA_MOST_SETTINGS);
    return mi_setting_read(error, item, place, key, &out->setting[(*count)++]);
}

mica_status mi_optimizer_read(struct mi_error *error, const cJSON *json, const char *place, mica_optimizer *out)
{
    const cJSON *item, *type = cJSON_GetObjectItemCaseSensitive(json, "type");
    const struct mi_optimizer_row *row;
    size_t count = 0;
    *out = (mica_optimizer){0};
    if (cJSON_IsString(json)) {
        out->type = json->valuestring;
        return MICA_OK;
    }
    if (!cJSON_IsObject(json))
        return mi_fail(error, MICA_FORMAT, "%s: must be a name, or an object with a \"type\"", place);
    if (!type)
        return mi_fail(error, MICA_FORMAT, "%s: the key \"type\" is missing", place);
    if (!cJSON_IsString(type))
        return mi_fail(error, MICA_FORMAT, "%s.type: must be a text", place);
    out->type = type->valuestring;
    MI_TRY(find_row(error, place, out->type, &row));
    cJSON_ArrayForEach(item, json)
        MI_TRY(read_setting(error, item, place, row, out, &count));
    return MICA_OK;
}

mica_status mi_optimizer_read_schedule(struct mi_error *error, struct mi_arena *arena, const cJSON *json, const char *place,
                                       const mica_schedule **out)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, "learning_rate");
    mica_schedule *schedule = cJSON_IsObject(item) ? mi_arena_new(arena, 1, sizeof *schedule) : NULL;
    char where[80];
    *out = schedule;
    if (!cJSON_IsObject(item))
        return MICA_OK;
    mi_format(where, sizeof where, "%s.learning_rate", place);
    return schedule ? mi_schedule_read(error, arena, item, where, schedule) : mi_out_of_memory(error);
}

mica_status mi_optimizer_read_groups(struct mi_error *error, struct mi_arena *arena, const cJSON *list, const char *place,
                                     const mica_optimizer_group **groups, int *count)
{
    const cJSON *item, *key;
    int most = cJSON_GetArraySize(list), i = 0;
    char where[80];
    if (!cJSON_IsArray(list))
        return mi_fail(error, MICA_FORMAT, "%s.groups: must be a list of objects with \"variables\"", place);
    mica_optimizer_group *out = mi_arena_new(arena, (size_t)(most ? most : 1), sizeof *out);
    if (!out)
        return mi_out_of_memory(error);
    cJSON_ArrayForEach(item, list) {
        size_t settings = 0;
        mi_format(where, sizeof where, "%s.groups[%d]", place, i);
        if (!cJSON_IsObject(item))
            return mi_fail(error, MICA_FORMAT, "%s: must be an object with \"variables\"", where);
        cJSON_ArrayForEach(key, item) {
            bool variables = !strcmp(key->string, "variables");
            if (variables ? !cJSON_IsString(key) : !cJSON_IsNumber(key))
                return mi_fail(error, MICA_FORMAT, "%s.%s: must be a %s", where, mi_show(key->string).text,
                               variables ? "text" : "number");
            if (variables)
                out[i].variables = key->valuestring;
            else if (settings < MICA_MOST_GROUP_SETTINGS)
                out[i].setting[settings++] = (mica_setting){key->string, key->valuedouble};
            else
                return mi_fail(error, MICA_FORMAT, "%s: has more than %d keys", where, MICA_MOST_GROUP_SETTINGS + 1);
        }
        i++;
    }
    *groups = out;
    *count = i;
    return MICA_OK;
}

/* What clips, and what is said of averages, is there where it does something. */
bool mi_optimizer_describe(const struct mi_optimizer *optimizer, cJSON *object)
{
    bool good = true;
    for (size_t i = 0; i < MI_COUNT(common) && good; i++) {
        const struct mi_number *key = &common[i].key;
        float value;
        memcpy(&value, (const char *)optimizer + common[i].offset, sizeof value);
        bool idle = value <= 0 && strcmp(key->name, "learning_rate") && strcmp(key->name, "weight_decay");
        if (idle || (common[i].averages && optimizer->use_ema <= 0) ||
            cJSON_IsObject(cJSON_GetObjectItemCaseSensitive(object, key->name)))
            continue;
        cJSON_DeleteItemFromObjectCaseSensitive(object, key->name);
        good = key->flag ? cJSON_AddTrueToObject(object, key->name) != NULL
                         : cJSON_AddNumberToObject(object, key->name, mi_json_number(value)) != NULL;
    }
    return good;
}

/* ---- Checking ---- */

static mica_status take(struct mi_error *error, const char *place, const mica_setting *setting, struct mi_optimizer *out)
{
    const struct common *shared = find_common(setting->key);
    const struct mi_number *own = mi_number_named(out->row->keys, setting->key);
    float value = (float)setting->value;
    if (!shared && !own)
        return unknown_key(error, place, out->row, setting->key);
    if (shared)
        memcpy((char *)out + shared->offset, &value, sizeof value);
    else
        out->value[own - out->row->keys] = value;
    return mi_number_check(error, place, shared ? &shared->key : own, setting->value);
}

mica_status mi_optimizer_set_schedule(struct mi_error *error, const char *place, const mica_schedule *schedule,
                                      struct mi_optimizer *out)
{
    char where[80];
    if (!schedule)
        return MICA_OK;
    mi_format(where, sizeof where, "%s.learning_rate", place);
    MI_TRY(mi_schedule_resolve(error, where, schedule, out->learning_rate, &out->schedule));
    out->learning_rate = (float)mi_schedule_peak(&out->schedule);
    return MICA_OK;
}

mica_status mi_optimizer_set_groups(struct mi_error *error, const char *place, const mica_optimizer_group *groups, int count,
                                    struct mi_optimizer *out)
{
    static const char *const names[] = {"learning_rate", "weight_decay", NULL};
    char where[80];
    out->groups = groups;
    out->group_count = count;
    if (count < 0 || (count && !groups))
        return mi_fail(error, MICA_INVALID_ARGUMENT, "%s: %d groups, and their list is NULL", place, count);
    for (int i = 0; i < count; i++) {
        const mica_optimizer_group *group = &groups[i];
        mi_format(where, sizeof where, "%s.groups[%d]", place, i);
        if (!group->variables)
            return mi_fail(error, MICA_FORMAT, "%s: the key \"variables\" is missing", where);
        if (!group->setting[0].key)
            return mi_fail(error, MICA_FORMAT, "%s: sets nothing: give it a \"learning_rate\" or a \"weight_decay\"", where);
        for (int k = 0; k < MICA_MOST_GROUP_SETTINGS && group->setting[k].key; k++) {
            if (strcmp(group->setting[k].key, names[0]) && strcmp(group->setting[k].key, names[1]))
                return mi_keys_unknown(error, where, "key", group->setting[k].key, names);
            MI_TRY(mi_number_check(error, where, &find_common(group->setting[k].key)->key, group->setting[k].value));
            if (!strcmp(group->setting[k].key, names[0]) && group->setting[k].value > 0 && out->learning_rate <= 0)
                return mi_fail(error, MICA_FORMAT, "%s.learning_rate: goes with the optimizer's own, which is 0; "
                               "what \"train\" does not name stays as it is", where);
        }
    }
    return MICA_OK;
}

/* What is said of an average that is not made would do nothing. */
static mica_status check_averages(struct mi_error *error, const char *place, const mica_optimizer *given,
                                  const struct mi_optimizer *out)
{
    for (int k = 0; k < MICA_MOST_SETTINGS && given->setting[k].key && out->use_ema <= 0; k++) {
        const struct common *shared = find_common(given->setting[k].key);
        if (shared && shared->averages)
            return mi_fail(error, MICA_FORMAT, "%s.%s: is of the average that \"use_ema\": true makes", place,
                           given->setting[k].key);
    }
    return MICA_OK;
}

mica_status mi_optimizer_resolve(struct mi_error *error, const char *place, const mica_optimizer *given, struct mi_optimizer *out)
{
    *out = (struct mi_optimizer){.ema_momentum = 0.99f};
    MI_TRY(find_row(error, place, given->type ? given->type : "rmsprop", &out->row));
    out->learning_rate = out->row->learning_rate;
    out->weight_decay = out->row->weight_decay;
    for (int i = 0; out->row->keys[i].name; i++)
        out->value[i] = out->row->keys[i].otherwise;
    for (int i = 0; i < MICA_MOST_SETTINGS && given->setting[i].key; i++)
        MI_TRY(take(error, place, &given->setting[i], out));
    return check_averages(error, place, given, out);
}

const char *mi_optimizer_update(const struct mi_optimizer *optimizer)
{
    return optimizer->row->update(optimizer->value);
}
