/* Hashes and the clock. */
#define _POSIX_C_SOURCE 200809L
#include "base/base.h"

#include <time.h>
#include <xxhash.h>

uint64_t mi_hash(const void *bytes, size_t size, uint64_t seed)
{
    return XXH64(bytes, size, seed);
}

double mi_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}
