/* The files of kernels/ by name. */
#include "device/kernels.h"

#include "device/programs.h"

#include <string.h>

const char *mi_kernel_text(const char *file)
{
    for (size_t i = 0; i < mi_kernel_file_count; i++)
        if (strcmp(mi_kernel_files[i].name, file) == 0)
            return (const char *)mi_kernel_files[i].text;
    return NULL;
}
