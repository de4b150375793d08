/* Models and weights in .safetensors files. */
#ifndef MICA_SRC_FORMATS_MODEL_FILE_H
#define MICA_SRC_FORMATS_MODEL_FILE_H

#include "nn/model.h"

/* mica_model_load_weights with an error record of the caller's. */
mica_status mi_weights_load(mica_model *model, struct mi_error *error, const char *path, const mica_weights_desc *desc);

#endif
