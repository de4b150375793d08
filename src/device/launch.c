/* Launches: kernels whose arguments and grid stay fixed between runs. */
#include "device/cl_api.h"


mica_status mi_launch_create(mica_device *device, cl_program program, const char *name, struct mi_launch *out,
                             size_t *largest_group)
{
    char what[256];
    cl_int code = CL_SUCCESS;
    *out = (struct mi_launch){.name = name};
    if (largest_group)
        *largest_group = 0;
    MI_TRY(mi_device_ready(device));
    mi_format(what, sizeof what, "kernel \"%s\"", name);
    out->kernel = device->cl->CreateKernel(program, name, &code);
    if (!out->kernel || code != CL_SUCCESS) {
        out->kernel = NULL;
        return mi_cl_fail(device, code != CL_SUCCESS ? code : CL_OUT_OF_HOST_MEMORY, what);
    }
    size_t group = 0;
    code = device->cl->GetKernelWorkGroupInfo(out->kernel, device->id, CL_KERNEL_WORK_GROUP_SIZE,
                                              sizeof group, &group, NULL);
    if (code != CL_SUCCESS) {
        mi_launch_destroy(device, out);
        return mi_cl_fail(device, code, what);
    }
    if (largest_group)
        *largest_group =
            group < device->info.largest_work_group ? group : (size_t)device->info.largest_work_group;
    return MICA_OK;
}

mica_status mi_launch_arg(mica_device *device, struct mi_launch *launch, cl_uint index, size_t size,
                          const void *value)
{
    char what[256];
    MI_TRY(mi_device_ready(device));
    cl_int code = device->cl->SetKernelArg(launch->kernel, index, size, value);
    if (code == CL_SUCCESS)
        return MICA_OK;
    mi_format(what, sizeof what, "argument %u of kernel \"%s\" (%zu bytes)", (unsigned)index, launch->name,
             size);
    return mi_cl_fail(device, code, what);
}

/* No grid (dims 0) where the numbers make none: mi_launch_run says so. */
void mi_launch_grid(struct mi_launch *launch, cl_uint dims, const size_t *global, const size_t *local)
{
    launch->dims = dims <= 3 ? dims : 0;
    for (cl_uint i = 0; i < 3; i++) {
        size_t items = i < launch->dims ? global[i] : 1, group = i < launch->dims ? local[i] : 1, rest;
        rest = group ? items % group : 0;
        if (!group || (rest && !mi_add_size(items, group - rest, &items)))
            launch->dims = 0;
        launch->global[i] = items;
        launch->local[i] = group;
    }
}

static mica_status fail_launch(mica_device *device, const struct mi_launch *launch, cl_int code,
                               enum mi_stage stage)
{
    char what[384];
    const size_t *global = launch->global, *local = launch->local;
    mi_format(what, sizeof what, "launch \"%s\" (%zu x %zu x %zu in groups of %zu x %zu x %zu)", launch->name,
             global[0], global[1], global[2], local[0], local[1], local[2]);
    return mi_cl_fail_at(device, code, stage, what);
}

mica_status mi_launch_run(mica_device *device, const struct mi_launch *launch)
{
    return mi_launch_run_event(device, launch, NULL);
}

mica_status mi_launch_run_event(mica_device *device, const struct mi_launch *launch, cl_event *done)
{
    if (done)
        *done = NULL;
    MI_TRY(mi_device_ready(device));
    if (!launch->kernel || !launch->dims)
        return mi_fail(&device->error, MICA_INTERNAL, "launch \"%s\" has no %s",
                       launch->name ? launch->name : "", launch->kernel ? "grid" : "kernel");
    if (!launch->global[0] || !launch->global[1] || !launch->global[2])
        return MICA_OK;
    cl_int code = device->cl->EnqueueNDRangeKernel(device->queue, launch->kernel, launch->dims, NULL,
                                                   launch->global, launch->local, 0, NULL, done);
    if (code != CL_SUCCESS)
        return fail_launch(device, launch, code, MI_STAGE_OTHER);
    if (!device->debug)
        return MICA_OK;
    device->calls_wait++;
    code = device->cl->Finish(device->queue);
    return code == CL_SUCCESS ? MICA_OK : fail_launch(device, launch, code, MI_STAGE_WAIT);
}

void mi_launch_destroy(mica_device *device, struct mi_launch *launch)
{
    if (launch->kernel)
        device->cl->ReleaseKernel(launch->kernel);
    *launch = (struct mi_launch){0};
}
