/* The state of a training in a file, from which it goes on as if it had never stopped.
 *
 * The file is a model's (src/formats/model/model_file.c), with more tensors, whose names begin with "training/": the optimizer's
 * moments, the sums of losses and metrics, what a stateful plan carries, the weights that callbacks keep, and last a checksum.
 * In the metadata, under "mica_training", a JSON object:
 *
 *   {"version": 1, "kind": of the optimizer, "steps": N, "epochs": N, all since its beginning;
 *    "epoch": N, "batch": N, "batches": N, "samples": N, where this training is; "part": N samples in all;
 *    "ended": true where a callback ended it, "learning_rate": where one has set it,
 *    "callbacks": [{"type": NAME, "state": [number or null, ...], "kept": true}, ...]} */
#ifndef MICA_SRC_TRAIN_CHECKPOINT_H
#define MICA_SRC_TRAIN_CHECKPOINT_H

#include "formats/model/safetensors.h"
#include "train/fit.h"

/* A file that is known to be whole. All zero: there is none. */
struct mi_checkpoint {
    const char *place;
    unsigned char *bytes;
    struct mi_safetensors file;
    cJSON *json;
};

/* Reads a file, before the training is compiled: the engines, and how far it is, become the model's. */
mica_status mi_checkpoint_open(struct mi_checkpoint *checkpoint, const char *path, mica_training *training);
/* Puts everything in its place once the plans are there. */
mica_status mi_checkpoint_restore(const struct mi_checkpoint *checkpoint, mica_training *training);
void mi_checkpoint_close(struct mi_checkpoint *checkpoint);

#endif
