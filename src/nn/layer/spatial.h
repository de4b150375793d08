/* What layers over one to three spatial axes share: a sample is (channels, axes...). */
#ifndef MICA_SRC_NN_LAYER_SPATIAL_H
#define MICA_SRC_NN_LAYER_SPATIAL_H

#include "nn/layer.h"

enum { MI_MOST_SPATIAL = 3 };

/* Whether x is (n, channels, axes...) with so many axes; otherwise an error says what is needed. */
bool mi_spatial_fits(struct mi_layer *layer, const mi_value *x, int spatial);

#endif
