/* Stands before every program: constants by their bits, halves, random numbers. OpenCL C 1.2. */

/* What changes from step to step; struct mi_step of src/compile/plan.h. */
typedef struct {
    int n;
    float learning_rate;
    ulong step, seed;
} mica_step;

#define MICA_NAN as_float(0x7fc00000u)
#define MICA_INF as_float(0x7f800000u)

/* Asks for the line at p before it is read, past the nearest cache; nothing where the compiler knows no such thing. OpenCL's
 * own prefetch does nothing on POCL. */
#ifdef __has_builtin
#if __has_builtin(__builtin_prefetch)
#define MICA_PREFETCH(p) __builtin_prefetch(p, 0, 2)
#endif
#endif
#ifndef MICA_PREFETCH
#define MICA_PREFETCH(p)
#endif

/* By integer bits: a compiler that assumes finite numbers cannot fold it away. */
static inline int mica_isnan(float x)
{
    return (as_uint(x) & 0x7fffffffu) > 0x7f800000u;
}

/* Halves are stored; arithmetic is in float. Neither needs cl_khr_fp16. */
static inline float mica_load_half(__global const half *p, size_t i)
{
    return vload_half(i, p);
}

static inline void mica_store_half(float value, __global half *p, size_t i)
{
    vstore_half_rte(value, i, p);
}

/* Philox 4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC 2011). Each
 * round multiplies two of the four words, mixes in the other two and the key; the key is a Weyl sequence. Words are scalars
 * here, so that a loop over counters becomes vectors. */
static inline uint4 mica_philox(ulong seed, ulong stream, ulong counter)
{
    uint x = (uint)counter, y = (uint)(counter >> 32), z = (uint)stream, w = (uint)(stream >> 32);
    uint key0 = (uint)seed, key1 = (uint)(seed >> 32);
#pragma unroll
    for (int round = 0; round < 10; round++) {
        const ulong first = (ulong)x * 0xD2511F53u, second = (ulong)z * 0xCD9E8D57u;
        x = (uint)(second >> 32) ^ y ^ key0;
        y = (uint)second;
        z = (uint)(first >> 32) ^ w ^ key1;
        w = (uint)first;
        key0 += 0x9E3779B9u;
        key1 += 0xBB67AE85u;
    }
    return (uint4)(x, y, z, w);
}

/* Uniform in [0, 1), 24 bits. */
static inline float mica_uniform(ulong seed, ulong stream, ulong counter)
{
    return (float)(mica_philox(seed, stream, counter).x >> 8) * (1.0f / 16777216.0f);
}
