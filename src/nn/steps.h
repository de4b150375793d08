/* A model's layers once more, for some steps of its sequences at a time. */
#ifndef MICA_SRC_NN_STEPS_H
#define MICA_SRC_NN_STEPS_H

#include "nn/model.h"

struct mi_steps {
    struct mi_graph *steps;          /* takes steps of the input and gives those of the output; NULL: it cannot be */
    struct mi_graph *early;          /* of the other inputs, what is there before the first step: its output k becomes state[k];
                                      * NULL: there is none */
    struct mi_variable **state;      /* (state_count) in the arena of `steps` */
    int state_count;
    bool ends;                       /* steps come to an end: some layer keeps each of them, or asks for their numbers */
};

/* Builds the layers between inputs and one output for `length` steps of one input, whose axis 1 they are, with the model's
 * variables. What layers need of earlier steps is in states; what does not hang on the steps is in a graph of its own. Where
 * layers cannot be taken apart, as one that reads later steps, there is no graph, and no error. The graphs are the caller's. */
void mi_steps_build(mica_model *model, const mi_value *input, const mi_value *output, int64_t length, struct mi_steps *out);

#endif
