/* Tuning: contractions are timed, and what is fastest is remembered for the device. */
#ifndef MICA_SRC_TUNE_H
#define MICA_SRC_TUNE_H

#include "compile/choose/problem.h"
#include "compile/choose/tuner.h"

/* Times values of CLBlast's parameters, those that compute right products, for so many seconds and no longer than until the
 * candidate at hand is done. They are kept, and *gain says how many times faster products are with them; 0: none was found, and
 * CLBlast's own hold on the next start. MICA_UNSUPPORTED: there is no CLBlast, or the context is an application's. */
mica_status mi_tune_clblast(mica_device *device, struct mi_tuner *tuner, double seconds, double *gain);

/* Times candidates for the contractions of a plan that nothing is known of, within the tuner's bounds, and keeps the winners.
 * MICA_CANCELLED, out of memory, or MICA_OK: a candidate that fails or differs from the reference does not win. A plan is
 * searched for where its description names this. */
mica_status mi_tune(struct mica_plan *plan);

/* ---- One problem (trial.c, check.c) ---- */

/* The largest difference between `got` and sums in double, over sampled elements, divided by the largest magnitude: samples are
 * as many as `products` allow, the first and the last element among them. a, b and got are plain rows of n samples. */
double mi_product_error(const struct mi_contraction *c, const float *a, const float *b, const float *got, int64_t n,
                        double products);

/* A problem to be timed: operands on the host, and the first right result. */
struct mi_trial {
    const struct mi_problem *problem;
    float *a, *b;
    float *expected;             /* NULL: no candidate was right so far */
    size_t count;                /* elements of the result */
};

/* Fills operands. MICA_UNSUPPORTED: the problem is none that stands alone. */
mica_status mi_trial_begin(struct mi_trial *trial, const struct mi_problem *problem);
void mi_trial_end(struct mi_trial *trial);
/* Compiles and runs a candidate. *seconds of one run; infinity where its result is wrong: at places taken at random by sums in
 * double, everywhere by the first candidate that was right there. */
mica_status mi_trial_time(struct mi_trial *trial, const struct mi_engine *engine, int variant, double *seconds);

#endif
