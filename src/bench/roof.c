/* The device's roofs: multiply-adds in registers, and a copy of more than its caches hold. */
#include "bench/bench.h"

#include <string.h>

enum { FMA_CHAINS = 10, COPY_MIB = 256 };

struct roof_run {
    mica_device *device;
    struct mi_launch launch;
};

static mica_status run_launches(void *context, int times)
{
    const struct roof_run *roof = context;
    for (int i = 0; i < times; i++)
        MI_TRY(mi_launch_run(roof->device, &roof->launch));
    return mi_device_finish(roof->device);
}

/* Builds a kernel file behind its definitions. */
static mica_status build(mica_device *device, const char *file, const char *name, struct mi_text *defines,
                         struct roof_run *run, size_t *group)
{
    cl_program program = NULL;
    const char *body = mi_kernel_text(file);
    if (body)
        mi_text_append(defines, body, strlen(body));
    mica_status status = !body            ? mi_fail(&device->error, MICA_INTERNAL, "there is no kernel file \"%s\"", file)
                         : defines->failed ? mi_out_of_memory(&device->error)
                                           : mi_program_get(device, name, mi_text_get(defines), &program);
    mi_text_destroy(defines);
    run->device = device;
    return status == MICA_OK ? mi_launch_create(device, program, name, &run->launch, group) : status;
}

/* Vectors as wide as a CPU's registers; on other devices `others` floats an item. */
static void define_vectors(const mica_device *device, int others, struct mi_text *text, int *lanes)
{
    *lanes = device->vector_width > 1 ? device->vector_width : others;
    if (*lanes > 1)
        mi_text_add(text, "#define VEC float%d\n#define VLOAD vload%d\n#define VSTORE vstore%d\n", *lanes, *lanes, *lanes);
    else
        mi_text_add(text, "#define VEC float\n#define VLOAD(i, p) (p)[i]\n#define VSTORE(v, i, p) (p)[i] = (v)\n");
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static mica_status measure_fma(mica_bench *bench, double seconds, mica_bench_result *result)
{
    mica_device *device = bench->device;
    struct mi_text text = {0};
    struct roof_run run = {0};
    struct mi_buffer out = {0};
    int lanes;
    bool cpu = device->is_cpu;
    const int steps = cpu ? 200000 : 4096;
    size_t group = 1, items = (size_t)device->info.compute_units * (cpu ? 4 : 2048);
    define_vectors(device, 1, &text, &lanes);
    mi_text_add(&text, "#define STEPS %d\n", steps);
    mica_status status = build(device, "roof_fma.cl", "mica_roof_fma", &text, &run, &group);
    if (status == MICA_OK)
        status = mi_buffer_create(device, items * (size_t)lanes * sizeof(float), &out);
    if (status == MICA_OK)
        status = mi_launch_arg(device, &run.launch, 0, sizeof out.mem, &out.mem);
    if (status == MICA_OK) {
        mi_launch_grid(&run.launch, 1, &items, (const size_t[]){cpu ? 1 : smaller(group, 64)});
        status = mi_bench_measure(&(struct mi_bench_work){run_launches, &run}, seconds, result);
    }
    double flops = 2.0 * FMA_CHAINS * lanes * steps * (double)run.launch.global[0];
    if (status == MICA_OK) {
        result->gflops = flops / result->median_ms * 1e-6;
        bench->roof.flops = flops / result->min_ms * 1e3;
    }
    mi_buffer_destroy(device, &out);
    mi_launch_destroy(device, &run.launch);
    return status;
}

/* More than any cache holds, as far as memory goes. */
static uint64_t copy_bytes(const mica_device *device)
{
    uint64_t bytes = (uint64_t)COPY_MIB << 20;
    if (bytes > device->info.memory_bytes / 8)
        bytes = device->info.memory_bytes / 8;
    if (bytes > device->info.largest_allocation_bytes)
        bytes = device->info.largest_allocation_bytes;
    return bytes / 1024 * 1024;
}

static mica_status measure_copy(mica_bench *bench, double seconds, mica_bench_result *result)
{
    mica_device *device = bench->device;
    struct mi_text text = {0};
    struct roof_run run = {0};
    struct mi_buffer buffer[2] = {{0}};
    int lanes;
    const float zero = 0;
    bool cpu = device->is_cpu;
    uint64_t bytes = copy_bytes(device);
    size_t group = 1, items = (size_t)device->info.compute_units * (cpu ? 16 : 2048);
    define_vectors(device, 4, &text, &lanes);
    mi_text_add(&text, "#define COUNT %lluu\n#define NEIGHBOURS %d\n",
                (unsigned long long)(bytes / sizeof(float) / (uint64_t)lanes), !cpu);
    mica_status status = build(device, "roof_copy.cl", "mica_roof_copy", &text, &run, &group);
    for (int i = 0; i < 2 && status == MICA_OK; i++) {
        status = mi_buffer_create(device, bytes, &buffer[i]);
        if (status == MICA_OK)
            status = mi_buffer_fill(device, &buffer[i], 0, bytes, &zero, sizeof zero);
        if (status == MICA_OK)
            status = mi_launch_arg(device, &run.launch, (cl_uint)i, sizeof buffer[i].mem, &buffer[i].mem);
    }
    if (status == MICA_OK) {
        mi_launch_grid(&run.launch, 1, &items, (const size_t[]){cpu ? 1 : smaller(group, 64)});
        status = mi_bench_measure(&(struct mi_bench_work){run_launches, &run}, seconds, result);
    }
    if (status == MICA_OK) {
        result->gbytes_per_second = 2 * (double)bytes / result->median_ms * 1e-6;
        result->peak_bytes = 2 * bytes;
        bench->roof.bytes = 2 * (double)bytes / result->min_ms * 1e3;
    }
    for (int i = 0; i < 2; i++)
        mi_buffer_destroy(device, &buffer[i]);
    mi_launch_destroy(device, &run.launch);
    return status;
}

mica_status mi_bench_roofs(mica_bench *bench, double seconds, bool show)
{
    static const struct {
        const char *name;
        mica_status (*measure)(mica_bench *bench, double seconds, mica_bench_result *result);
    } roofs[] = {{"copy", measure_copy}, {"fma", measure_fma}};
    for (size_t i = 0; i < MI_COUNT(roofs); i++) {
        mica_bench_result own = {0}, *result = show ? mi_bench_add(bench, roofs[i].name) : &own;
        if (!result)
            return bench->error.status;
        result->launches = 1;
        MI_TRY(mi_bench_from_device(bench, roofs[i].measure(bench, seconds, result)));
        if (show)
            result->roof_share = result->min_ms / result->median_ms;
    }
    return MICA_OK;
}

mica_bench *mica_bench_memory(mica_device *device, const mica_bench_desc *desc)
{
    if (!device)
        return NULL;
    mica_bench *bench = mi_bench_new(device);
    if (bench && bench->error.status == MICA_OK)
        mi_bench_roofs(bench, desc ? desc->seconds : 0, true);
    return bench;
}
