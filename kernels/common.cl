/* Stands before every program: constants by their bits, halves, random numbers. OpenCL C 1.2. */

/* What changes from step to step; struct mi_step of src/compile/plan.h. */
typedef struct {
    int n;
    float learning_rate;
    ulong step, seed;
} mica_step;

#define MICA_NAN as_float(0x7fc00000u)
#define MICA_INF as_float(0x7f800000u)

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
 * round multiplies two of the four words, mixes in the other two and the key; the key is a Weyl sequence. */
static inline uint4 mica_philox(ulong seed, ulong stream, ulong counter)
{
    uint4 word = (uint4)((uint)counter, (uint)(counter >> 32), (uint)stream, (uint)(stream >> 32));
    uint key0 = (uint)seed, key1 = (uint)(seed >> 32);
    for (int round = 0; round < 10; round++) {
        const ulong first = (ulong)0xD2511F53u * word.x, second = (ulong)0xCD9E8D57u * word.z;
        word = (uint4)((uint)(second >> 32) ^ word.y ^ key0, (uint)second, (uint)(first >> 32) ^ word.w ^ key1, (uint)first);
        key0 += 0x9E3779B9u;
        key1 += 0xBB67AE85u;
    }
    return word;
}

/* Uniform in [0, 1), 24 bits. */
static inline float mica_uniform(ulong seed, ulong stream, ulong counter)
{
    return (float)(mica_philox(seed, stream, counter).x >> 8) * (1.0f / 16777216.0f);
}
