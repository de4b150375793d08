/* safetensors files: whatever is accepted must also be readable to its last element, as every type. */
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
        for (enum mi_type type = MI_FLOAT; type < MI_TYPES; type++) {
            void *elements = mi_new(tensor->count, mi_types[type].bytes);
            if (elements)
                (void)mi_safetensors_read(&error, "fuzz", &file, tensor, type, elements, tensor->count);
            free(elements);
        }
        if (mi_safetensors_find(&file, tensor->name) != tensor)
            abort();
    }
    (void)mi_safetensors_metadata(&file, "mica");
    mi_safetensors_close(&file);
    return 0;
}
