/* A model that takes the steps of sequences in turn: plans whose layers keep in states what they need of the steps before. */
#ifndef MICA_SRC_NN_STEPPER_H
#define MICA_SRC_NN_STEPPER_H

#include "nn/model.h"

/* Compiles the model's layers once more for sequences of one step, `batch` of them side by side, with the same variables. Its
 * plan's only input is (n, 1, ...) of what `input` takes, and its output what `output` gives of one step. With no plan and
 * MICA_OK some layer cannot be taken apart, such as one that reads later steps. No error of a layer is the model's.
 * mi_stepper_destroy (model.h) ends it. */
mica_status mi_stepper_create(mica_model *model, const mi_value *input, const mi_value *output, int64_t batch,
                              struct mi_stepper *out);

/* Writes other inputs, in the order in which the model has them: each sequence belongs to one of the sources, which divide the
 * batch. elements[i] are those of all sources for the model's input i. */
mica_status mi_stepper_read(struct mi_stepper *stepper, const void *const *elements, int64_t sources);
/* Begins sequences, of the sources that were read last. */
mica_status mi_stepper_begin(struct mi_stepper *stepper);
/* How many steps to take at once where so many are waiting: 1, or as many as a plan of several steps takes, which is compiled
 * where that is worth it. */
mica_status mi_stepper_length(struct mi_stepper *stepper, int64_t waiting, int64_t *length);
/* Takes as many steps of each sequence, (batch, length): `most` from the beginning on at most. */
mica_status mi_stepper_take(struct mi_stepper *stepper, const float *steps, int64_t length);
/* Takes one step, which the plan's input has been given. */
mica_status mi_stepper_run(struct mi_stepper *stepper);
/* What the output says behind the last step, which was taken alone: (batch, ...). */
mica_status mi_stepper_answer(struct mi_stepper *stepper, float *values, size_t count);
/* Sequence i goes on from where from[i] is, (batch), which has the same source. */
mica_status mi_stepper_reorder(struct mi_stepper *stepper, const int32_t *from);

#endif
