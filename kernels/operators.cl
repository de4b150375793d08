/* Stands before every program where the driver calls OpenCL's functions (quirks.c): those that kernels use in their loops, by
 * operators and by what the compiler itself knows.
 *
 * POCL has its functions in a library, which takes subnormal numbers as they are; kernels for CPUs are built to take them for
 * zero. From version 17 on LLVM does not inline one into the other, whatever their attributes: each product and each load became
 * a call, with all vectors saved around it. These functions are the program's own and are inlined everywhere.
 *
 * A sum of a product is rounded once where the processor can do that, in kernels' own expressions and here alike, as the pragma
 * says. */
#pragma OPENCL FP_CONTRACT ON

/* Whether a place that is read is there. From version 17 on LLVM may take more from such a condition than it should: with
 * 0 <= i < 2 it writes 4 + i as 4 | i. A loop that becomes vectors then computes that for an i of -1 as well, whose number is not
 * asked for, but from whose place it counts those of the others. So this is a condition from which nothing follows: steps are never
 * counted that far, which a compiler cannot know. (Of n it would know within a loop over samples that it is not below 0.) */
#if defined(__clang_major__) && __clang_major__ >= 17
#define MICA_IF(condition) ((condition) | (mica_s->step == ULONG_MAX))
#endif

#define MICA_OWN __attribute__((overloadable, always_inline)) static

/* Some drivers' own functions are macros. */
#undef fma
#undef min
#undef max
#undef clamp
#undef fabs
#undef sqrt
#define fma mica_fma
#define min mica_min
#define max mica_max
#define clamp mica_clamp
#define fabs __builtin_fabsf
#define sqrt __builtin_sqrtf

/* Which the processor rounds in one instruction; elsewhere the compiler itself would call a library. */
#if defined(__SSE4_1__) || defined(__aarch64__)
#undef floor
#undef ceil
#undef rint
#define floor __builtin_floorf
#define ceil __builtin_ceilf
#define rint __builtin_rintf
#endif

#define MICA_ORDERED(TYPE)                                                                                                       \
    MICA_OWN TYPE mica_min(const TYPE x, const TYPE y) { return y < x ? y : x; }                                                 \
    MICA_OWN TYPE mica_max(const TYPE x, const TYPE y) { return x < y ? y : x; }                                                 \
    MICA_OWN TYPE mica_clamp(const TYPE x, const TYPE low, const TYPE high) { return mica_min(mica_max(x, low), high); }
MICA_ORDERED(int)
MICA_ORDERED(uint)
MICA_ORDERED(long)
MICA_ORDERED(ulong)
MICA_ORDERED(float)

/* Vectors that lie anywhere among numbers. A pointer without an address space is private, or to any memory, as the driver's
 * version of OpenCL C has it. */
#define MICA_LOAD_AND_STORE(TYPE, COUNT, SPACE)                                                                                  \
    MICA_OWN TYPE##COUNT mica_vload##COUNT(const size_t i, SPACE const TYPE *p)                                                  \
    {                                                                                                                            \
        return *(SPACE const mica_loose_##TYPE##COUNT *)(p + COUNT * i);                                                         \
    }                                                                                                                            \
    MICA_OWN void mica_vstore##COUNT(const TYPE##COUNT value, const size_t i, SPACE TYPE *p)                                     \
    {                                                                                                                            \
        *(SPACE mica_loose_##TYPE##COUNT *)(p + COUNT * i) = value;                                                              \
    }
#define MICA_VECTOR(TYPE, COUNT)                                                                                                 \
    typedef TYPE##COUNT mica_loose_##TYPE##COUNT __attribute__((aligned(4)));                                                    \
    MICA_LOAD_AND_STORE(TYPE, COUNT, __global)                                                                                   \
    MICA_LOAD_AND_STORE(TYPE, COUNT, __local)                                                                                    \
    MICA_LOAD_AND_STORE(TYPE, COUNT, )
#define MICA_VECTORS(COUNT)                                                                                                      \
    MICA_VECTOR(float, COUNT)                                                                                                    \
    MICA_VECTOR(int, COUNT)                                                                                                      \
    MICA_VECTOR(uint, COUNT)
MICA_VECTORS(4)
MICA_VECTORS(8)
MICA_VECTORS(16)
#undef vload4
#undef vload8
#undef vload16
#undef vstore4
#undef vstore8
#undef vstore16
#define vload4 mica_vload4
#define vload8 mica_vload8
#define vload16 mica_vload16
#define vstore4 mica_vstore4
#define vstore8 mica_vstore8
#define vstore16 mica_vstore16

#define MICA_FMA(TYPE)                                                                                                           \
    MICA_OWN TYPE mica_fma(const TYPE x, const TYPE y, const TYPE z) { return x * y + z; }
MICA_FMA(float)
MICA_FMA(float4)
MICA_FMA(float8)
MICA_FMA(float16)
