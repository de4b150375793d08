/* An optimizer's settings: read from JSON, completed and checked. */
#include "nn/optimizer/optimizer.h"

#include "json/keys.h"

#include <math.h>
#include <string.h>

enum { MOST_NAMES = 32 };

/* What every optimizer has. */
static const float most_of_any = 1e30f;

static const struct common {
    const char *name;
    size_t offset;
    float least, most;         /* 0: of any */
    bool below, whole;
    bool averages;             /* says something of the average that use_ema makes */
} common[] = {
    {.name = "learning_rate", .offset = offsetof(struct mi_optimizer, learning_rate)},
    {.name = "weight_decay", .offset = offsetof(struct mi_optimizer, weight_decay)},
    {.name = "clipvalue", .offset = offsetof(struct mi_optimizer, clip_value)},
    {.name = "clipnorm", .offset = offsetof(struct mi_optimizer, clip_norm)},
    {.name = "global_clipnorm", .offset = offsetof(struct mi_optimizer, clip_global_norm)},
    {.name = "gradient_accumulation_steps", .offset = offsetof(struct mi_optimizer, accumulate), .least = 1, .most = 1e6f,
     .whole = true},
    {.name = "use_ema", .offset = offsetof(struct mi_optimizer, use_ema), .most = 1, .whole = true},
    {.name = "ema_momentum", .offset = offsetof(struct mi_optimizer, ema_momentum), .most = 1, .below = true, .averages = true},
    {.name = "ema_overwrite_frequency", .offset = offsetof(struct mi_optimizer, ema_overwrite), .most = 1e6f, .whole = true,
     .averages = true},
};

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
        names[count++] = common[i].name;
    for (int i = 0; row->keys[i].name; i++)
        names[count++] = row->keys[i].name;
    names[count] = NULL;
    return mi_keys_unknown(error, place, "key", key, names);
}

/* ---- JSON ---- */

/* Whether the optimizer has the key, and whether it is true or false. */
static bool is_key(const struct mi_optimizer_row *row, const char *key, bool *flag)
{
    for (size_t i = 0; i < MI_COUNT(common); i++)
        if (!strcmp(common[i].name, key)) {
            *flag = common[i].whole && common[i].most <= 1;
            return true;
        }
    for (int i = 0; row->keys[i].name; i++)
        if (!strcmp(row->keys[i].name, key)) {
            *flag = row->keys[i].flag;
            return true;
        }
    return false;
}

static bool is_schedule(const cJSON *item)
{
    return !strcmp(item->string, "learning_rate") && cJSON_IsObject(item);
}

static mica_status read_setting(struct mi_error *error, const cJSON *item, const char *place, mica_optimizer *out, size_t *count)
{
    const struct mi_optimizer_row *row;
    bool flag = false;
    if (!strcmp(item->string, "type") || !strcmp(item->string, "groups") || is_schedule(item))
        return MICA_OK;
    if (!cJSON_IsNumber(item) && !cJSON_IsBool(item)) {
        MI_TRY(find_row(error, place, out->type, &row));
        if (!is_key(row, item->string, &flag))
            return unknown_key(error, place, row, item->string);
        return mi_fail(error, MICA_FORMAT, "%s.%s: must be %s", place, item->string, flag ? "true or false" : "a number");
    }
    if (*count == MICA_MOST_SETTINGS)
        return mi_fail(error, MICA_FORMAT, "%s: has more than %d keys", place, MICA_MOST_SETTINGS);
    out->setting[(*count)++] = (mica_setting){item->string, cJSON_IsNumber(item) ? item->valuedouble : cJSON_IsTrue(item)};
    return MICA_OK;
}

mica_status mi_optimizer_read(struct mi_error *error, const cJSON *json, const char *place, mica_optimizer *out)
{
    const cJSON *item, *type = cJSON_GetObjectItemCaseSensitive(json, "type");
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
    cJSON_ArrayForEach(item, json)
        MI_TRY(read_setting(error, item, place, out, &count));
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

/* ---- Checking ---- */

static mica_status in_range(struct mi_error *error, const char *place, const mica_setting *setting, float least, float most,
                            bool below)
{
    if (setting->value >= (double)least && (below ? (float)setting->value < most : setting->value <= (double)most))
        return MICA_OK;
    if (below)
        return mi_fail(error, MICA_FORMAT, "%s.%s: must be at least 0 and below %g, not %g", place, setting->key, (double)most,
                       setting->value);
    if (most < most_of_any)
        return mi_fail(error, MICA_FORMAT, "%s.%s: must be from %g to %g, not %g", place, setting->key, (double)least,
                       (double)most, setting->value);
    return mi_fail(error, MICA_FORMAT, "%s.%s: must be at least 0%s, not %g", place, setting->key,
                   setting->value > 0 ? " and at most 1e30" : "", setting->value);
}

static mica_status take(struct mi_error *error, const char *place, const mica_setting *setting, struct mi_optimizer *out)
{
    for (size_t i = 0; i < MI_COUNT(common); i++)
        if (strcmp(common[i].name, setting->key) == 0) {
            float value = (float)setting->value;
            memcpy((char *)out + common[i].offset, &value, sizeof value);
            if (common[i].whole && floor(setting->value) != setting->value)
                return mi_fail(error, MICA_FORMAT, "%s.%s: must be a whole number, not %g", place, setting->key, setting->value);
            return in_range(error, place, setting, common[i].least, common[i].most > 0 ? common[i].most : most_of_any,
                            common[i].below);
        }
    for (int i = 0; out->row->keys[i].name; i++)
        if (strcmp(out->row->keys[i].name, setting->key) == 0) {
            out->value[i] = (float)setting->value;
            return mi_number_check(error, place, &out->row->keys[i], setting->value);
        }
    return unknown_key(error, place, out->row, setting->key);
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
            MI_TRY(in_range(error, where, &group->setting[k], 0, most_of_any, false));
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
    for (int k = 0; k < MICA_MOST_SETTINGS && given->setting[k].key && out->use_ema <= 0; k++)
        for (size_t i = 0; i < MI_COUNT(common); i++)
            if (common[i].averages && !strcmp(common[i].name, given->setting[k].key))
                return mi_fail(error, MICA_FORMAT, "%s.%s: is of the average that \"use_ema\": true makes", place,
                               given->setting[k].key);
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
