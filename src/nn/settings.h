/* Numbers by their keys: what losses, metrics and schedules are set by, in a job and in C. */
#ifndef MICA_SRC_NN_SETTINGS_H
#define MICA_SRC_NN_SETTINGS_H

#include "json/keys.h"

#include <mica/optimizer.h>

/* Whether the key can have the value; an error names place and key. */
mica_status mi_number_check(struct mi_error *error, const char *place, const struct mi_number *key, double value);

/* Fills in the values of `keys`, which end with one without a name, from settings up to the first without a key. Errors name
 * place and key, and the nearest that there is; an empty place is left out. */
mica_status mi_settings_resolve(struct mi_error *error, const char *place, const struct mi_number *keys,
                                const mica_setting *given, int most, float *values);

/* The key of that name; NULL: none of `keys`, which may be NULL too. */
const struct mi_number *mi_number_named(const struct mi_number *keys, const char *name);

/* A number of a job, or true or false where its key is a flag. `key` NULL: either, and who resolves the settings knows better. */
mica_status mi_setting_read(struct mi_error *error, const cJSON *item, const char *place, const struct mi_number *key,
                            mica_setting *out);

/* The same of a job's object, up to `most`, without its "type" and the keys of `also` (NULL: none). Texts stay the JSON's. */
mica_status mi_settings_read(struct mi_error *error, const cJSON *object, const char *place, const struct mi_number *keys,
                             const char *const *also, mica_setting *out, int most);

#endif
