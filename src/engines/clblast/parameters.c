/* What is known of CLBlast's tuning parameters: the names, what they must satisfy (as its own tuners say), and values that are
 * worth a try. */
#include "engines/clblast/clblast.h"

#include <string.h>

static const struct mi_clblast_kernel kernels[MI_CLBLAST_KERNELS] = {
    {"Xgemm",
     16,
     {"GEMMK", "KREG", "KWG", "KWI", "MDIMA", "MDIMC", "MWG", "NDIMB", "NDIMC", "NWG", "SA", "SB", "STRM", "STRN",
      "VWM", "VWN"}},
    {"XgemmDirect", 10, {"KWID", "MDIMAD", "MDIMCD", "NDIMBD", "NDIMCD", "PADA", "PADB", "VWMD", "VWND", "WGD"}},
    {"GemmRoutine", 1, {"XGEMM_MIN_INDIRECT_SIZE"}},
};

const struct mi_clblast_kernel *mi_clblast_kernel(int which)
{
    return &kernels[which];
}

/* ---- What is allowed ---- */

/* The work-items across and down, and those that load A and B, are powers of two; vectors too. */
static bool is_power(int32_t value, int32_t most)
{
    return value >= 1 && value <= most && (value & (value - 1)) == 0;
}

/* A tile of m x n by k: each work-item computes whole vectors, and all of them together load whole rows. */
struct cut {
    int32_t m, n, k, unroll, rows, columns, load_a, load_b, vector_m, vector_n;
};

static bool divides(int32_t part, int32_t whole)
{
    return part > 0 && whole % part == 0;
}

static bool cut_fits(const mica_device *device, const struct cut *c)
{
    if (!is_power(c->rows, 64) || !is_power(c->columns, 64) || !is_power(c->load_a, 64) || !is_power(c->load_b, 64) ||
        !is_power(c->vector_m, 16) || !is_power(c->vector_n, 16) || c->m > 256 || c->n > 256 || c->k > 256)
        return false;
    int32_t items = c->rows * c->columns;
    return (uint64_t)items <= device->info.largest_work_group && divides(c->unroll, c->k) &&
           divides(c->rows * c->vector_m, c->m) && divides(c->columns * c->vector_n, c->n) &&
           divides(c->load_a * c->vector_m, c->m) && divides(c->load_b * c->vector_n, c->n) &&
           divides(c->load_a, items) && divides(c->load_b, items) && divides(items / c->load_a, c->k) &&
           divides(items / c->load_b, c->k);
}

static bool is_flag(int32_t value)
{
    return value == 0 || value == 1;
}

static bool gemm_fits(const mica_device *device, const int32_t *v)
{
    const struct cut cut = {v[6], v[9], v[2], v[3], v[5], v[8], v[4], v[7], v[14], v[15]};
    for (int i = 10; i < 14; i++)
        if (!is_flag(v[i]))
            return false;
    if (v[0] != 0 || v[1] != 1 || !cut_fits(device, &cut))
        return false;
    uint64_t local = (uint64_t)cut.k * (uint64_t)(v[10] * cut.m + v[11] * cut.n) * sizeof(float);
    return local <= device->info.local_memory_bytes;
}

static bool direct_fits(const mica_device *device, const int32_t *v)
{
    const struct cut cut = {v[9], v[9], v[9], v[0], v[2], v[4], v[1], v[3], v[7], v[8]};
    if (!is_flag(v[5]) || !is_flag(v[6]) || !cut_fits(device, &cut))
        return false;
    uint64_t local = (uint64_t)cut.m * (uint64_t)(2 * cut.m + v[5] + v[6]) * sizeof(float);
    return local <= device->info.local_memory_bytes;
}

bool mi_clblast_fits(const mica_device *device, int kernel, const struct mi_clblast_values *values)
{
    switch (kernel) {
    case MI_CLBLAST_GEMM: return gemm_fits(device, values->number);
    case MI_CLBLAST_DIRECT: return direct_fits(device, values->number);
    default: return values->number[0] >= 1 && values->number[0] <= 4096;
    }
}

/* ---- What is worth a try ---- */

/* One work-item a group and no local memory for CPUs, in lanes of their registers; the first three are the best guesses for
 * registers of 16, 8 and 4 lanes. */
static const struct cut cpu_gemm[] = {{2, 8, 128, 4, 1, 1, 1, 1, 1, 1}, {2, 6, 128, 4, 1, 1, 1, 1, 1, 1},
                                      {2, 4, 64, 2, 1, 1, 1, 1, 1, 1},  {1, 8, 128, 4, 1, 1, 1, 1, 1, 1},
                                      {4, 4, 128, 4, 1, 1, 1, 1, 1, 1}, {2, 4, 128, 8, 1, 1, 1, 1, 1, 1}},
                        cpu_direct[] = {{1, 0, 0, 2, 1, 1, 1, 1, 1, 1},
                                        {2, 0, 0, 2, 1, 1, 1, 1, 1, 1},
                                        {2, 0, 0, 8, 1, 1, 1, 1, 1, 2},
                                        {4, 0, 0, 2, 1, 1, 1, 1, 1, 1}};
/* GPUs; those of Xgemm are tried with and without local memory. */
static const struct cut gpu_gemm[] = {{64, 64, 16, 2, 8, 8, 8, 8, 4, 4},       {128, 64, 16, 2, 16, 8, 16, 8, 4, 4},
                                      {128, 128, 16, 2, 16, 16, 16, 16, 4, 4}, {64, 64, 32, 2, 16, 16, 16, 16, 2, 2},
                                      {64, 64, 32, 2, 8, 8, 8, 8, 4, 4},       {32, 32, 32, 2, 8, 8, 8, 8, 2, 2}},
                        gpu_direct[] = {{32, 0, 0, 2, 8, 8, 8, 8, 2, 2},
                                        {16, 0, 0, 2, 8, 8, 8, 8, 1, 1},
                                        {32, 0, 0, 2, 16, 16, 16, 16, 1, 1},
                                        {32, 0, 0, 8, 8, 8, 8, 8, 4, 4},
                                        {32, 0, 0, 2, 16, 16, 16, 16, 2, 2}};

static struct mi_clblast_values gemm_values(const struct cut *c, int local)
{
    return (struct mi_clblast_values){{0, 1, c->k, c->unroll, c->load_a, c->rows, c->m, c->load_b, c->columns, c->n,
                                       local, local, 0, 0, c->vector_m, c->vector_n}};
}

static struct mi_clblast_values direct_values(const struct cut *c, int pad)
{
    return (struct mi_clblast_values){
        {c->unroll, c->load_a, c->rows, c->load_b, c->columns, pad, pad, c->vector_m, c->vector_n, c->m}};
}

static int add(const mica_device *device, int kernel, struct mi_clblast_values values, struct mi_clblast_values *list,
               int count, int most)
{
    if (count < most && mi_clblast_fits(device, kernel, &values))
        list[count++] = values;
    return count;
}

/* A cut of a CPU: m is in registers, and the first vector is one. */
static struct cut in_lanes(struct cut cut, int lanes)
{
    cut.m *= lanes;
    cut.vector_m = lanes;
    return cut;
}

int mi_clblast_candidates(const mica_device *device, int kernel, struct mi_clblast_values *list, int most)
{
    int count = 0;
    if (kernel == MI_CLBLAST_GEMM && device->is_cpu)
        for (size_t i = 0; i < MI_COUNT(cpu_gemm); i++) {
            size_t first = device->vector_width >= 16 ? 0 : device->vector_width == 8 ? 1 : 2;
            struct cut cut = in_lanes(cpu_gemm[(first + i) % MI_COUNT(cpu_gemm)], device->vector_width);
            count = add(device, kernel, gemm_values(&cut, 0), list, count, most);
        }
    else if (kernel == MI_CLBLAST_GEMM)
        for (size_t i = 0; i < 2 * MI_COUNT(gpu_gemm); i++)
            count = add(device, kernel, gemm_values(&gpu_gemm[i / 2], i % 2 == 0), list, count, most);
    else if (kernel == MI_CLBLAST_DIRECT && device->is_cpu)
        for (size_t i = 0; i < MI_COUNT(cpu_direct); i++) {
            struct cut cut = in_lanes(cpu_direct[i], device->vector_width);
            count = add(device, kernel, direct_values(&cut, 0), list, count, most);
        }
    else if (kernel == MI_CLBLAST_DIRECT)
        for (size_t i = 0; i < MI_COUNT(gpu_direct); i++)
            count = add(device, kernel, direct_values(&gpu_direct[i], 1), list, count, most);
    return count;
}
