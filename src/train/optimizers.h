/* Optimizers: one row each, and the nodes that update a graph's parameters. */
#ifndef MICA_SRC_TRAIN_OPTIMIZERS_H
#define MICA_SRC_TRAIN_OPTIMIZERS_H

#include "json/keys.h"
#include "nn/model.h"

#include <mica/train.h>

enum { MI_MOST_MOMENTS = 3 };

/* How a job's "optimizer" is read. */
extern const struct mi_key mi_optimizer_keys[];

/* Fills in defaults and checks ranges. */
mica_status mi_optimizer_resolve(struct mi_error *error, const mica_optimizer *given, mica_optimizer *out);

/* Adds gradients of `loss` and the update of every parameter that it depends on, with their moments. `optimizer` is
 * resolved. */
mica_status mi_optimizer_add(mica_model *model, struct mi_graph *graph, mi_value *loss, const mica_optimizer *optimizer);

/* Begins a training: the model's last one is gone on with where its optimizer was of the same kind, unless `restart`. Otherwise the
 * moments, which mi_optimizer_add has made, get their first values, and steps and epochs count from zero. */
mica_status mi_optimizer_begin(mica_model *model, const mica_optimizer *optimizer, bool restart);

#endif
