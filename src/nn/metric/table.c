/* Every metric: MI_METRICS; and a metric with its settings. */
#include "nn/metric/metric.h"

#include "json/keys.h"

#include <math.h>
#include <string.h>

#define DECLARE(name) extern const struct mi_metric_row mi_metric_##name;
MI_METRICS(DECLARE)

#define LIST(name) &mi_metric_##name,
const struct mi_metric_row *const mi_metric_rows[] = {MI_METRICS(LIST) NULL};

#define NAME(name) #name,
const char *const mi_metric_names[] = {MI_METRICS(NAME) NULL};

static const struct mi_metric_row *find(const char *name)
{
    for (const struct mi_metric_row *const *row = mi_metric_rows; *row; row++)
        if (strcmp((*row)->name, name) == 0 || ((*row)->alias && strcmp((*row)->alias, name) == 0))
            return *row;
    return NULL;
}

static mica_status take(struct mi_error *error, const char *place, const mica_setting *setting, struct mi_metric *out)
{
    const char *names[MI_MOST_METRIC_KEYS + 1] = {NULL};
    for (int i = 0; out->row->keys[i].name; i++) {
        const struct mi_metric_key *key = &out->row->keys[i];
        names[i] = key->name;
        if (strcmp(key->name, setting->key) != 0)
            continue;
        bool whole = !key->whole || floor(setting->value) == setting->value;
        if (!(setting->value >= (double)key->least && setting->value <= (double)key->most) || !whole)
            return mi_fail(error, MICA_FORMAT, "%s.%s: must be %sfrom %g to %g, not %g", place, key->name,
                           key->whole ? "a whole number " : "", (double)key->least, (double)key->most, setting->value);
        out->value[i] = (float)setting->value;
        return MICA_OK;
    }
    return mi_keys_unknown(error, place, "key", setting->key, names);
}

mica_status mi_metric_resolve(struct mi_error *error, const char *place, const mica_metric *given, struct mi_metric *out)
{
    *out = (struct mi_metric){.row = find(given->type)};
    if (!out->row)
        return mi_keys_unknown(error, place, "metric", given->type, mi_metric_names);
    for (int i = 0; out->row->keys[i].name; i++)
        out->value[i] = out->row->keys[i].otherwise;
    for (int i = 0; i < MICA_MOST_METRIC_SETTINGS && given->setting[i].key; i++)
        MI_TRY(take(error, place, &given->setting[i], out));
    return MICA_OK;
}
