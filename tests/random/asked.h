/* What the command line of a random test asks for. */
#ifndef MICA_TEST_ASKED_H
#define MICA_TEST_ASKED_H

#include <stdbool.h>
#include <stdint.h>

struct asked {
    uint64_t seed, count;
    double seconds;              /* above 0: so long, however many that are */
    bool all, apart, small;
};

/* `usual` without arguments; fewer with MICA_TEST_SMALL, MICA_TEST_TIMES as many. False: it was not understood, which has been said. */
bool asked_read(struct asked *asked, uint64_t usual, int count, char **arguments);
/* Whether number i is still wanted. */
bool asked_goes_on(const struct asked *asked, uint64_t i, double begin);

#endif
