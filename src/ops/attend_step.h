/* Attention of some steps to all steps that a state keeps: of plans that run step by step, which alone add it. */
#ifndef MICA_SRC_OPS_ATTEND_STEP_H
#define MICA_SRC_OPS_ATTEND_STEP_H

#include "graph/op.h"

/* AttendStep(query, kept; heads h, groups g, key_dim d, value_dim e, scale, alibi, slope, masked) -> (n, T, h * e)
 *
 *     y[n, t, head e + j] = sum_{s < r} w[s] * kept[s, n, g d + group e + j]
 *     w = softmax over s < r of scale * sum_i query[n, t, head d + i] * kept[s, n, group d + i] - m (r - 1 - s) + k[s]
 *
 * with group = head / (h / g) and r - 1 the number of the step: the run has the number T more than the steps before it, which
 * is at most the rows of kept (rows, n, g (d + e), or one more where `masked` is not 0: k[s] = kept[s, n, g (d + e)], else 0).
 * query (n, T, width) has at least h d numbers. m, where `alibi` is not 0, is exp(slope * number) of the head's number: head +
 * 1, and of the heads from alibi on head - alibi + 1/2 (Press, Smith, Lewis: "Train Short, Test Long", ICLR 2022). */
extern const struct mi_op mi_op_AttendStep;

#endif
