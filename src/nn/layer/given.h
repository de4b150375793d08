/* Numbers that a description gives: in JSON a number or a list, in C floats, which become the same. */
#ifndef MICA_SRC_NN_LAYER_GIVEN_H
#define MICA_SRC_NN_LAYER_GIVEN_H

#include "nn/layer.h"

/* floats as JSON, which the caller deletes; NULL: there are none, or no memory. */
cJSON *mi_given_json(const float *values, int count);
/* The numbers of `json`, in the layer's arena; NULL after an error, which calls them `what`. */
const float *mi_given_read(struct mi_layer *layer, const char *what, const cJSON *json, int *count);

#endif
