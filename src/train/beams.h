/* Beam search: of many ways to go on with a sequence the most probable that is found. */
#ifndef MICA_SRC_TRAIN_BEAMS_H
#define MICA_SRC_TRAIN_BEAMS_H

#include "train/sequences.h"

/* A way to go on. */
struct mi_way {
    int32_t *tokens;               /* without the end */
    int64_t count;
    double score;                  /* the sum of the logarithms of its tokens' probabilities, the end's among them, divided by
                                    * (their number)^length_penalty */
    bool ended;                    /* by the end; else by its length */
};

struct mi_beams_desc {
    int64_t groups;                /* of sequences that begin alike: each goes on by its own */
    int beams;                     /* of each group: rows of the sequences */
    const int32_t *const *begin;   /* (groups) what each begins with, begin_count tokens, at least 1 */
    const int64_t *begin_count;
    int64_t tokens;                /* that are added at most, the end among them; at least 1 */
    int64_t known;                 /* classes that there are, ... */
    const bool *never;             /* (known) ... and which of them are never added */
    int32_t end;                   /* the class that ends a sequence; -1: there is none */
    double length_penalty;
};

/* Whether there can be so many beams, and such a penalty: MICA_INVALID_ARGUMENT. */
mica_status mi_beams_check(struct mi_error *error, int num_beams, float length_penalty);
/* The best way of each group into best (groups), whose tokens the caller frees, also after an error. Each step keeps the
 * `beams` most probable beginnings that have not ended; one that ends counts where it is among the `beams` most probable
 * itself. A group's search ends when so many have ended, no beginning can become better than the best of these, or the length
 * is reached, which ends the beginnings too. */
mica_status mi_beam_search(struct mi_sequences *sequences, const struct mi_beams_desc *how, struct mi_way *best);

#endif
