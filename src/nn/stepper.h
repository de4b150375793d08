/* A model that takes the steps of one sequence in turn: a plan whose layers keep in states what they need of the steps before. */
#ifndef MICA_SRC_NN_STEPPER_H
#define MICA_SRC_NN_STEPPER_H

#include "nn/model.h"

/* Compiles the model's layers once more for sequences of one step, with the same variables. Its only input is (n, steps, ...), and
 * its first output has steps too. With no plan and MICA_OK some layer cannot be taken apart, such as one that reads later steps.
 * No error of a layer is the model's. */
mica_status mi_stepper_create(mica_model *model, struct mi_stepper *out);
/* Begins a sequence. */
mica_status mi_stepper_begin(struct mi_stepper *stepper);
/* Takes a step, of which mica_plan_write has set the input: below `most`. */
mica_status mi_stepper_run(struct mi_stepper *stepper);

#endif
