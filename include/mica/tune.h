/* Tuning: times the engines of a model's products and convolutions on its device, and keeps the fastest (docs/tuning.md). */
#ifndef MICA_TUNE_H
#define MICA_TUNE_H

#include <mica/model.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mica_tune_desc {
    int64_t batch;   /* the largest number of samples in a step, which a problem is tuned for; 0: 1 */
    bool training;   /* the step of a training with Adam instead of prediction */
    double seconds;  /* no candidate is begun later than this; 0: 60 */
} mica_tune_desc;

/* What a search found. Texts live until the device's next search, or its end. */
typedef struct mica_tune_result {
    int tried;          /* candidates that were compiled and timed */
    int changed;        /* problems that now run otherwise than by the rules */
    const char *path;   /* the file that keeps what was found; "" where there is none */
    const char *note;   /* why the file that was there is not used; "" where all is well */
} mica_tune_result;

/* Searches for the problems of the model's plan that were not timed before, whatever the device's tuning. The model forgets
 * the choices that it was saved with, and takes those that are found. NULL desc: defaults. *result may be NULL. */
MICA_API mica_status mica_tune(mica_model *model, const mica_tune_desc *desc, mica_tune_result *result);

/* Searches for CLBlast's parameters on a device, for products of 128 to 512 rows and columns, and keeps them in the device's file
 * where they are faster than CLBlast's own; seconds 0: 60. They hold in the whole process. *gain (may be NULL): how many times
 * faster; 0: not found, and this process goes on with the last that were tried. MICA_UNSUPPORTED: no CLBlast, or a context that
 * an application lent. result->changed is 0. */
MICA_API mica_status mica_tune_clblast(mica_device *device, double seconds, double *gain, mica_tune_result *result);

#ifdef __cplusplus
}
#endif
#endif
