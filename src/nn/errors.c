/* What went wrong with a model: the first error of the calls that built it. */
#include "nn/model.h"

#include <stdarg.h>

mica_status mi_model_fail(mica_model *model, mica_status status, const char *format, ...)
{
    char text[sizeof model->error.text];
    va_list arguments;
    va_start(arguments, format);
    mi_vformat(text, sizeof text, format, arguments);
    va_end(arguments);
    mi_fail(&model->error, status, "%s%s", model->place ? model->place : "", text);
    mi_error_report(&model->device->error, &model->error);
    return status;
}

mica_status mi_model_check(mica_model *model)
{
    if (model->error.status == MICA_OK && model->graph->error.status != MICA_OK)
        mi_model_fail(model, model->graph->error.status, "%s", model->graph->error.text);
    if (model->error.status == MICA_OK && model->graph->arena.failed)
        mi_model_fail(model, MICA_OUT_OF_MEMORY, "the host is out of memory");
    return model->error.status;
}

mica_status mi_model_begin(mica_model *model)
{
    mi_device_begin(model->device);
    mi_model_check(model);
    if (model->inside)
        return mi_fail(&model->device->error, MICA_INVALID_ARGUMENT, "a step of a recurrent layer of the model is being built");
    return mi_error_report(&model->device->error, &model->error);
}
