/* Layers: names, arguments and defaults are Keras 3's (docs/defaults.md lists every exception).
 *
 * A layer takes a node and gives a node. Given NULL it gives NULL, so calls nest without checks; the first error stays
 * in the model. Every desc may be NULL where its fields all have defaults, and starts with the layer's name (NULL: the
 * type and a number, "dense_1"), under which its parameters are saved. */
#ifndef MICA_LAYERS_H
#define MICA_LAYERS_H

#include <mica/layers/activation.h>
#include <mica/layers/attention.h>
#include <mica/layers/convolution.h>
#include <mica/layers/core.h>
#include <mica/layers/merging.h>
#include <mica/layers/normalization.h>
#include <mica/layers/pooling.h>
#include <mica/layers/preprocessing.h>
#include <mica/layers/recurrent.h>
#include <mica/layers/regularization.h>
#include <mica/layers/shape.h>
#include <mica/layers/wrappers.h>

#endif
