/* Settings: read from JSON, completed and checked. */
#include "nn/settings.h"

#include <math.h>
#include <string.h>

enum { MOST_KEYS = 32 };

static bool lies_within(const struct mi_number *key, double value)
{
    double least = (double)key->least, most = (double)key->most;
    if (key->flag)
        return fpclassify(value) == FP_ZERO || fpclassify(value - 1) == FP_ZERO;
    if (key->whole && floor(value) != value)
        return false;
    return (key->above ? value > least : value >= least) && (key->below ? (double)(float)value < most : value <= most);
}

/* "from 0 to 1", "at least 0 and below 1", "above 0": a bound of 1e30 or more is none. */
static mica_status fail_range(struct mi_error *error, const char *place, const struct mi_number *key, double value)
{
    char range[80];
    bool endless = key->most >= 1e30f && value < 1e30;
    const char *dot = *place ? "." : "";
    if (key->flag)
        return mi_fail(error, MICA_FORMAT, "%s%s%s: must be true or false", place, dot, key->name);
    if (!key->above && !key->below && !endless)
        mi_format(range, sizeof range, "from %g to %g", (double)key->least, (double)key->most);
    else
        mi_format(range, sizeof range, endless ? "%s %g" : "%s %g and %s %g", key->above ? "above" : "at least",
                  (double)key->least, key->below ? "below" : "at most", (double)key->most);
    bool rounded = key->below && value < (double)key->most && value >= (double)key->least;
    return mi_fail(error, MICA_FORMAT, rounded ? "%s%s%s: must be %s%s, not %s, which is %g as a float"
                                               : "%s%s%s: must be %s%s, not %s",
                   place, dot, key->name, key->whole ? "a whole number " : "", range, mi_show_number(value).text,
                   (double)key->most);
}

mica_status mi_number_check(struct mi_error *error, const char *place, const struct mi_number *key, double value)
{
    return lies_within(key, value) ? MICA_OK : fail_range(error, place, key, value);
}

static mica_status take(struct mi_error *error, const char *place, const struct mi_number *keys, const mica_setting *setting,
                        float *values)
{
    const char *names[MOST_KEYS + 1] = {NULL};
    for (int i = 0; keys[i].name && i < MOST_KEYS; i++) {
        names[i] = keys[i].name;
        if (strcmp(keys[i].name, setting->key) != 0)
            continue;
        values[i] = (float)setting->value;
        return mi_number_check(error, place, &keys[i], setting->value);
    }
    return mi_keys_unknown(error, place, "key", setting->key, names);
}

mica_status mi_settings_resolve(struct mi_error *error, const char *place, const struct mi_number *keys,
                                const mica_setting *given, int most, float *values)
{
    for (int i = 0; keys[i].name; i++)
        values[i] = keys[i].otherwise;
    for (int i = 0; i < most && given[i].key; i++)
        MI_TRY(take(error, place, keys, &given[i], values));
    for (int i = 0; keys[i].name; i++)
        if (isnan(values[i]))
            return mi_fail(error, MICA_FORMAT, "%s%sthe key \"%s\" is missing", place, *place ? ": " : "", keys[i].name);
    return MICA_OK;
}

mica_status mi_setting_read(struct mi_error *error, const cJSON *item, const char *place, const struct mi_number *key,
                            mica_setting *out)
{
    bool flag = cJSON_IsBool(item), number = cJSON_IsNumber(item);
    if (key ? !(key->flag ? flag : number) : !(flag || number))
        return mi_fail(error, MICA_FORMAT, "%s.%s: must be %s", place, mi_show(item->string).text,
                       key && key->flag ? "true or false" : "a number");
    *out = (mica_setting){item->string, number ? item->valuedouble : cJSON_IsTrue(item)};
    return MICA_OK;
}

const struct mi_number *mi_number_named(const struct mi_number *keys, const char *name)
{
    while (keys && keys->name && strcmp(keys->name, name))
        keys++;
    return keys && keys->name ? keys : NULL;
}

mica_status mi_settings_read(struct mi_error *error, const cJSON *object, const char *place, const struct mi_number *keys,
                             const char *const *also, mica_setting *out, int most)
{
    const cJSON *item;
    int count = 0;
    cJSON_ArrayForEach(item, object) {
        bool passed = !strcmp(item->string, "type");
        for (int i = 0; also && also[i]; i++)
            passed = passed || !strcmp(item->string, also[i]);
        if (passed)
            continue;
        if (count == most)
            return mi_fail(error, MICA_FORMAT, "%s: has more than %d keys", place, most);
        MI_TRY(mi_setting_read(error, item, place, mi_number_named(keys, item->string), &out[count++]));
    }
    return MICA_OK;
}
