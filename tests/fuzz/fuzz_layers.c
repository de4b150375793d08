/* Layers from JSON: whatever is accepted must be describable, and its description must be accepted again. */
#include "fuzz.h"

#include "device/device.h"
#include "nn/model.h"

#include <mica/model.h>

#include <stdlib.h>
#include <string.h>

/* An open device that is never used; its little memory bounds what is allocated. */
static void pretend(struct mica_device *device)
{
    memset(device, 0, sizeof *device);
    device->context = (cl_context)(void *)device;
    device->info.memory_bytes = 1 << 16;
}

static void describe_again(struct mica_device *device, const mica_model *model)
{
    cJSON *json = mi_model_describe(model);
    char *text = json ? cJSON_PrintUnformatted(json) : NULL;
    mica_model *again = mica_model_create(device, NULL);
    if (text && again && mica_model_add_json(again, text) != MICA_OK && mica_model_status(again) != MICA_OUT_OF_MEMORY)
        abort();
    mica_model_destroy(again);
    cJSON_free(text);
    cJSON_Delete(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct mica_device device;
    pretend(&device);
    char *text = malloc(size + 1);
    mica_model *model = mica_model_create(&device, NULL);
    if (text && model) {
        if (size)
            memcpy(text, bytes, size);
        text[size] = 0;
        if (mica_model_add_json(model, text) == MICA_OK)
            describe_again(&device, model);
        else if (!*mica_model_error(model))
            abort();
    }
    mica_model_destroy(model);
    free(text);
    return 0;
}
