/* Model files: whatever they hold, a model comes back that says what is wrong, or can be looked at. */
#include "fuzz.h"

#include "device/device.h"

#include <mica/mica.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct mica_device device;
    memset(&device, 0, sizeof device);
    device.context = (cl_context)(void *)&device; /* open, and never used */
    mica_model *model = mica_model_load_memory(&device, bytes, size);
    char *json = NULL;
    if (model && mica_model_status(model) == MICA_OK)
        (void)mica_model_inspect(model, NULL, &json);
    else if (model && !*mica_model_error(model))
        abort();
    mica_free(json);
    mica_model_destroy(model);
    return 0;
}
