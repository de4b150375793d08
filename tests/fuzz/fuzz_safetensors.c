/* safetensors files: whatever is accepted must also be readable to its last element. */
#include "fuzz.h"

#include "formats/model/safetensors.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct mi_error error = {0};
    struct mi_safetensors file;
    if (mi_safetensors_open(&error, "fuzz", bytes, size, &file) != MICA_OK)
        return 0;
    for (size_t i = 0; i < file.count; i++) {
        const struct mi_safetensor *tensor = &file.tensors[i];
        float *values = mi_new(tensor->count, sizeof *values);
        if (values)
            (void)mi_safetensors_read(&error, "fuzz", &file, tensor, MI_FLOAT, values, tensor->count);
        free(values);
        if (mi_safetensors_find(&file, tensor->name) != tensor)
            abort();
    }
    (void)mi_safetensors_metadata(&file, "mica");
    mi_safetensors_close(&file);
    return 0;
}
