/* Sequences that grow by a token at a time, side by side in one batch, and what the model says comes next of each. */
#ifndef MICA_SRC_TRAIN_SEQUENCES_H
#define MICA_SRC_TRAIN_SEQUENCES_H

#include "nn/stepper.h"

enum { MI_MOST_SEQUENCES = 256 }; /* side by side */

/* What another input of the model reads, which is there before the first token. */
struct mi_given {
    const mi_value *input;
    void *elements;                /* (sources, elements of a sample), of its type; owned by whoever makes the sequences */
};

struct mi_sequences {
    mica_model *model;
    const mi_value *input, *output; /* (n, window), and (n, window, classes) or (n, classes, window) */
    const char *output_name;       /* NULL: the first */
    int64_t rows;                  /* sequences, those of one source side by side */
    struct mi_given *given;        /* (given_count) */
    int given_count;
    int64_t sources;               /* divide the rows */
    int64_t window, classes;
    bool classes_last, shares;     /* the output is (window, classes); it has probabilities already */
    struct mi_stepper stepper;     /* takes token after token; without a plan the model runs whole windows */
    float *tokens;                 /* (rows, window) */
    float *outputs;                /* (rows, window x classes), or (rows, classes) of the last token that a stepper took */
    float *column;                 /* (rows), or more of them: what a stepper takes */
    int64_t count;                 /* tokens of each sequence that the window holds */
    int64_t read;                  /* how many of these a stepper has taken */
};

/* Which axis of the output is that of the classes, of which there are at least so many. */
mica_status mi_sequences_check(struct mi_sequences *sequences, int64_t least);
/* Makes what stands above from model, input, output, rows, given and sources, of which the output was checked; begins. A model
 * that runs whole windows and reads what stands behind a place is MICA_UNSUPPORTED. */
mica_status mi_sequences_create(struct mi_sequences *sequences, int64_t least);
/* The stepper becomes the model's, for the next call. */
void mi_sequences_destroy(struct mi_sequences *sequences);

/* Whether they may grow for ever, with all that they have read in mind. */
bool mi_sequences_go_on(const struct mi_sequences *sequences);
/* A token behind each, (rows). Of a full window the oldest goes; a stepper at its end begins anew with the last half. */
mica_status mi_sequences_push(struct mi_sequences *sequences, const int32_t *tokens);
/* Finds what comes behind the last tokens, for mi_sequences_logarithms. */
mica_status mi_sequences_answer(struct mi_sequences *sequences);
/* The logarithms of the probabilities of the first `count` classes to come next in a row, of those that may: never (count) says
 * which may not, whose logarithm is -infinity. MICA_DIVERGED: the network's output is no number. */
mica_status mi_sequences_logarithms(const struct mi_sequences *sequences, int64_t row, int64_t count, const bool *never,
                                    double *out);
/* Row i goes on from where row from[i] is, which has the same source. */
mica_status mi_sequences_reorder(struct mi_sequences *sequences, const int32_t *from);

#endif
