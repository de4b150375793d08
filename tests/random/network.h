/* Random networks as jobs list them: layers of every type with keys drawn from the types' own tables, a loss and an optimizer. */
#ifndef MICA_TEST_RANDOM_NETWORK_H
#define MICA_TEST_RANDOM_NETWORK_H

#include "nn/objective.h"
#include "nn/model.h"

#include <mica/mica.h>

enum { MOST_LAYERS = 12, LAYER_TEXT = 700, STEPS = 3 };

struct drawn_network {
    uint64_t seed;
    int64_t batch[STEPS];        /* the samples of each step; the first are the most */
    int count;
    char layer[MOST_LAYERS][LAYER_TEXT]; /* JSON objects; a layer without "inputs" takes the one before */
    const char *loss;
    mica_optimizer optimizer;
};

/* Layers that the library refuses are drawn too; it must say why. They are counted in *refused. False: nothing to train came out. */
bool network_draw(struct drawn_network *network, mica_device *device, uint64_t seed, bool small, uint64_t *refused);

/* The network with random values in all its variables. NULL: it cannot be built, and the device says why. */
mica_model *network_model(const struct drawn_network *network, mica_device *device);
/* The graph of a training step, with the output "loss"; NULL: it cannot be built. */
struct mi_graph *network_training(const struct drawn_network *network, mica_model *model);

/* The labels that the loss takes of that many samples, in the type of the graph's input "labels". */
double network_label(const struct drawn_network *network, const mi_value *labels, int step, int64_t i);
double network_input_value(const struct drawn_network *network, const mi_value *input, int step, int64_t i);

#endif
