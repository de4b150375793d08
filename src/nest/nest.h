/* Nests of loops: maps, moves and reductions in one kernel, and, as the reference engine, contractions. */
#ifndef MICA_SRC_NEST_H
#define MICA_SRC_NEST_H

#include "emit/emit.h"

mica_status mi_emit_nest(struct mi_emitter *e, struct mi_codes *codes);

#endif
