/* Constraints: a row each, which says what a parameter becomes after its update.
 *
 * Adding one: its row in constraint.c. */
#ifndef MICA_SRC_NN_CONSTRAINT_H
#define MICA_SRC_NN_CONSTRAINT_H

#include "nn/model.h"

#include "json/keys.h"

#include <mica/layers/parameter.h>

extern const struct mi_key mi_constraint_keys[];
extern const char *const mi_constraint_names[]; /* NULL-terminated */

/* From now on every update of the variable ends with this. inputs_first: as struct mi_parameter has it. */
mica_status mi_constraint_add(mica_model *model, struct mi_error *error, const mica_constraint *given,
                              const struct mi_variable *variable, bool inputs_first);
/* What a new value of the variable becomes: itself where it has no constraint. NULL after an error. */
mi_value *mi_constrained(const mica_model *model, struct mi_graph *graph, const struct mi_variable *variable, mi_value *value);

#endif
