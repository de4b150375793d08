/* Hashes and the clock. */
#define _POSIX_C_SOURCE 200809L
#include "base/base.h"

#include <stdlib.h>
#include <time.h>
#include <xxhash.h>

uint64_t mi_hash(const void *bytes, size_t size, uint64_t seed)
{
    return XXH64(bytes, size, seed);
}

struct mi_hashing {
    XXH64_state_t *state;
};

struct mi_hashing *mi_hashing_begin(uint64_t seed)
{
    struct mi_hashing *hashing = mi_new(1, sizeof *hashing);
    if (hashing && (hashing->state = XXH64_createState()) != NULL && XXH64_reset(hashing->state, seed) == XXH_OK)
        return hashing;
    (void)mi_hashing_end(hashing);
    return NULL;
}

void mi_hashing_add(struct mi_hashing *hashing, const void *bytes, size_t size)
{
    (void)XXH64_update(hashing->state, bytes, size);
}

uint64_t mi_hashing_end(struct mi_hashing *hashing)
{
    uint64_t hash = hashing && hashing->state ? XXH64_digest(hashing->state) : 0;
    if (hashing)
        XXH64_freeState(hashing->state);
    free(hashing);
    return hash;
}

double mi_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}
