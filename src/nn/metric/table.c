/* Every metric: MI_METRICS; and a metric with its settings. */
#include "nn/metric/metric.h"

#include <string.h>

#define DECLARE(name) extern const struct mi_metric_row mi_metric_##name;
MI_METRICS(DECLARE)

#define LIST(name) &mi_metric_##name,
const struct mi_metric_row *const mi_metric_rows[] = {MI_METRICS(LIST) NULL};

#define NAME(name) #name,
const char *const mi_metric_names[] = {MI_METRICS(NAME) NULL};

const struct mi_metric_row *mi_metric_find(const char *name)
{
    for (const struct mi_metric_row *const *row = mi_metric_rows; *row; row++)
        if (strcmp((*row)->name, name) == 0 || ((*row)->alias && strcmp((*row)->alias, name) == 0))
            return *row;
    return NULL;
}

mica_status mi_metric_resolve(struct mi_error *error, const char *place, const mica_metric *given, struct mi_metric *out)
{
    *out = (struct mi_metric){.row = mi_metric_find(given->type)};
    if (!out->row)
        return mi_keys_unknown(error, place, "metric", given->type, mi_metric_names);
    return mi_settings_resolve(error, place, out->row->keys, given->setting, MICA_MOST_METRIC_SETTINGS, out->value);
}

mica_status mi_metric_once(struct mi_error *error, const char *place, const mica_metric *list, int i)
{
    for (int k = 0; k < i; k++)
        if (mi_metric_find(list[k].type) == mi_metric_find(list[i].type))
            return mi_fail(error, MICA_FORMAT, "%s: \"%s\" is given twice", place, mi_metric_find(list[i].type)->name);
    return MICA_OK;
}
