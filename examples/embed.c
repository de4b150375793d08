/* An application with an OpenCL context of its own: it loads a model, gives it its own buffers, lets the device run on while it
 * does
 * something else, and trains it a step further on a sample that is in its buffers. Usage: embed MODEL.safetensors */
#include <mica/mica_cl.h>
#include <stdio.h>
#include <stdlib.h>

enum { INPUTS = 64, OUTPUTS = 10 }; /* the digits model of examples/quickstart.sh */

/* One step on the sample in `pixels`, whose class is in `label`: a plan with an objective has an input for the target too. */
static void train(mica_model *model, cl_mem pixels, cl_mem label)
{
    const mica_objective goal = {.loss = "sparse_categorical_crossentropy", .classes = true};
    double before = 0, after = 0;
    mica_plan *step = mica_compile(model, &(mica_plan_desc){.objectives = &goal, .objective_count = 1, .optimizer = {"sgd"}});
    mica_cl_bind(step, "input", pixels, 0);
    mica_cl_bind(step, "output_target", label, 0);
    mica_cl_run(step, 1, 0, NULL, NULL);
    mica_plan_metrics(step, &before, 1);
    mica_plan_reset_metrics(step);
    mica_cl_run(step, 1, 0, NULL, NULL);
    mica_plan_metrics(step, &after, 1);
    printf("a step changed the loss of this sample from %.4f to %.4f\n", before, after);
    mica_plan_destroy(step);
}

int main(int argc, char **argv)
{
    cl_platform_id platform;
    cl_device_id id;
    if (argc < 2 || clGetPlatformIDs(1, &platform, NULL) || clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 1, &id, NULL))
        return fprintf(stderr, "usage: embed MODEL.safetensors, on a machine with an OpenCL device\n"), 2;
    cl_context context = clCreateContext(NULL, 1, &id, NULL, NULL, NULL);
    cl_command_queue queue = clCreateCommandQueue(context, id, 0, NULL);
    float image[INPUTS] = {0}, scores[OUTPUTS];
    cl_int class = 3;
    cl_mem pixels = clCreateBuffer(context, CL_MEM_READ_ONLY | CL_MEM_COPY_HOST_PTR, sizeof image, image, NULL);
    cl_mem label = clCreateBuffer(context, CL_MEM_READ_ONLY | CL_MEM_COPY_HOST_PTR, sizeof class, &class, NULL);
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
        train(model, pixels, label);
    }

    int failed = mica_device_status(device);
    if (failed)
        fprintf(stderr, "embed: %s\n", mica_device_error(device));
    mica_plan_destroy(plan);
    mica_model_destroy(model);
    mica_device_destroy(device);
    clReleaseMemObject(answer);
    clReleaseMemObject(label);
    clReleaseMemObject(pixels);
    clReleaseCommandQueue(queue);
    clReleaseContext(context);
    return failed != 0;
}
