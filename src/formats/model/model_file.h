/* Models and weights in .safetensors files. */
#ifndef MICA_SRC_FORMATS_MODEL_FILE_H
#define MICA_SRC_FORMATS_MODEL_FILE_H

#include "formats/model/safetensors.h"
#include "nn/model.h"

/* mica_model_load_weights with an error record of the caller's. */
/* What stands beside a model in its file: tensors, one text under a name, and a checksum of all. Elements are asked for as
 * mi_safetensors_out has it. */
struct mi_model_more {
    const struct mi_safetensor_out *tensors;
    size_t count;
    struct mi_metadata metadata;
    const char *checksum;
    mica_status (*read)(void *user, size_t i, void *elements);
    void *user;
};
#define MI_TRAINING_TENSORS "training/" /* how the names of such tensors begin: whoever loads weights passes over them */
/* mica_model_save with more; NULL: nothing. */
mica_status mi_model_write(mica_model *model, const char *path, const struct mi_model_more *more);
/* The engines that a model ran with, of the text of its file's metadata: those of another device say nothing about this one. */
mica_status mi_model_read_choices(mica_model *model, struct mi_error *error, const char *place, const char *description);

mica_status mi_weights_load(mica_model *model, struct mi_error *error, const char *path, const mica_weights_desc *desc);

#endif
