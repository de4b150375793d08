/* Connectionist temporal classification: the loss of a text that the steps of a sequence spell, whichever of them a character
 * stands at.
 *
 * A. Graves, S. Fernandez, F. Gomez, J. Schmidhuber: "Connectionist temporal classification: labelling unsegmented sequence
 * data with recurrent neural networks", ICML 2006. Between the labels of a sample, and before and behind them, stand blanks: e
 * of S = 2 L + 1 places. With p the probabilities of a step's classes,
 *
 *     a(t, s) = p(t, e(s)) (a(t - 1, s) + a(t - 1, s - 1) + a(t - 1, s - 2) where e(s) is no blank and no e(s - 2))
 *
 * is the probability of all ways to stand at place s behind step t, and the loss is -log (a(T, 2 l) + a(T, 2 l - 1)) of l
 * labels. All numbers are logarithms, and a repeat over the steps carries a; the gradient is the repeat's. */
#include "nn/loss/loss.h"

#include "ops/ops.h"

#include <float.h>
#include <math.h>

enum { BLANK, LABELS, ZERO_INFINITY, NORMALIZE };
static const struct mi_number keys[] = {
    [BLANK] = {.name = "blank", .otherwise = 0, .least = 0, .most = 16777216, .whole = true},
    [LABELS] = {.name = "labels", .otherwise = 0, .least = 0, .most = 16777216, .whole = true},
    [ZERO_INFINITY] = {.name = "zero_infinity", .otherwise = 0, .most = 1, .flag = true},
    [NORMALIZE] = {.name = "normalize", .otherwise = 0, .most = 1, .flag = true},
    {0},
};

/* The logarithm of 0: sums of some of them are finite, and less than any that a step can be. */
#define NEVER (-1e30f)
#define HARDLY (-1e29f)

/* ---- Pieces ---- */

static mi_value *which(struct mi_graph *graph, mi_value *condition, mi_value *yes, mi_value *no)
{
    return mi_apply(graph, "Where", (mi_value *const[]){condition, yes, no}, 3, NULL, 0);
}

static mi_value *joined(struct mi_graph *graph, mi_value *a, mi_value *b, int axis)
{
    return mi_apply(graph, "Concat", (mi_value *const[]){a, b}, 2, (const struct mi_attribute[]){MI_INT("axis", axis)}, 1);
}

/* So many columns of one number beside x, (n, columns). */
static mi_value *columns(struct mi_graph *graph, const mi_value *x, int64_t count, mi_value *number)
{
    const struct mi_shape shape = {.rank = 2, .dim = {x->shape.dim[0], mi_fixed(count)}};
    return mi_expand_to(graph, number, &shape);
}

/* x (n, S) moved to the right by so many places, with a number in those that become free. */
static mi_value *moved(struct mi_graph *graph, mi_value *x, int64_t places, mi_value *number)
{
    const int64_t axis = 1, from = 0, to = x->shape.dim[1].b - places;
    mi_value *kept = MI_APPLY(graph, "Slice", ((mi_value *[]){x}), MI_INTS("starts", &from, 1), MI_INTS("ends", &to, 1),
                              MI_INTS("axes", &axis, 1));
    return joined(graph, columns(graph, x, places, number), kept, 1);
}

static mi_value *places_of(struct mi_graph *graph, mi_value *x, int axis)
{
    return mi_apply(graph, "Index", &x, 1, (const struct mi_attribute[]){MI_INT("axis", axis)}, 1);
}

static mi_value *as_shape(struct mi_graph *graph, mi_value *x, const int64_t *dims, int rank)
{
    return mi_op2(graph, "Reshape", x, mi_ints(graph, dims, rank));
}

/* ---- The loss ---- */

struct ctc {
    struct mi_graph *graph;
    mi_value *blank;                 /* int32 */
    mi_value *count;                 /* (n, 1) int32: labels of each sample */
    mi_value *spelled;               /* (n, S) int32: e */
    mi_value *skips;                 /* (n, S) bools: a label may follow the one before without a blank between */
    mi_value *logs;                  /* (n, T, S): log p(t, e(s)) */
};

/* Labels with blanks between them, and which places may be reached from two before. Padding is what is no label: the blank, or a
 * number below 0. */
static void spell(struct ctc *c, mi_value *labels)
{
    struct mi_graph *graph = c->graph;
    const int64_t length = labels->shape.dim[1].b, apart[] = {0, length, 1}, pairs[] = {0, 2 * length};
    mi_value *const real[] = {mi_op2(graph, "GreaterOrEqual", labels, mi_number(graph, MI_INT32, 0)),
                              mi_op1(graph, "Not", mi_op2(graph, "Equal", labels, c->blank))};
    mi_value *counted = mi_cast(graph, mi_op2(graph, "And", real[0], real[1]), MI_INT32);
    c->count = mi_sum_axis(graph, counted, 1, true);
    mi_value *blanks = columns(graph, labels, length, c->blank);
    mi_value *both = joined(graph, as_shape(graph, blanks, apart, 3), as_shape(graph, labels, apart, 3), 2);
    c->spelled = joined(graph, as_shape(graph, both, pairs, 2), columns(graph, labels, 1, c->blank), 1);
    mi_value *before = moved(graph, c->spelled, 2, mi_number(graph, MI_INT32, -1));
    mi_value *alike = mi_op2(graph, "Equal", c->spelled, before), *is_blank = mi_op2(graph, "Equal", c->spelled, c->blank);
    c->skips = mi_op1(graph, "Not", mi_op2(graph, "Or", alike, is_blank));
}

/* The logarithms of the steps' probabilities (n, T, C) at the places. A label that is no class has none. */
static void look_up(struct ctc *c, mi_value *logs)
{
    struct mi_graph *graph = c->graph;
    const int64_t classes = logs->shape.dim[2].b, places = c->spelled->shape.dim[1].b;
    const int64_t column[] = {0, places, 1}, row[] = {0, 1, places};
    const struct mi_attribute turned = MI_INT("transB", 1);
    const struct mi_shape rows = {.rank = 3, .dim = {logs->shape.dim[0], mi_fixed(places), mi_fixed(classes)}};
    mi_value *wide = mi_expand_to(graph, as_shape(graph, c->spelled, column, 3), &rows);
    mi_value *hot = mi_cast(graph, mi_op2(graph, "Equal", wide, mi_cast(graph, places_of(graph, wide, 2), MI_INT32)), MI_FLOAT);
    mi_value *beyond = mi_op2(graph, "GreaterOrEqual", c->spelled, mi_number(graph, MI_INT32, (double)classes));
    mi_value *never = which(graph, beyond, mi_scalar(graph, NEVER), mi_scalar(graph, 0));
    mi_value *picked = mi_apply(graph, "MatMul", (mi_value *const[]){logs, hot}, 2, &turned, 1);
    c->logs = mi_op2(graph, "Add", picked, as_shape(graph, never, row, 3));
}

/* log (exp a + exp b + exp c) */
static mi_value *log_sum(struct mi_graph *graph, mi_value *a, mi_value *b, mi_value *c)
{
    mi_value *most = mi_op1(graph, "StopGradient", mi_op2(graph, "Max", a, mi_op2(graph, "Max", b, c)));
    mi_value *sum = mi_op1(graph, "Exp", mi_op2(graph, "Sub", a, most));
    sum = mi_op2(graph, "Add", sum, mi_op1(graph, "Exp", mi_op2(graph, "Sub", b, most)));
    sum = mi_op2(graph, "Add", sum, mi_op1(graph, "Exp", mi_op2(graph, "Sub", c, most)));
    return mi_op2(graph, "Add", mi_op1(graph, "Log", sum), most);
}

/* log a(T, s), (n, S): before the first step all is at place 0. Steps that are padding change nothing. */
static mi_value *walk(const struct ctc *c, mi_value *mask)
{
    struct mi_graph *graph = c->graph;
    mi_value *never = mi_scalar(graph, NEVER);
    mi_value *place = places_of(graph, c->spelled, 1);
    mi_value *first = which(graph, mi_op2(graph, "Equal", mi_cast(graph, place, MI_INT32), mi_number(graph, MI_INT32, 0)),
                            mi_scalar(graph, 0), never);
    if (!first || !c->logs || !mi_repeat_begin(graph, c->logs->shape.dim[1].b, false))
        return NULL;
    mi_value *now = mi_carry(graph, first);
    mi_value *two = now ? which(graph, c->skips, moved(graph, now, 2, never), never) : NULL;
    mi_value *next = two ? log_sum(graph, now, moved(graph, now, 1, never), two) : NULL;
    next = mi_op2(graph, "Add", next, mi_at_turn(graph, c->logs, 1));
    if (mask && next) {
        mi_value *real = mi_at_turn(graph, mask, 1);
        next = which(graph, as_shape(graph, real, (const int64_t[]){0, 1}, 2), next, now);
    }
    return mi_last(mi_repeat_end(graph, &next, 1), 0);
}

/* log (a(2 l) + a(2 l - 1)), (n) */
static mi_value *arrived(const struct ctc *c, mi_value *ways)
{
    struct mi_graph *graph = c->graph;
    const struct mi_attribute along[] = {MI_INTS("axes", ((int64_t[]){1}), 1), MI_INT("keepdims", 1)};
    mi_value *place = mi_cast(graph, places_of(graph, ways, 1), MI_INT32);
    mi_value *last = mi_op2(graph, "Mul", c->count, mi_number(graph, MI_INT32, 2));
    mi_value *left = mi_op2(graph, "Sub", last, place); /* 0 and 1 are ends */
    mi_value *ends = mi_op2(graph, "And", mi_op2(graph, "GreaterOrEqual", left, mi_number(graph, MI_INT32, 0)),
                            mi_op2(graph, "LessOrEqual", left, mi_number(graph, MI_INT32, 1)));
    mi_value *kept = which(graph, ends, ways, mi_scalar(graph, NEVER));
    mi_value *most = mi_op1(graph, "StopGradient", mi_apply(graph, "ReduceMax", &kept, 1, along, 2));
    mi_value *sum = mi_sum_axis(graph, mi_op1(graph, "Exp", mi_op2(graph, "Sub", kept, most)), 1, true);
    return mi_sum_axis(graph, mi_op2(graph, "Add", mi_op1(graph, "Log", sum), most), 1, false);
}

static mi_value *log_probabilities(struct mi_graph *graph, const struct mi_loss_use *use)
{
    const struct mi_attribute axis = MI_INT("axis", 2), clipped = MI_REAL("epsilon", MI_LOSS_EPSILON);
    return use->from_logits ? mi_apply(graph, "LogSoftmax", &use->y, 1, &axis, 1)
                            : mi_apply(graph, "LogProbability", &use->y, 1, &clipped, 1);
}

static mi_value *each(struct mi_graph *graph, const struct mi_loss_use *use)
{
    struct ctc c = {.graph = graph, .blank = mi_number(graph, MI_INT32, (double)use->value[BLANK])};
    mi_value *labels = use->target && use->target->type != MI_INT32 ? mi_cast(graph, use->target, MI_INT32) : use->target;
    if (!labels)
        return NULL;
    spell(&c, labels);
    if (c.skips)
        look_up(&c, log_probabilities(graph, use));
    mi_value *log = arrived(&c, walk(&c, use->mask));
    mi_value *loss = which(graph, mi_op2(graph, "Less", log, mi_scalar(graph, HARDLY)),
                           mi_scalar(graph, use->value[ZERO_INFINITY] > 0 ? 0 : INFINITY), mi_op1(graph, "Neg", log));
    if (!(use->value[NORMALIZE] > 0))
        return loss;
    mi_value *labels_of = mi_sum_axis(graph, mi_cast(graph, c.count, MI_FLOAT), 1, false);
    return mi_op2(graph, "Div", loss, mi_at_least(graph, labels_of, 1));
}

const struct mi_loss_row mi_loss_ctc = {MI_LOSS_OF_SCORES("ctc", keys, "Softmax"), .task = MI_LABELS, .lowest = -FLT_MAX,
                                        .highest = FLT_MAX, .each = each};
