/* CLBlast, opened at run time. clblast.c alone calls it; parameters.c knows its parameters. */
#ifndef MICA_SRC_CLBLAST_H
#define MICA_SRC_CLBLAST_H

#include "engines/match/product.h"

/* Whether the library is there for this device; opens it at the first question. MICA_CLBLAST_LIBRARY names another file. */
bool mi_clblast_ready(mica_device *device);

/* The call that computes a product; false: CLBlast cannot address these operands. The caller fills in images. */
bool mi_clblast_call(struct mi_emitter *e, const struct mi_product *product, int64_t batch, struct mi_call **out);

/* ---- Its parameters: they hold for a device in the whole process, so an application's context keeps what it has ---- */

enum { MI_CLBLAST_GEMM, MI_CLBLAST_DIRECT, MI_CLBLAST_THRESHOLD, MI_CLBLAST_KERNELS, MI_CLBLAST_NUMBERS = 16 };

struct mi_clblast_values {
    int32_t number[MI_CLBLAST_NUMBERS]; /* in the order of the kernel's names; 0 after the last */
};

/* What CLBlast calls a kernel's parameters: of the product of large matrices, of small ones, and of the choice between them. */
struct mi_clblast_kernel {
    const char *name;
    int count;
    const char *names[MI_CLBLAST_NUMBERS];
};
const struct mi_clblast_kernel *mi_clblast_kernel(int which);

/* Whether the device can run the kernel with these values. */
bool mi_clblast_fits(const mica_device *device, int kernel, const struct mi_clblast_values *values);
/* Values worth a try, the best guess first; how many. None of the threshold. */
int mi_clblast_candidates(const mica_device *device, int kernel, struct mi_clblast_values *list, int most);
/* Sets them. false: there is no CLBlast, it refuses, they do not fit, or the context is an application's. */
bool mi_clblast_set(mica_device *device, int kernel, const struct mi_clblast_values *values);

#endif
