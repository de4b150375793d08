/* OpenCL's functions as kernels call them in their loops, the driver's own or kernels/operators.cl's: known answers, vectors
 * that lie anywhere, and one rounding of a product in a sum. */
#include "on_device.h"

#include <math.h>

enum { NUMBERS = 8, RESULTS = 8, ROUNDED = 5 * 16, MOVED = 64 };

static const char *const source =
    "__kernel void functions(__global const float *in, __global float *out, __global int *whole)\n"
    "{\n"
    "    const size_t i = get_global_id(0);\n"
    "    const float x = in[i];\n"
    "    const int k = (int)x;\n"
    "    out[8*i] = fabs(x);\n"
    "    out[8*i + 1] = sqrt(fabs(x));\n"
    "    out[8*i + 2] = floor(x);\n"
    "    out[8*i + 3] = ceil(x);\n"
    "    out[8*i + 4] = rint(x);\n"
    "    out[8*i + 5] = min(x, 1.0f);\n"
    "    out[8*i + 6] = max(x, 1.0f);\n"
    "    out[8*i + 7] = clamp(x, -1.0f, 2.0f);\n"
    "    whole[8*i] = min(k, 2);\n"
    "    whole[8*i + 1] = max(k, 2);\n"
    "    whole[8*i + 2] = clamp(k, -1, 1);\n"
    "    whole[8*i + 3] = (int)min((long)k - (1L << 40), 0L) == (int)(k - (1L << 40));\n"
    "    whole[8*i + 4] = (int)max((uint)k, 3u);\n"
    "    whole[8*i + 5] = (int)clamp((ulong)(k + 10), (ulong)8, (ulong)12);\n"
    "    whole[8*i + 6] = whole[8*i + 7] = 0;\n"
    "}\n"
    "__kernel void rounding(__global const float *in, __global float *out)\n"
    "{\n"
    "    const float x = in[0], y = in[1], z = in[2];\n"
    "    for (int i = 0; i < 16; i++) {\n"
    "        out[i] = fma(x, y, z);\n"
    "        out[16 + i] = x * y + z;\n"
    "    }\n"
    "    vstore16(fma((float16)(x), (float16)(y), (float16)(z)), 0, out + 32);\n"
    "    vstore16((float16)(x) * (float16)(y) + (float16)(z), 0, out + 48);\n"
    "    vstore8(fma((float8)(x), (float8)(y), (float8)(z)), 0, out + 64);\n"
    "    vstore4(fma((float4)(x), (float4)(y), (float4)(z)), 0, out + 72);\n"
    "    vstore4((float4)(x) * (float4)(y) + (float4)(z), 0, out + 76);\n"
    "}\n"
    "#define MOVE(TYPE, COUNT)                                                     \\\n"
    "    __kernel void move_##TYPE##COUNT(__global const TYPE *in, __global TYPE *out) \\\n"
    "    {                                                                         \\\n"
    "        __local TYPE shared[64];                                              \\\n"
    "        TYPE own[64];                                                         \\\n"
    "        vstore##COUNT(vload##COUNT(1, in + 3), 0, shared + 1);                \\\n"
    "        vstore##COUNT(vload##COUNT(0, shared + 1), 1, own + 5);               \\\n"
    "        vstore##COUNT(vload##COUNT(1, own + 5), 1, out + 7);                  \\\n"
    "    }\n"
    "#define MOVES(COUNT) MOVE(float, COUNT) MOVE(int, COUNT) MOVE(uint, COUNT)\n"
    "MOVES(4) MOVES(8) MOVES(16)\n";

/* Runs `kernel` over `items` with an input of floats or whole numbers of 4 bytes, and outputs filled with zeros. */
static void run(mica_device *device, const char *kernel, size_t items, const void *in, size_t count, void *const *out,
                const size_t *outs, cl_uint outputs)
{
    struct mi_buffer buffers[3] = {{0}};
    cl_program program = NULL;
    struct mi_launch launch = {0};
    size_t one = 1;
    const uint32_t zero = 0;
    ASSERT_GOOD(device, mi_buffer_create(device, count * 4, &buffers[0]));
    ASSERT_GOOD(device, mi_buffer_write(device, &buffers[0], 0, in, count * 4, NULL));
    ASSERT_GOOD(device, mi_program_get(device, "functions", source, &program));
    ASSERT_GOOD(device, mi_launch_create(device, program, kernel, &launch, NULL));
    ASSERT_GOOD(device, mi_launch_arg(device, &launch, 0, sizeof buffers[0].mem, &buffers[0].mem));
    for (cl_uint i = 0; i < outputs; i++) {
        struct mi_buffer *buffer = &buffers[1 + i];
        ASSERT_GOOD(device, mi_buffer_create(device, outs[i] * 4, buffer));
        ASSERT_GOOD(device, mi_buffer_fill(device, buffer, 0, outs[i] * 4, &zero, sizeof zero));
        ASSERT_GOOD(device, mi_launch_arg(device, &launch, 1 + i, sizeof buffer->mem, &buffer->mem));
    }
    mi_launch_grid(&launch, 1, &items, &one);
    ASSERT_GOOD(device, mi_launch_run(device, &launch));
    for (cl_uint i = 0; i < outputs; i++)
        ASSERT_GOOD(device, mi_buffer_read(device, &buffers[1 + i], 0, out[i], outs[i] * 4));
    for (int i = 0; i < 3; i++)
        mi_buffer_destroy(device, &buffers[i]);
    mi_launch_destroy(device, &launch);
}

static int clamped(int x, int low, int high)
{
    return x < low ? low : x > high ? high : x;
}

static void test_known_answers(void **state)
{
    static const float in[NUMBERS] = {-2.75f, -1, -0.5f, 0, 0.25f, 1.5f, 2.5f, 9};
    float out[NUMBERS * RESULTS];
    int whole[NUMBERS * RESULTS];
    run(*state, "functions", NUMBERS, in, NUMBERS, (void *const[]){out, whole}, (size_t[]){NUMBERS * RESULTS, NUMBERS * RESULTS},
        2);
    for (int i = 0; i < NUMBERS; i++) {
        const float x = in[i], *y = out + RESULTS * i;
        const float good[RESULTS] = {fabsf(x), sqrtf(fabsf(x)), floorf(x), ceilf(x), rintf(x), fminf(x, 1), fmaxf(x, 1),
                                     fminf(fmaxf(x, -1), 2)};
        for (int r = 0; r < RESULTS; r++)
            assert_float_equal(y[r], good[r], r == 1 ? 1e-6f : 0); /* a square root may be off by 3 units */
        const int k = (int)x, *w = whole + RESULTS * i;
        const int right[] = {clamped(k, k, 2), clamped(k, 2, 9), clamped(k, -1, 1), 1, k < 0 ? k : clamped(k, 3, 9),
                             clamped(k + 10, 8, 12)};
        assert_memory_equal(w, right, sizeof right);
    }
}

/* (1 + 2^-12)^2 is 1 + 2^-11 + 2^-24, of which the last term is lost where the product is rounded by itself. */
static void test_one_rounding(void **state)
{
    mica_device *device = *state;
    const float in[] = {1 + 0x1p-12f, 1 + 0x1p-12f, -1 - 0x1p-11f}, fused = 0x1p-24f;
    float out[ROUNDED];
    run(device, "rounding", 1, in, 3, (void *const[]){out}, (size_t[]){ROUNDED}, 1);
    if (!device->quirks.calls_functions)
        assert_float_equal(out[0], fused, 0);
    assert_true(out[0] == fused || out[0] == 0);
    for (int i = 0; i < ROUNDED && device->quirks.calls_functions; i++)
        assert_float_equal(out[i], out[0], 0);
}

static void test_vectors(void **state)
{
    static const char *const kernels[] = {"move_float4", "move_int4",   "move_uint4", "move_float8", "move_int8",
                                          "move_uint8",  "move_float16", "move_int16", "move_uint16"};
    for (size_t k = 0; k < MI_COUNT(kernels); k++) {
        const int count = 4 << k / 3;
        float in[MOVED], out[MOVED];
        for (int i = 0; i < MOVED; i++)
            in[i] = (float)(i + 1);
        run(*state, kernels[k], 1, in, MOVED, (void *const[]){out}, (size_t[]){MOVED}, 1);
        for (int i = 0; i < MOVED; i++) {
            const int at = i - 7 - count; /* of what was moved */
            assert_float_equal(out[i], at >= 0 && at < count ? in[3 + count + at] : 0, 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_known_answers), cmocka_unit_test(test_one_rounding),
                                       cmocka_unit_test(test_vectors)};
    return cmocka_run_group_tests(tests, open_device, close_device);
}
