/* Schedules: read from JSON, completed and checked, and the rate of an update. */
#include "nn/schedule/schedule.h"

#include <math.h>
#include <string.h>

enum { MOST_NAMES = 32 };

/* What every schedule has. */
static const struct mi_number common[] = {{"warmup_steps", 0, .most = 1e30f, .whole = true}, {"warmup_from", 0, .most = 1e30f}};

/* ---- What there is ---- */

static mica_status find_row(struct mi_error *error, const char *place, const char *type, const struct mi_schedule_row **row)
{
    const char *names[MOST_NAMES];
    size_t count = 0;
    for (const struct mi_schedule_row *const *r = mi_schedule_rows; *r; r++) {
        *row = *r;
        if (strcmp((*row)->name, type) == 0)
            return MICA_OK;
        if (count + 1 < MOST_NAMES)
            names[count++] = (*r)->name;
    }
    names[count] = NULL;
    return mi_keys_unknown(error, place, "type", type, names);
}

/* A schedule's own keys, then those of all, and a last one without a name. */
struct all_keys {
    struct mi_number list[MI_COUNT(common) + MI_MOST_SCHEDULE_KEYS + 1];
    int own;
};

static struct all_keys keys_of(const struct mi_schedule_row *row)
{
    struct all_keys keys = {.own = 0};
    for (; row->keys[keys.own].name; keys.own++)
        keys.list[keys.own] = row->keys[keys.own];
    memcpy(&keys.list[keys.own], common, sizeof common);
    return keys;
}

/* ---- JSON ---- */

static mica_status read_list(struct mi_error *error, struct mi_arena *arena, const cJSON *json, const char *place, const char *key,
                             const double **out, int *count)
{
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(json, key), *item;
    double *numbers = mi_arena_new(arena, (size_t)cJSON_GetArraySize(list) + 1, sizeof *numbers);
    int i = 0;
    if (!list)
        return MICA_OK;
    if (!numbers)
        return mi_out_of_memory(error);
    cJSON_ArrayForEach(item, list) {
        if (!cJSON_IsArray(list) || !cJSON_IsNumber(item))
            return mi_fail(error, MICA_FORMAT, "%s.%s: must be a list of numbers", place, key);
        numbers[i++] = item->valuedouble;
    }
    if (!cJSON_IsArray(list))
        return mi_fail(error, MICA_FORMAT, "%s.%s: must be a list of numbers", place, key);
    *out = numbers;
    *count = i;
    return MICA_OK;
}

mica_status mi_schedule_read(struct mi_error *error, struct mi_arena *arena, const cJSON *json, const char *place,
                             mica_schedule *out)
{
    static const char *const lists[] = {"boundaries", "values", NULL};
    const struct mi_schedule_row *row;
    const cJSON *type = cJSON_GetObjectItemCaseSensitive(json, "type");
    *out = (mica_schedule){0};
    if (!cJSON_IsObject(json))
        return mi_fail(error, MICA_FORMAT, "%s: must be a number, or an object with a \"type\"", place);
    if (!type)
        return mi_fail(error, MICA_FORMAT, "%s: the key \"type\" is missing", place);
    if (!cJSON_IsString(type))
        return mi_fail(error, MICA_FORMAT, "%s.type: must be a text", place);
    out->type = type->valuestring;
    MI_TRY(read_list(error, arena, json, place, lists[0], &out->boundaries, &out->boundary_count));
    MI_TRY(read_list(error, arena, json, place, lists[1], &out->values, &out->value_count));
    MI_TRY(find_row(error, place, out->type, &row));
    const struct all_keys keys = keys_of(row);
    return mi_settings_read(error, json, place, keys.list, lists, out->setting, MICA_MOST_SCHEDULE_SETTINGS);
}

/* ---- Checking ---- */

/* One value more than there are boundaries, which rise. */
static mica_status check_lists(struct mi_error *error, const char *place, const mica_schedule *given, struct mi_schedule *out)
{
    bool any = given->boundary_count || given->value_count;
    if (any && !out->row->lists)
        return mi_fail(error, MICA_FORMAT, "%s: %s has no \"%s\"", place, out->row->name,
                       given->boundary_count ? "boundaries" : "values");
    if (given->boundary_count < 0 || given->value_count < 0 || (given->boundary_count && !given->boundaries) ||
        (given->value_count && !given->values))
        return mi_fail(error, MICA_FORMAT, "%s: %d boundaries and %d values, and a list of them is NULL", place,
                       given->boundary_count, given->value_count);
    if (out->row->lists && given->value_count != given->boundary_count + 1)
        return mi_fail(error, MICA_FORMAT, "%s: %d boundaries take %d values, not %d", place, given->boundary_count,
                       given->boundary_count + 1, given->value_count);
    for (int i = 0; i < given->value_count; i++)
        if (!(given->values[i] >= 0 && given->values[i] <= 1e30))
            return mi_fail(error, MICA_FORMAT, "%s.values[%d]: must be at least 0, not %g", place, i, given->values[i]);
    for (int i = 0; i < given->boundary_count; i++)
        if (!(given->boundaries[i] >= 0) || (i && given->boundaries[i] <= given->boundaries[i - 1]))
            return mi_fail(error, MICA_FORMAT, "%s.boundaries[%d]: must be above the one before, not %g", place, i,
                           given->boundaries[i]);
    out->boundaries = given->boundaries;
    out->values = given->values;
    out->count = given->boundary_count;
    return MICA_OK;
}

mica_status mi_schedule_resolve(struct mi_error *error, const char *place, const mica_schedule *given, float otherwise,
                                struct mi_schedule *out)
{
    float values[MI_COUNT(common) + MI_MOST_SCHEDULE_KEYS + 1];
    *out = (struct mi_schedule){0};
    MI_TRY(find_row(error, place, given->type ? given->type : "constant", &out->row));
    const struct all_keys keys = keys_of(out->row);
    const int own = keys.own;
    MI_TRY(mi_settings_resolve(error, place, keys.list, given->setting, MICA_MOST_SCHEDULE_SETTINGS, values));
    memcpy(out->value, values, (size_t)own * sizeof *values);
    out->warmup_steps = values[own];
    out->warmup_from = values[own + 1];
    if (own && out->value[0] < 0)
        out->value[0] = otherwise;
    return check_lists(error, place, given, out);
}

/* ---- The rate ---- */

double mi_schedule_rate(const struct mi_schedule *s, uint64_t step)
{
    double at = (double)step, steps = (double)s->warmup_steps;
    if (at >= steps)
        return s->row->rate(s, at - steps);
    double from = s->row->from ? s->row->from(s) : (double)s->warmup_from;
    return from + (s->row->rate(s, 0) - from) * (at / steps);
}

double mi_schedule_peak(const struct mi_schedule *s)
{
    double first = s->row->rate(s, 0);
    return !s->row->lists && (double)s->value[0] > first ? (double)s->value[0] : first;
}
