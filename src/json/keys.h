/* Reading a JSON object into a descriptor struct by a table of keys, and writing it back.
 *
 * Descriptors are zero-initialised and zero means default; an explicit 0 in JSON of a number whose zero means default
 * becomes FLT_MIN, which no formula tells from 0, unless its row says that it is a plain number. Texts are borrowed from the
 * JSON. Every error names the place, the key and the nearest valid one. */
#ifndef MICA_SRC_NN_KEYS_H
#define MICA_SRC_NN_KEYS_H

#include "base/base.h"

#include <cjson/cJSON.h>

#define MI_MOST_WHOLE 9007199254740992.0 /* 2^53: whole numbers up to here are exact in JSON */

enum mi_key_type {
    MI_KEY_TEXT,        /* const char *; one of `choices` where there are any */
    MI_KEY_BOOL,        /* bool */
    MI_KEY_NOT,         /* bool, stored the other way round: "use_bias" is no_bias */
    MI_KEY_TRISTATE,    /* int: 0 absent, 1 true, -1 false */
    MI_KEY_INT,         /* int */
    MI_KEY_LONG,        /* int64_t */
    MI_KEY_SEED,        /* uint64_t */
    MI_KEY_FLOAT,       /* float */
    MI_KEY_SIZES,       /* int64_t[spatial]: a number for every axis, or a list of one each; a 0 that is given becomes -1 */
    MI_KEY_PADDING,     /* const char *padding, and at `second` int64_t pads[2 * spatial] */
    MI_KEY_SIDES,       /* int64_t[spatial][2], before and after each axis: a number for all, or a list of a number or a pair for
                         * each; of one axis also its pair alone. not_zero: why they are not all 0 */
    MI_KEY_SHAPE,       /* mica_shape */
    MI_KEY_AXES,        /* mica_shape: numbers of axes, one or a list, also from the end; where it is ranged, of something else */
    MI_KEY_OBJECT,      /* a struct with `keys` of its own; a text stands for an object of which it is the first key */
    MI_KEY_NUMBERS,     /* mica_setting[second]: of `numbers` those that are given, each under its own name */
    MI_KEY_JSON         /* const cJSON *: read by someone else */
};

/* A number by its name, one of a table that ends with one without a name. A flag is true or false, in C 1 or 0. */
struct mi_number {
    const char *name;
    float otherwise;              /* where it is not given; NaN: it must be */
    float least, most;            /* of a flag 0 and 1 */
    bool whole, flag;
    bool above, below;            /* least, most itself is no value */
};

struct mi_key {
    const char *name;
    enum mi_key_type type;
    size_t offset, second;
    bool required;
    bool plain;                     /* of a float: zero stays zero */
    bool open;                      /* of a shape: its first dimension may be null, which is 0 */
    bool alias;                     /* another name of a key in the same table: read, never written */
    bool ranged;                    /* min <= number <= max holds */
    bool below;                     /* of a float: max itself is no value, nor what is rounded to it */
    const char *not_zero;           /* why 0, which in a descriptor means the default, cannot be given; NULL: it can */
    double min, max;
    int spatial;
    const char *const *choices;     /* NULL-terminated */
    const char *only;               /* of an object whose first key says its type: the types that have this key, "a b" */
    const struct mi_key *keys;      /* of an object; ends with a row without name */
    const struct mi_number *numbers; /* at most `second` of them; their ranges are checked by who resolves them */
};

/* A row: MI_KEY(mica_dense_desc, "units", MI_KEY_LONG, units); MI_KEY_WITH adds more fields. */
#define MI_KEY(struct_type, json, kind, field) {.name = (json), .type = (kind), .offset = offsetof(struct_type, field)}
#define MI_KEY_WITH(struct_type, json, kind, field, ...)                                     \
    {.name = (json), .type = (kind), .offset = offsetof(struct_type, field), __VA_ARGS__}
#define MI_KEY_AT_LEAST(low) .ranged = true, .min = (low), .max = MI_MOST_WHOLE
#define MI_KEY_BETWEEN(low, high) .ranged = true, .min = (low), .max = (high)
#define MI_KEY_BELOW(low, high) .ranged = true, .min = (low), .max = (high), .below = true

/* Reads `object` into `desc`. `place` names the object in errors ("layers[3]"; "" at the top). `also` lists keys that the
 * caller reads itself (NULL: none). */
mica_status mi_keys_read(struct mi_error *error, const cJSON *object, const char *place, const struct mi_key *keys,
                         const char *const *also, void *desc);

/* Adds what differs from zero, and what is required, to `object`; false when out of memory. */
bool mi_keys_write(const struct mi_key *keys, const void *desc, cJSON *object);

/* As mi_advise, of a word in a job, a key or another: what Keras or PyTorch mean by it comes first. */
struct mi_advice mi_advise_term(bool key, const char *word, const char *const *words);

/* "layers[3]: there is no key "filter"; did you mean "filters"?"; `what` is "key", or what the word should be. */
mica_status mi_keys_unknown(struct mi_error *error, const char *place, const char *what, const char *word,
                            const char *const *candidates);

/* A list of whole numbers, each at least `min`. */
mica_status mi_json_shape(struct mi_error *error, const cJSON *json, const char *place, const char *key, int64_t min,
                          int limit, int64_t *dims, int *rank);

/* The same, where the first may be null, which is 0. */
mica_status mi_json_open_shape(struct mi_error *error, const cJSON *json, const char *place, const char *key, int64_t min,
                               int limit, int64_t *dims, int *rank);

/* Parses a text; an error names the line. Keys that are null are left out. The caller deletes it. */
mica_status mi_json_parse(struct mi_error *error, const char *place, const char *text, size_t size, cJSON **out);

/* Leaves out every key that is null, at any depth: who reads the keys then knows only those that were given. */
void mi_json_drop_nulls(cJSON *json);

/* The double that prints shortest among those equal to the float: 0.1, not 0.10000000149. */
double mi_json_number(float value);

/* The shortest text that stands for this number alone: 0.99999999 is not 1. Whole numbers have all digits, huge ones six. */
struct mi_number_text {
    char text[32];
};
struct mi_number_text mi_show_number(double number);

#endif
