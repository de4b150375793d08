/* .npy files: whatever is accepted must also be readable to its last element. */
#include "fuzz.h"

#include "formats/array/array.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct mi_error error = {0};
    struct mi_array array;
    if (mi_npy_parse(&error, "fuzz", bytes, size, &array) != MICA_OK || !array.count)
        return 0;
    float *row = mi_new(mi_array_row_elements(&array), sizeof *row);
    for (size_t i = 0; row && i < (array.rank ? (size_t)array.dim[0] : 1); i++)
        mi_array_row_floats(&array, i, row);
    for (size_t i = 0; i < array.count; i++)
        (void)mi_array_integer(&array, i);
    free(row);
    return 0;
}
