/* How far two areas overlap, as of segmentations: y and t are numbers from 0 to 1, sums are over all of a sample's places. */
#include "nn/loss/loss.h"

#define OF_SHARES .task = MI_BINARY, .highest = 1, .outputs = "numbers from 0 to 1, such as of a sigmoid"
#define SMOOTH {.name = "smooth", .otherwise = 0, .least = 0, .most = 1e30f}
enum { SMOOTH_AT };
static const struct mi_number dice_keys[] = {[SMOOTH_AT] = SMOOTH, {0}};

/* 1 - (share + smooth) / (whole + smooth + epsilon) */
static mi_value *rest(struct mi_graph *graph, const struct mi_loss_use *use, mi_value *share, mi_value *whole)
{
    float smooth = use->value[SMOOTH_AT];
    mi_value *part = mi_op2(graph, "Div", mi_plus(graph, share, smooth), mi_plus(graph, whole, smooth + MI_LOSS_EPSILON));
    return mi_op2(graph, "Sub", mi_scalar(graph, 1), part);
}

/* share 2 sum(y t), whole sum(y) + sum(t) */
static mi_value *dice(struct mi_graph *graph, const struct mi_loss_use *use)
{
    mi_value *both = mi_sum_of_sample(graph, mi_op2(graph, "Mul", use->y, use->target));
    mi_value *whole = mi_sum_of_sample(graph, mi_op2(graph, "Add", use->y, use->target));
    return rest(graph, use, mi_times(graph, both, 2), whole);
}

const struct mi_loss_row mi_loss_dice = {MI_LOSS("dice", dice_keys), OF_SHARES, .each = dice};

enum { ALPHA = SMOOTH_AT + 1, BETA };
static const struct mi_number tversky_keys[] = {[SMOOTH_AT] = SMOOTH,
                                                [ALPHA] = {.name = "alpha", .otherwise = 0.5f, .least = 0, .most = 1e30f},
                                                [BETA] = {.name = "beta", .otherwise = 0.5f, .least = 0, .most = 1e30f}, {0}};

/* share sum(y t), whole sum(y t) + alpha sum((1 - y) t) + beta sum(y (1 - t)) */
static mi_value *tversky(struct mi_graph *graph, const struct mi_loss_use *use)
{
    mi_value *both = mi_op2(graph, "Mul", use->y, use->target), *share = mi_sum_of_sample(graph, both);
    mi_value *missed = mi_sum_of_sample(graph, mi_op2(graph, "Sub", use->target, both));
    mi_value *wrong = mi_sum_of_sample(graph, mi_op2(graph, "Sub", use->y, both));
    mi_value *apart = mi_op2(graph, "Add", mi_times(graph, missed, use->value[ALPHA]), mi_times(graph, wrong, use->value[BETA]));
    return rest(graph, use, share, mi_op2(graph, "Add", share, apart));
}

const struct mi_loss_row mi_loss_tversky = {MI_LOSS("tversky", tversky_keys), OF_SHARES, .each = tversky};
