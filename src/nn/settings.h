/* Numbers by their keys: what losses, metrics and schedules are set by, in a job and in C. */
#ifndef MICA_SRC_NN_SETTINGS_H
#define MICA_SRC_NN_SETTINGS_H

#include "json/keys.h"

#include <mica/optimizer.h>

/* A key of a row. A flag is true or false, 1 or 0. */
struct mi_number {
    const char *name;
    float otherwise;              /* where it is not given; NaN: it must be */
    float least, most;            /* of a flag 0 and 1 */
    bool whole, flag;
    bool above, below;            /* least, most itself is no value */
};

/* Fills in the values of `keys`, which end with one without a name, from settings up to the first without a key. Errors name
 * place and key, and the nearest that there is. */
mica_status mi_settings_resolve(struct mi_error *error, const char *place, const struct mi_number *keys,
                                const mica_setting *given, int most, float *values);

/* The numbers of a job's object, up to `most`, without its "type" and the keys of `also` (NULL: none). Texts stay the JSON's. */
mica_status mi_settings_read(struct mi_error *error, const cJSON *object, const char *place, const char *const *also,
                             mica_setting *out, int most);

#endif
