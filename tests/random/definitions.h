/* What operators are defined to compute, by their names, in double: a second reference beside the rows' own texts (interpret.h).
 * Most are ONNX's; an operator that is only a piece of others has no definition. */
#ifndef MICA_TEST_DEFINITIONS_H
#define MICA_TEST_DEFINITIONS_H

#include "support/ops.h"

/* NULL: there is none. `training` says which of two flavours; inputs that are left out have a NULL shape in the case. */
op_reference *definition_of(const char *op, bool training);

#endif
