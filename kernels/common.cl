/* Stands before every program: constants by their bits, halves, random numbers. OpenCL C 1.2. */

/* What changes from step to step; struct mi_step of src/plan/plan.h. */
typedef struct {
    int n;
    float learning_rate;
    ulong step, seed;
} mica_step;

#define MICA_NAN as_float(0x7fc00000u)
#define MICA_INF as_float(0x7f800000u)

/* Whether a place that is read is there; operators.cl has it otherwise. */
#ifndef MICA_IF
#define MICA_IF(condition) (condition)
#endif

/* Asks for the line at p before it is read, past the nearest cache. OpenCL's own prefetch does nothing on POCL, and the compiler's
 * is for drivers that are known to take it (quirks.c). */
#ifdef MICA_PREFETCHES
#define MICA_PREFETCH(p) __builtin_prefetch(p, 0, 2)
#else
#define MICA_PREFETCH(p)
#endif

/* Stands before a loop of long arithmetic that becomes vectors: two at a time, so that each constant is loaded for both. */
#ifdef __clang__
#define MICA_PAIRS _Pragma("clang loop interleave_count(2)")
#else
#define MICA_PAIRS
#endif

/* Stores four rows of four numbers turned: number j of each row, `along` numbers behind number j - 1. A macro, as `to` may point to
 * any memory. */
#define MICA_STORE_TURNED(row0, row1, row2, row3, to, along)                                                                     \
    do {                                                                                                                         \
        const float4 r0_ = row0, r1_ = row1, r2_ = row2, r3_ = row3;                                                             \
        const float4 a_ = (float4)(r0_.s0, r1_.s0, r0_.s1, r1_.s1), b_ = (float4)(r2_.s0, r3_.s0, r2_.s1, r3_.s1);               \
        const float4 c_ = (float4)(r0_.s2, r1_.s2, r0_.s3, r1_.s3), d_ = (float4)(r2_.s2, r3_.s2, r2_.s3, r3_.s3);               \
        vstore4((float4)(a_.s01, b_.s01), 0, to);                                                                                \
        vstore4((float4)(a_.s23, b_.s23), 0, (to) + (along));                                                                    \
        vstore4((float4)(c_.s01, d_.s01), 0, (to) + 2*(along));                                                                  \
        vstore4((float4)(c_.s23, d_.s23), 0, (to) + 3*(along));                                                                  \
    } while (0)

/* By integer bits: a compiler that assumes finite numbers cannot fold it away. */
static inline int mica_isnan(float x)
{
    return (as_uint(x) & 0x7fffffffu) > 0x7f800000u;
}

/* Numbers of 16 bits are only stored; arithmetic is in float. Neither needs an extension. Results are rounded to the nearest, of
 * two to the even one. A bfloat16 is the upper half of a float. */
#ifndef MICA_HALVES
static inline float mica_load_half(__global const half *p, const long i)
{
    return vload_half(i, p);
}

static inline void mica_store_half(const float value, __global half *p, const long i)
{
    vstore_half_rte(value, i, p);
}
#else
/* By the bits, where the driver's functions are calls for each number: these become vectors. A float16 below 2^-14 is a multiple of
 * 2^-24, which the sum with 1/2 rounds to; from 65520 on it is infinity. */
static inline float mica_load_half(__global const half *p, const long i)
{
    const uint bits = ((__global const ushort *)p)[i], size = bits & 0x7fffu;
    const float small = (float)(int)size * 5.9604644775390625e-8f;
    const float normal = as_float((size << 13) + (size < 0x7c00u ? 112u << 23 : 224u << 23));
    return as_float(as_uint(size < 0x400u ? small : normal) | (bits & 0x8000u) << 16);
}

static inline void mica_store_half(const float value, __global half *p, const long i)
{
    const uint sign = as_uint(value) & 0x80000000u, bits = as_uint(value) ^ sign;
    const float size = as_float(bits);
    const uint small = as_uint(size + 0.5f) - as_uint(0.5f), normal = (bits + 0xfffu + (bits >> 13 & 1u) - (112u << 23)) >> 13;
    const uint y = size < 6.103515625e-5f ? small : size < 65520.0f ? normal : bits > 0x7f800000u ? 0x7e00u : 0x7c00u;
    ((__global ushort *)p)[i] = (ushort)(y | sign >> 16);
}
#endif

static inline uint mica_bfloat16_bits(const float x)
{
    const uint bits = as_uint(x);
    return mica_isnan(x) ? bits >> 16 | 0x40u : (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
}

static inline float mica_load_bfloat16(__global const ushort *p, const long i)
{
    return as_float((uint)p[i] << 16);
}

static inline void mica_store_bfloat16(const float value, __global ushort *p, const long i)
{
    p[i] = (ushort)mica_bfloat16_bits(value);
}

/* The nearest bfloat16. */
static inline float mica_as_bfloat16(const float x)
{
    return as_float(mica_bfloat16_bits(x) << 16);
}

/* The nearest float16: of 11 bits, below 2^-14 a multiple of 2^-24 (which is what the sum with 1/2 leaves), from 65520 on
 * infinity. */
static inline float mica_as_float16(const float x)
{
    const uint sign = as_uint(x) & 0x80000000u, bits = as_uint(x) ^ sign;
    const float size = as_float(bits), small = (size + 0.5f) - 0.5f;
    const float normal = as_float((bits + 0xfffu + (bits >> 13 & 1u)) & 0xffffe000u);
    const float y = size < 6.103515625e-5f ? small : size < 65520.0f ? normal : MICA_INF;
    return mica_isnan(x) ? x : as_float(as_uint(y) | sign);
}

/* Philox 4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC 2011). Each
 * round multiplies two of the four words, mixes in the other two and the key; the key is a Weyl sequence. Words are scalars
 * here, so that a loop over counters becomes vectors. */
static inline uint4 mica_philox_rounds(ulong seed, ulong stream, ulong counter, int rounds)
{
    uint x = (uint)counter, y = (uint)(counter >> 32), z = (uint)stream, w = (uint)(stream >> 32);
    uint key0 = (uint)seed, key1 = (uint)(seed >> 32);
#pragma unroll
    for (int round = 0; round < rounds; round++) {
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

static inline uint4 mica_philox(ulong seed, ulong stream, ulong counter)
{
    return mica_philox_rounds(seed, stream, counter, 10);
}

/* Of 7 rounds: the fewest that pass every test of that paper. For numbers of which each element of a tensor takes one. */
static inline uint4 mica_philox_short(ulong seed, ulong stream, ulong counter)
{
    return mica_philox_rounds(seed, stream, counter, 7);
}

/* The middle of one of the 2^16 equal parts of (0, 1). */
static inline float mica_middle(uint part)
{
    return (float)(int)part * (1.0f / 65536.0f) + 0.5f / 65536.0f;
}

/* Uniform in (0, 1), 16 bits: a number for decisions, of which a block gives eight. 64 numbers in a row come from 8 blocks: the
 * low halves of their first words, then the high ones, then those of the second words, and so on, so that a vector of blocks
 * makes vectors of neighbours. */
static inline float mica_chance(ulong seed, ulong stream, ulong index)
{
    const uint4 words = mica_philox_short(seed, stream, index / 64 * 8 + index % 8);
    const uint which = (uint)(index / 16) % 4;
    const uint low = which == 0 ? words.x : words.y, high = which == 2 ? words.z : words.w;
    const uint word = which < 2 ? low : high;
    return mica_middle(index / 8 % 2 ? word >> 16 : word & 0xffffu);
}

/* The same for `count` times 64 numbers, from number 64 * first on. */
static inline void mica_chances(ulong seed, ulong stream, ulong first, int count, float *out)
{
    for (int i = 0; i < count; i++)
        for (int k = 0; k < 8; k++) {
            const uint4 words = mica_philox_short(seed, stream, (first + i) * 8 + k);
            float *at = out + 64 * i + k;
            at[0] = mica_middle(words.x & 0xffffu);
            at[8] = mica_middle(words.x >> 16);
            at[16] = mica_middle(words.y & 0xffffu);
            at[24] = mica_middle(words.y >> 16);
            at[32] = mica_middle(words.z & 0xffffu);
            at[40] = mica_middle(words.z >> 16);
            at[48] = mica_middle(words.w & 0xffffu);
            at[56] = mica_middle(words.w >> 16);
        }
}
