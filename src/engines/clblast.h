/* CLBlast, opened at run time. clblast.c is the only file that knows it. */
#ifndef MICA_SRC_CLBLAST_H
#define MICA_SRC_CLBLAST_H

#include "engines/product.h"

/* Whether the library is there for this device; opens it at the first question. MICA_CLBLAST_LIBRARY names another file. */
bool mi_clblast_ready(mica_device *device);

/* The call that computes a product; false: CLBlast cannot address these operands. The caller fills in images. */
bool mi_clblast_call(struct mi_emitter *e, const struct mi_product *product, int64_t batch, struct mi_call **out);

#endif
