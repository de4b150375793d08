/* The "data" object of a job, for those who read one format's part of it.
 *
 * Adding a format: a row in a file of its own, and its name in MI_FORMATS (data_spec.c); docs/adding-a-format.md. */
#ifndef MICA_SRC_FORMATS_SPEC_H
#define MICA_SRC_FORMATS_SPEC_H

#include "formats/formats.h"

struct mi_spec {
    struct mi_error error;
    struct mi_arena arena;       /* of texts and lists that the readers make */
    const cJSON *json;
    const char *folder, *place;
    mica_device *device;
    const struct mi_prepared *fitted;
    const struct mi_regressions *regressions;
    mica_normalize normalize;    /* of inputs that have none of their own */
    mica_split split;
    mica_shape sample_shape;
    mica_read_limits limits;
};

struct mi_format {
    const char *name;            /* "csv" */
    const char *const *keys;     /* those of its own, besides what all have; NULL-terminated */
    /* The data set; NULL: the error of the specification says why. Common keys are read. */
    mica_data *(*open)(struct mi_spec *spec);
};

/* Reads the keys that all formats have. */
mica_status mi_spec_common(struct mi_spec *spec);

/* ---- For readers ---- */

const cJSON *mi_spec_get(const struct mi_spec *spec, const char *key);
/* The key's value is not what it must be; returns MICA_FORMAT. */
mica_status mi_spec_wrong(struct mi_spec *spec, const char *key, const char *wanted);
/* Whether all keys of an object are known; `inside` stands in errors between the place and the key. */
mica_status mi_spec_keys(struct mi_spec *spec, const cJSON *object, const char *inside, const char *const *known);
/* A whole number from least to INT32_MAX; absent: *out stays. */
mica_status mi_spec_whole(struct mi_spec *spec, const char *key, double least, int64_t *out);
/* One of the names, which stand in the order of their values; absent: *out stays. */
mica_status mi_spec_choice(struct mi_spec *spec, const char *key, const char *const *names, int *out);
/* The same of a text that was found, which may be NULL. */
mica_status mi_spec_name(struct mi_spec *spec, const char *key, const char *text, const char *const *names, int *out);
/* A path of the file system, found from the folder of the job. */
mica_status mi_spec_path(struct mi_spec *spec, const cJSON *item, const char *key, const char **out);

/* One field as the specification has it. */
struct mi_spec_field {
    mica_role role;
    const char *name;            /* NULL: the only one of its role */
    const char *key;             /* for errors: "inputs.user" */
    const cJSON *item;           /* what stands there */
    mica_normalize normalize;
    bool regression;             /* of targets */
};

/* The fields under "inputs", "targets" and "sample_weight" of an object: each a value for the only one, or an object that names
 * several. *fields is the arena's, with room for `more` behind them. */
mica_status mi_spec_fields(struct mi_spec *spec, const cJSON *object, const char *inside, size_t more,
                           struct mi_spec_field **fields,
                           int *count);
bool mi_spec_regresses(const struct mi_spec *spec, const char *target);

#endif
