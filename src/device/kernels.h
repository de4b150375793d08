/* The files of kernels/, which the build embeds in the library. */
#ifndef MICA_SRC_KERNELS_H
#define MICA_SRC_KERNELS_H

#include <stddef.h>

struct mi_kernel_file {
    const char *name;          /* "common.cl" */
    const unsigned char *text; /* a zero byte stands after it */
    size_t size;               /* without that byte */
};

extern const struct mi_kernel_file mi_kernel_files[];
extern const size_t mi_kernel_file_count;

#endif
