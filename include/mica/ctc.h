/* What a network that was trained with the loss ctc (losses.h) has spelled: the labels of a sequence, from the scores of its
 * steps.
 *
 *     int32_t labels[STEPS];
 *     int64_t count;
 *     mica_ctc_greedy(scores, STEPS, CLASSES, 0, labels, &count);
 *
 * scores are of one sample, (steps, classes): logits, or logarithms of probabilities, which are the same here, as a softmax
 * over each step's classes makes the probabilities p of both. NaN counts as -infinity. Nothing of these calls needs a device. */
#ifndef MICA_CTC_H
#define MICA_CTC_H

#include <mica/status.h>

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The class of each step that has the largest score, the first of those that are alike; one that follows itself counts once,
 * and the blank not at all. labels has room for `steps` numbers. Graves et al., 2006, section 3.2. MICA_INVALID_ARGUMENT: a
 * pointer is NULL, or a number below 1 (steps: below 0), or blank is no class. */
MICA_API mica_status mica_ctc_greedy(const float *scores, int64_t steps, int64_t classes, int64_t blank, int32_t *labels,
                                     int64_t *count);

/* The labels whose probability is the largest, of all ways to spell them, as far as a search finds them that goes on with the
 * `width` most probable beginnings after each step. Beginnings that end in the blank and others are told apart, so that a
 * label may follow itself. Of many enough beginnings it is exact. *log_p (NULL: nobody asks) is the logarithm of that
 * probability; what was dropped is not part of it. Time is steps * width * (width + classes). Graves: "Sequence transduction
 * with recurrent neural networks", 2012, arXiv:1211.3711, algorithm 1; Hannun et al., 2014, arXiv:1408.2873, without a
 * language model. Errors as above, width below 1, and MICA_OUT_OF_MEMORY. */
MICA_API mica_status mica_ctc_beam(const float *scores, int64_t steps, int64_t classes, int64_t blank, int64_t width,
                                   int32_t *labels, int64_t *count, double *log_p);

/* How many labels must be put in, left out or taken for others to make b of a (Levenshtein, 1966). Divided by the labels of the
 * truth it is the label error rate. -1: a count is below 0, labels are NULL where there are some, or memory ran out. */
MICA_API int64_t mica_edit_distance(const int32_t *a, int64_t a_count, const int32_t *b, int64_t b_count);

#ifdef __cplusplus
}
#endif
#endif
