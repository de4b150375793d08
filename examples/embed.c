/* An application with an OpenCL context of its own: it loads a model, gives it its own buffers, and lets the device run on
 * while it does something else. Usage: embed MODEL.safetensors */
#include <mica/mica_cl.h>
#include <stdio.h>
#include <stdlib.h>

enum { INPUTS = 64, OUTPUTS = 10 }; /* the digits model of examples/quickstart.sh */

int main(int argc, char **argv)
{
    cl_platform_id platform;
    cl_device_id id;
    if (argc < 2 || clGetPlatformIDs(1, &platform, NULL) || clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 1, &id, NULL))
        return fprintf(stderr, "usage: embed MODEL.safetensors, on a machine with an OpenCL device\n"), 2;
    cl_context context = clCreateContext(NULL, 1, &id, NULL, NULL, NULL);
    cl_command_queue queue = clCreateCommandQueue(context, id, 0, NULL);
    float image[INPUTS] = {0}, scores[OUTPUTS];
    cl_mem pixels = clCreateBuffer(context, CL_MEM_READ_ONLY | CL_MEM_COPY_HOST_PTR, sizeof image, image, NULL);
    cl_mem answer = clCreateBuffer(context, CL_MEM_WRITE_ONLY, sizeof scores, NULL, NULL);

    mica_device *device = mica_cl_device_adopt(context, id, queue, &(mica_device_desc){.memory_budget_bytes = 64 << 20});
    mica_model *model = mica_model_load(device, argv[1]);
    mica_plan *plan = mica_compile(model, &(mica_plan_desc){.batch = 1});
    mica_cl_bind(plan, "input", pixels, 0);
    mica_cl_bind(plan, "output", answer, 0);

    cl_event done = NULL;
    if (!mica_device_status(device) && !mica_cl_run(plan, 1, 0, NULL, &done)) {
        /* ... the application's own work, while the device runs ... */
        clEnqueueReadBuffer(queue, answer, CL_TRUE, 0, sizeof scores, scores, 1, &done, NULL);
        clReleaseEvent(done);
        for (int i = 0; i < OUTPUTS; i++)
            printf("%d: %.3f\n", i, scores[i]);
    }

    int failed = mica_device_status(device);
    if (failed)
        fprintf(stderr, "embed: %s\n", mica_device_error(device));
    mica_plan_destroy(plan);
    mica_model_destroy(model);
    mica_device_destroy(device);
    clReleaseMemObject(answer);
    clReleaseMemObject(pixels);
    clReleaseCommandQueue(queue);
    clReleaseContext(context);
    return failed != 0;
}
