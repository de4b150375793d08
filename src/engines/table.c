/* The engines, in the order of MI_ENGINES. */
#include "engines/engine.h"

#define LIST(name) &mi_engine_##name,
const struct mi_engine *const mi_engines[] = {MI_ENGINES(LIST) NULL};
