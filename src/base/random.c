/* Philox 4x32, a counter-based generator: J. Salmon, M. Moraes, R. Dror, D. Shaw, "Parallel random numbers: as easy as
 * 1, 2, 3", SC 2011. Random123's own header makes the bits, here and (generated from the same constants) on the device. */
#include "base/base.h"

#include <math.h>

#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wundef"
#pragma GCC diagnostic ignored "-Wcast-qual"
#pragma GCC diagnostic ignored "-Wstrict-prototypes"
#endif
#include <Random123/philox.h>
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

static philox4x32_ctr_t block_of(unsigned rounds, uint64_t seed, uint64_t stream, uint64_t counter)
{
    philox4x32_ctr_t c = {{(uint32_t)counter, (uint32_t)(counter >> 32), (uint32_t)stream, (uint32_t)(stream >> 32)}};
    philox4x32_key_t k = {{(uint32_t)seed, (uint32_t)(seed >> 32)}};
    return philox4x32_R(rounds, c, k);
}

void mi_philox(uint64_t seed, uint64_t stream, uint64_t counter, uint32_t out[4])
{
    philox4x32_ctr_t r = block_of(10, seed, stream, counter);
    for (int i = 0; i < 4; i++)
        out[i] = r.v[i];
}

float mi_uniform(uint64_t seed, uint64_t stream, uint64_t index)
{
    philox4x32_ctr_t r = block_of(7, seed, stream, index / 32 * 8 + index % 8);
    return (float)(r.v[index / 8 % 4] >> 8) * (1.0f / 16777216.0f);
}

float mi_chance(uint64_t seed, uint64_t stream, uint64_t index)
{
    philox4x32_ctr_t r = block_of(7, seed, stream, index / 64 * 8 + index % 8);
    uint32_t part = r.v[index / 16 % 4] >> (index / 8 % 2 * 16) & 0xffff;
    return (float)part * (1.0f / 65536.0f) + 0.5f / 65536.0f;
}

double mi_normal(uint64_t seed, uint64_t stream, uint64_t index)
{
    philox4x32_ctr_t r = block_of(7, seed, stream, index / 32 * 8 + index % 8);
    uint32_t size = r.v[index / 16 % 2 * 2], turn = r.v[index / 16 % 2 * 2 + 1];
    double radius = sqrt(-2 * log(((double)(size >> 1) + 0.5) / 2147483648.0));
    double angle = (turn / 1073741824.0 - 0.5) * 1.5707963267948966;
    return radius * (index / 8 % 2 ? sin(angle) : cos(angle));
}

void mi_shuffle(uint64_t seed, uint64_t stream, int64_t *order, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        order[i] = i;
    for (int64_t i = count - 1; i > 0; i--) {
        uint32_t word[4];
        mi_philox(seed, stream, (uint64_t)i, word);
        uint64_t random = (uint64_t)word[1] << 32 | word[0];
        int64_t j = (int64_t)(random % ((uint64_t)i + 1)), kept = order[i];
        order[i] = order[j];
        order[j] = kept;
    }
}
