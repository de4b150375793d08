/* Golden vectors: files that tests/golden/generate.py made with PyTorch. */
#ifndef MICA_TEST_GOLDEN_H
#define MICA_TEST_GOLDEN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "formats/model/safetensors.h"
#include "json/keys.h"
#include "nn/model.h"

#include <mica/mica.h>

struct golden {
    unsigned char *bytes;
    struct mi_safetensors file;
};

/* A file of tests/golden, or of an absolute path. */
void golden_open(struct golden *golden, const char *name);
void golden_close(struct golden *golden);

/* The tensor "prefix/name" as floats, the caller's to free; NULL where there is none. */
float *golden_floats(const struct golden *golden, const char *prefix, const char *name, size_t *count);
/* The same as whole numbers. */
int32_t *golden_integers(const struct golden *golden, const char *prefix, const char *name, size_t *count);
const struct mi_safetensor *golden_find(const struct golden *golden, const char *prefix, const char *name);
cJSON *golden_json(const struct golden *golden, const char *key); /* of the metadata */

/* The optimizer that JSON describes, whose texts stay the JSON's; its schedule is the arena's. */
mica_optimizer golden_optimizer(const cJSON *json, struct mi_arena *arena, const mica_schedule **schedule);

/* How far an element may be off, of its tensor's largest magnitude: float32's rounding, and what sums of some hundred terms make of it. */
#define GOLDEN_TOLERANCE 1e-5

/* Fails where an element is off by more than `tolerance` times the largest magnitude. */
void golden_compare(const char *what, const float *got, const float *wanted, size_t count, double tolerance);

/* A device (of MICA_DEVICE), which every test of a group shares. */
int golden_device_open(void **state);
int golden_device_close(void **state);
/* Fails with the text of the device's error, if it has one. */
void golden_assert_fine(const mica_device *device);

/* Sets the model's variables from the tensors "prefix/NAME". */
void golden_write(mica_model *model, const struct golden *golden, const char *prefix);

/* One step of the model's only input, of n samples, and its only output. */
void golden_run(mica_model *model, bool training, const float *inputs, int64_t n, const struct mi_step *step, float *out);

#endif
