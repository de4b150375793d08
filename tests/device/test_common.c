/* kernels/common.cl: its random numbers against Random123's vectors and the host, its constants and halves.
 */
#include "on_device.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { MOST = 256 };

static const char *const source =
    "__kernel void philox(__global const ulong *in, __global uint *out, __global float *uniform)\n"
    "{\n"
    "    size_t i = get_global_id(0);\n"
    "    vstore4(mica_philox(in[i * 3], in[i * 3 + 1], in[i * 3 + 2]), i, out);\n"
    "    uniform[i] = mica_chance(in[i * 3], in[i * 3 + 1], in[i * 3 + 2]);\n"
    "}\n"
    "__kernel void constants(__global float *out)\n"
    "{\n"
    "    out[0] = MICA_NAN;\n"
    "    out[1] = MICA_INF;\n"
    "    out[2] = -MICA_INF;\n"
    "}\n"
    "__kernel void nans(__global const float *in, __global int *out)\n"
    "{\n"
    "    out[get_global_id(0)] = mica_isnan(in[get_global_id(0)]);\n"
    "}\n"
    "__kernel void halves(__global const float *in, __global half *stored, __global float *out)\n"
    "{\n"
    "    size_t i = get_global_id(0);\n"
    "    mica_store_half(in[i], stored, i);\n"
    "    out[i] = mica_load_half(stored, i);\n"
    "}\n";

/* Runs `kernel` over count items with the buffers as its arguments. */
static void run(mica_device *device, const char *kernel, size_t count, const struct mi_buffer *buffers,
                cl_uint arguments)
{
    cl_program program = NULL;
    struct mi_launch launch = {0};
    size_t one = 1;
    ASSERT_GOOD(device, mi_program_get(device, "common", source, &program));
    ASSERT_GOOD(device, mi_launch_create(device, program, kernel, &launch, NULL));
    for (cl_uint i = 0; i < arguments; i++)
        ASSERT_GOOD(device, mi_launch_arg(device, &launch, i, sizeof buffers[i].mem, &buffers[i].mem));
    mi_launch_grid(&launch, 1, &count, &one);
    ASSERT_GOOD(device, mi_launch_run(device, &launch));
    mi_launch_destroy(device, &launch);
}

static struct mi_buffer make(mica_device *device, uint64_t bytes, const void *content)
{
    struct mi_buffer buffer = {0};
    ASSERT_GOOD(device, mi_buffer_create(device, bytes, &buffer));
    if (content)
        ASSERT_GOOD(device, mi_buffer_write(device, &buffer, 0, content, bytes, NULL));
    return buffer;
}

/* Seed, stream and counter of each block in; its four words and its uniform value out. */
static void philox(mica_device *device, size_t count, const uint64_t (*in)[3], uint32_t (*out)[4],
                   float *uniform)
{
    struct mi_buffer buffers[3] = {make(device, count * sizeof *in, in),
                                   make(device, count * sizeof *out, NULL),
                                   make(device, count * sizeof *uniform, NULL)};
    run(device, "philox", count, buffers, 3);
    ASSERT_GOOD(device, mi_buffer_read(device, &buffers[1], 0, out, count * sizeof *out));
    ASSERT_GOOD(device, mi_buffer_read(device, &buffers[2], 0, uniform, count * sizeof *uniform));
    for (size_t i = 0; i < 3; i++)
        mi_buffer_destroy(device, &buffers[i]);
}

static uint64_t word64(unsigned low, unsigned high)
{
    return (uint64_t)high << 32 | low;
}

static size_t read_vectors(const char *path, uint64_t (*in)[3], uint32_t (*expected)[4])
{
    char line[512];
    unsigned rounds, c[4], k[2], e[4];
    size_t count = 0;
    FILE *file = fopen(path, "r");
    while (file && count < MOST && fgets(line, sizeof line, file)) {
        if (sscanf(line, "philox4x32 %u %x %x %x %x %x %x %x %x %x %x", &rounds, &c[0], &c[1], &c[2], &c[3],
                   &k[0], &k[1], &e[0], &e[1], &e[2], &e[3]) != 11 ||
            rounds != 10)
            continue;
        in[count][0] = word64(k[0], k[1]);
        in[count][1] = word64(c[2], c[3]);
        in[count][2] = word64(c[0], c[1]);
        for (size_t i = 0; i < 4; i++)
            expected[count][i] = e[i];
        count++;
    }
    if (file)
        fclose(file);
    return count;
}

static void test_known_answers(void **state)
{
    uint64_t in[MOST][3];
    uint32_t expected[MOST][4], got[MOST][4], host[4];
    float uniform[MOST];
    char path[1024];
    const char *shared = getenv("MICA_SHARED");
    if (shared)
        snprintf(path, sizeof path, "%s/data/conformance/random123/kat_vectors.txt", shared);
    else
        snprintf(path, sizeof path, "%s/../shared/data/conformance/random123/kat_vectors.txt",
                 MICA_SOURCE_DIR);
    size_t count = read_vectors(path, in, expected);
    if (!count) {
        print_message("Random123's vectors are not at %s: set MICA_SHARED\n", path);
        skip();
    }
    philox(*state, count, (const uint64_t(*)[3])in, got, uniform);
    for (size_t i = 0; i < count; i++) {
        mi_philox(in[i][0], in[i][1], in[i][2], host);
        assert_memory_equal(got[i], expected[i], sizeof got[i]);
        assert_memory_equal(host, expected[i], sizeof host);
    }
}

static void test_same_bits_as_the_host(void **state)
{
    uint64_t in[MOST][3];
    uint32_t got[MOST][4], host[4];
    float uniform[MOST];
    for (uint64_t i = 0; i < MOST; i++) {
        in[i][0] = i * 0x9e3779b97f4a7c15u;
        in[i][1] = i % 5 ? i : UINT64_MAX - i;
        in[i][2] = i % 3 ? i << 31 : i;
    }
    philox(*state, MOST, (const uint64_t(*)[3])in, got, uniform);
    for (size_t i = 0; i < MOST; i++) {
        mi_philox(in[i][0], in[i][1], in[i][2], host);
        assert_memory_equal(got[i], host, sizeof host);
        assert_true(uniform[i] > 0.0f && uniform[i] < 1.0f);
        assert_true(uniform[i] == mi_chance(in[i][0], in[i][1], in[i][2]));
    }
}

static void test_constants(void **state)
{
    mica_device *device = *state;
    float got[3] = {0};
    struct mi_buffer out = make(device, sizeof got, NULL);
    run(device, "constants", 1, &out, 1);
    ASSERT_GOOD(device, mi_buffer_read(device, &out, 0, got, sizeof got));
    assert_true(isnan(got[0]));
    assert_true(isinf(got[1]) && got[1] > 0);
    assert_true(isinf(got[2]) && got[2] < 0);
    mi_buffer_destroy(device, &out);
}

static void test_isnan(void **state)
{
    mica_device *device = *state;
    const float in[] = {0.0f, -0.0f, 1.0f, INFINITY, -INFINITY, NAN, -NAN, 3e38f};
    int got[MI_COUNT(in)];
    struct mi_buffer buffers[2] = {make(device, sizeof in, in), make(device, sizeof got, NULL)};
    run(device, "nans", MI_COUNT(in), buffers, 2);
    ASSERT_GOOD(device, mi_buffer_read(device, &buffers[1], 0, got, sizeof got));
    for (size_t i = 0; i < MI_COUNT(in); i++)
        assert_int_equal(got[i], isnan(in[i]) != 0);
    mi_buffer_destroy(device, &buffers[0]);
    mi_buffer_destroy(device, &buffers[1]);
}

/* Exact halves come back as they are; 1 + 2^-11 lies between two and goes to the even one. */
static void test_halves(void **state)
{
    mica_device *device = *state;
    const float in[] = {0.0f, -1.5f, 65504.0f, 0.000061035156f, 1.00048828125f, INFINITY, NAN};
    const float expected[] = {0.0f, -1.5f, 65504.0f, 0.000061035156f, 1.0f, INFINITY, NAN};
    float got[MI_COUNT(in)];
    struct mi_buffer buffers[3] = {make(device, sizeof in, in), make(device, MI_COUNT(in) * 2, NULL),
                                   make(device, sizeof got, NULL)};
    run(device, "halves", MI_COUNT(in), buffers, 3);
    ASSERT_GOOD(device, mi_buffer_read(device, &buffers[2], 0, got, sizeof got));
    for (size_t i = 0; i < MI_COUNT(in); i++)
        assert_true(isnan(expected[i]) ? isnan(got[i]) : got[i] == expected[i]);
    for (size_t i = 0; i < 3; i++)
        mi_buffer_destroy(device, &buffers[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_answers), cmocka_unit_test(test_same_bits_as_the_host),
        cmocka_unit_test(test_constants),     cmocka_unit_test(test_isnan),
        cmocka_unit_test(test_halves),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
