/* What the tests of the public functions share: a small model with everything that hangs on it, and calls that must be refused.
 *
 * Only public headers are used, as an application does. */
#ifndef MICA_TEST_API_H
#define MICA_TEST_API_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <mica/mica_cl.h>

enum { API_IN = 3, API_OUT = 2, API_BATCH = 4, API_SAMPLES = 12 };

struct api {
    mica_device *device;
    mica_model *model;     /* (3) -> 5 units, relu -> 2 */
    mica_node *input, *hidden;
    mica_plan *plan;       /* for 4 samples */
    mica_data *data;       /* 12 samples of two classes */
    float inputs[API_SAMPLES * API_IN];
    int32_t classes[API_SAMPLES];
};

void api_begin(struct api *one, mica_device *device); /* takes the device */
void api_end(struct api *one);

/* The one that the tests of a group share, from its setup to its teardown. */
extern struct api api;
int api_open(void **state);
int api_close(void **state);

mica_model *api_model(mica_device *device, mica_node **input, mica_node **hidden);
/* A file in the test's own folder; valid until the next call. */
const char *api_path(const char *name);
void api_write(const char *name, const char *text);

/* Writes a sample, runs it and reads the answer: what was refused before must not have blocked anything. */
void api_still_works(struct api *one);

/* Fails unless the status is the one expected and the device tells of it in one line that holds `part`. */
void api_refused(struct api *one, const char *call, mica_status status, mica_status expected, const char *part);
/* The same of an object's own status and line. */
void api_says(const char *call, mica_status status, const char *text, mica_status expected, const char *part);

#define REFUSED(one, call, expected, part)                                                                             \
    do {                                                                                                               \
        mica_device_clear_error((one)->device);                                                                        \
        mica_status refused_status = (call);                                                                           \
        api_refused(one, #call, refused_status, expected, part);                                                       \
    } while (0)

/* Fails unless the call, which was to build a layer of `built`, left there why not: in one line that holds `part`, for good. */
void api_not_built(const char *call, mica_model *built, const char *part);

/* A call that describes what does not fit gives NULL. NODES(built) declares the nodes that it names, of a new model. */
#define NOT_BUILT(part, ...)                                                                                           \
    do {                                                                                                               \
        mica_model *built = mica_model_create(api.device, NULL);                                                       \
        NODES(built);                                                                                                  \
        assert_null((__VA_ARGS__));                                                                                    \
        api_not_built(#__VA_ARGS__, built, part);                                                                      \
        mica_model_destroy(built);                                                                                     \
        api_still_works(&api);                                                                                         \
    } while (0)

#endif
