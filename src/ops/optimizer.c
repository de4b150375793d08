/* The optimizers' updates, each one map: p the parameter, g its gradient, then the states; the new ones come
 * out in the same order. `learning_rate` and `step` (from 1) are built-in names. Weight decay is added to the gradient,
 * g + weight_decay * p, unless the rule says otherwise. Behind the states a rule may have inputs of other shapes, which
 * broadcast. */
#include "ops/ops.h"

static mica_status infer_update(struct mi_node *node, const char *const *names, const float *defaults,
                                int count)
{
    struct mi_arena *arena = &node->graph->arena;
    const struct mi_shape *p = &node->in[0]->shape;
    MI_TRY(mi_float_types(node));
    for (int i = 1; i < node->inputs; i++) {
        const struct mi_shape *shape = &node->in[i]->shape;
        struct mi_shape both;
        bool fits = i <= node->outputs ? mi_shape_equal(p, shape)
                                       : mi_shape_broadcast(p, shape, &both) && mi_shape_equal(p, &both);
        if (!fits)
            return mi_op_fail(node, MICA_SHAPE, "parameter has shape %s, input %d has %s", mi_shape_text(arena, p), i,
                              mi_shape_text(arena, shape));
    }
    MI_TRY(mi_default_float(node, "weight_decay", 0));
    for (int i = 0; i < count; i++)
        MI_TRY(mi_default_float(node, names[i], defaults[i]));
    for (int i = 0; i < node->outputs; i++)
        mi_infer_output(node, i, node->in[0]->type, p);
    return MICA_OK;
}

/* UPDATE(row, inputs, outputs, defaults of its attributes, rule) */
#define UPDATE(id, ins, outs, attributes, ...)                                               \
    static mica_status infer_##id(struct mi_node *node)                                      \
    {                                                                                        \
        static const struct { const char *name[5]; float value[5]; int count; } of = attributes; \
        return infer_update(node, of.name, of.value, of.count);                              \
    }                                                                                        \
    const struct mi_op mi_op_##id = {.name = #id, .kind = MI_MAP, .min_inputs = (ins),       \
        .max_inputs = (ins), .outputs = (outs), .infer = infer_##id,                         \
        .map = &(const struct mi_map_rule){__VA_ARGS__}}
#define LIST(...) {__VA_ARGS__}

#define DECAYED "(g + weight_decay * p)"

UPDATE(SgdUpdate, 2, 1, LIST(.count = 0), .in = "p g", .out = "p_new",
       .expr = {"p - learning_rate * " DECAYED});

/* v = momentum * v + g;  p -= learning_rate * v  (Nesterov: g + momentum * v) */
#define VELOCITY "(momentum * v + " DECAYED ")"
UPDATE(MomentumUpdate, 3, 2, LIST({"momentum"}, {0.9f}, 1), .in = "p g v", .out = "p_new v_new",
       .expr = {"p - learning_rate * " VELOCITY, VELOCITY});
UPDATE(NesterovUpdate, 3, 2, LIST({"momentum"}, {0.9f}, 1), .in = "p g v", .out = "p_new v_new",
       .expr = {"p - learning_rate * (" DECAYED " + momentum * " VELOCITY ")", VELOCITY});

/* m and v are running means of g and g^2; p -= learning_rate * mhat / (sqrt(vhat) + epsilon), where mhat = m
 * / (1 - beta_1^step). The corrections are written with expm1 and log: pow would lose the digits that 1 -
 * beta^step keeps. What is the same for all elements is a factor: a division for each of them would cost as much as the
 * memory. */
#define FIRST(g) "(beta_1 * m + (1.0f - beta_1) * " g ")"
#define SECOND(g) "(beta_2 * v + (1.0f - beta_2) * " g " * " g ")"
#define CORRECTION(beta) "(-expm1((float)step * log((float)" beta ")))"
#define ROOT(v) "(sqrt(" v ") * (1.0f / sqrt(" CORRECTION("beta_2") ")) + epsilon)"
#define ADAM(g, v) "learning_rate / " CORRECTION("beta_1") " * " FIRST(g) " / " ROOT(v)
#define ADAM_KEYS LIST({"beta_1", "beta_2", "epsilon"}, {0.9f, 0.999f, 1e-7f}, 3)
UPDATE(AdamUpdate, 4, 3, ADAM_KEYS, .in = "p g m v", .out = "p_new m_new v_new",
       .expr = {"p - " ADAM(DECAYED, SECOND(DECAYED)), FIRST(DECAYED), SECOND(DECAYED)});

/* AMSGrad divides by the largest v so far, w. A NaN of v is taken. */
#define LARGEST(g) "(w > " SECOND(g) " ? w : " SECOND(g) ")"
UPDATE(AmsgradUpdate, 5, 4, ADAM_KEYS, .in = "p g m v w", .out = "p_new m_new v_new w_new",
       .expr = {"p - " ADAM(DECAYED, LARGEST(DECAYED)), FIRST(DECAYED), SECOND(DECAYED), LARGEST(DECAYED)});

/* AdamW: the decay is none of the gradient's; p <- p - learning_rate * weight_decay * p comes first. */
#define SHRUNK "(p - learning_rate * weight_decay * p)"
UPDATE(AdamwUpdate, 4, 3, ADAM_KEYS, .in = "p g m v", .out = "p_new m_new v_new",
       .expr = {SHRUNK " - " ADAM("g", SECOND("g")), FIRST("g"), SECOND("g")});
UPDATE(AmsgradwUpdate, 5, 4, ADAM_KEYS, .in = "p g m v w", .out = "p_new m_new v_new w_new",
       .expr = {SHRUNK " - " ADAM("g", LARGEST("g")), FIRST("g"), SECOND("g"), LARGEST("g")});

/* Adamax: u is the largest gradient, which decays; p -= learning_rate / (1 - beta_1^step) * m / (u + epsilon). */
#define SIZE "(" DECAYED " < 0 ? -" DECAYED " : " DECAYED ")"
#define DECAYING "(beta_2 * u > " SIZE " ? beta_2 * u : " SIZE ")"
UPDATE(AdamaxUpdate, 4, 3, ADAM_KEYS, .in = "p g m u", .out = "p_new m_new u_new",
       .expr = {"p - learning_rate / " CORRECTION("beta_1") " * " FIRST(DECAYED) " / (" DECAYING " + epsilon)", FIRST(DECAYED),
                DECAYING});

/* LAMB: Adam's direction, scaled by `ratio`: the norm of p by that of the direction, 1 where either is 0. */
#define DIRECTION FIRST(DECAYED) " / " CORRECTION("beta_1") " / " ROOT(SECOND(DECAYED))
UPDATE(LambDirection, 5, 1, ADAM_KEYS, .in = "p g m v step", .out = "direction", .expr = {DIRECTION});
MI_MAP_ROW(LambRatio, 2, mi_infer_float_map, .in = "p_squares squares", .out = "ratio",
           .expr = {"p_squares > 0 ? squares > 0 ? sqrt(p_squares) / sqrt(squares) : 1 : 1"});
UPDATE(LambUpdate, 5, 3, ADAM_KEYS, .in = "p g m v ratio", .out = "p_new m_new v_new",
       .expr = {"p - learning_rate * ratio * (" DIRECTION ")", FIRST(DECAYED), SECOND(DECAYED)});

/* Nadam: the momentum of step t is mu(t) = beta_1 * (1 - 0.96^(t / 250) / 2), and `product` is mu(1) * ... * mu(step):
 * p -= learning_rate * (mu(step + 1) * m / (1 - product * mu(step + 1)) + (1 - mu(step)) * g / (1 - product)) / (sqrt(vhat) +
 * epsilon). -0.000163287978 is log(0.96) / 250. */
#define MU(t) "(beta_1 * (1.0f - 0.5f * exp(-0.000163287978f * " t ")))"
#define AHEAD MU("((float)step + 1.0f)")
UPDATE(NadamUpdate, 5, 3, ADAM_KEYS, .in = "p g m v product", .out = "p_new m_new v_new",
       .expr = {"p - learning_rate * (" AHEAD " / (1.0f - product * " AHEAD ") * " FIRST(DECAYED) " + (1.0f - " MU("(float)step")
                ") / (1.0f - product) * " DECAYED ") / " ROOT(SECOND(DECAYED)),
                FIRST(DECAYED), SECOND(DECAYED)});

/* That product for a step, in closed form: so it is no state, and right from whichever step on. With q = 0.96^(1 / 250) and
 * log(1 - x) = -(x + x^2 / 2 + x^3 / 3 + ...) its logarithm is step * log(beta_1) less the sum over k from 1 of
 * (1 / 2)^k / k * (q^k + q^2k + ... + q^(step * k)), geometric sums. NadamTerm makes the first of them, as many as its input has
 * places, each the step; what 24 leave out is less than 5e-9 * step. */
#define NTH(power) "(-0.000163287978f * (float)(at0 + 1)" power ")"
MI_MAP_ROW(NadamTerm, 1, mi_infer_float_map, .in = "t", .out = "term",
           .expr = {"exp(-0.693147181f * (float)(at0 + 1)) / (float)(at0 + 1) * exp(" NTH("") ") * expm1(" NTH(" * t") ") / expm1("
                    NTH("") ")"});
static mica_status infer_nadam_product(struct mi_node *node)
{
    MI_TRY(mi_default_float(node, "beta_1", 0.9f));
    return mi_infer_float_map(node);
}
MI_MAP_ROW(NadamProduct, 2, infer_nadam_product, .in = "t terms", .out = "product",
           .expr = {"exp(t * log((float)beta_1) - terms)"});

/* m is a running mean of g; p moves by learning_rate in each direction, whatever the size of the gradient. */
#define MIXED "(beta_1 * m + (1.0f - beta_1) * " DECAYED ")"
UPDATE(LionUpdate, 3, 2, LIST({"beta_1", "beta_2"}, {0.9f, 0.99f}, 2), .in = "p g m", .out = "p_new m_new",
       .expr = {"p - learning_rate * (" MIXED " > 0 ? 1.0f : " MIXED " < 0 ? -1.0f : " MIXED ")",
                "beta_2 * m + (1.0f - beta_2) * " DECAYED});

/* v = rho * v + (1 - rho) * g^2; p -= learning_rate * g / (sqrt(v) + epsilon), through a momentum buffer b
 * where there is one */
#define MEAN_SQUARE "(rho * v + (1.0f - rho) * " DECAYED " * " DECAYED ")"
#define SCALED "(" DECAYED " / (sqrt(" MEAN_SQUARE ") + epsilon))"
UPDATE(RmspropUpdate, 3, 2, LIST({"rho", "epsilon"}, {0.9f, 1e-7f}, 2), .in = "p g v", .out = "p_new v_new",
       .expr = {"p - learning_rate * " SCALED, MEAN_SQUARE});
UPDATE(RmspropMomentumUpdate, 4, 3, LIST({"rho", "epsilon", "momentum"}, {0.9f, 1e-7f, 0.9f}, 3),
       .in = "p g v b", .out = "p_new v_new b_new",
       .expr = {"p - learning_rate * (momentum * b + " SCALED ")", MEAN_SQUARE, "momentum * b + " SCALED});

/* Centered: the mean gradient's square a^2 is taken from v. Rounding may leave less than nothing, which counts as 0. */
#define MEAN "(rho * a + (1.0f - rho) * " DECAYED ")"
#define VARIANCE "(" MEAN_SQUARE " - " MEAN " * " MEAN ")"
#define CENTERED "(" DECAYED " / (sqrt(" VARIANCE " < 0 ? 0 : " VARIANCE ") + epsilon))"
UPDATE(RmspropCenteredUpdate, 4, 3, LIST({"rho", "epsilon"}, {0.9f, 1e-7f}, 2), .in = "p g v a", .out = "p_new v_new a_new",
       .expr = {"p - learning_rate * " CENTERED, MEAN_SQUARE, MEAN});
UPDATE(RmspropCenteredMomentumUpdate, 5, 4, LIST({"rho", "epsilon", "momentum"}, {0.9f, 1e-7f, 0.9f}, 3), .in = "p g v a b",
       .out = "p_new v_new a_new b_new",
       .expr = {"p - learning_rate * (momentum * b + " CENTERED ")", MEAN_SQUARE, MEAN, "momentum * b + " CENTERED});

/* v = v + g^2;  p -= learning_rate * g / (sqrt(v) + epsilon) */
#define SQUARES "(v + " DECAYED " * " DECAYED ")"
UPDATE(AdagradUpdate, 3, 2, LIST({"epsilon"}, {1e-7f}, 1), .in = "p g v", .out = "p_new v_new",
       .expr = {"p - learning_rate * " DECAYED " / (sqrt(" SQUARES ") + epsilon)", SQUARES});

/* v and d are running means of g^2 and of the squared changes; the change is sqrt(d + epsilon) / sqrt(v + epsilon) * g. */
#define CHANGE "(sqrt(d + epsilon) / sqrt(" MEAN_SQUARE " + epsilon) * " DECAYED ")"
UPDATE(AdadeltaUpdate, 4, 3, LIST({"rho", "epsilon"}, {0.95f, 1e-7f}, 2), .in = "p g v d", .out = "p_new v_new d_new",
       .expr = {"p - learning_rate * " CHANGE, MEAN_SQUARE, "rho * d + (1.0f - rho) * " CHANGE " * " CHANGE});

/* FTRL: n sums g^2 up and z what p follows from, with s(n) = n^-learning_rate_power / learning_rate and c = z cut to
 * [-l1, l1]: z += g + 2 * l2_shrinkage * p - (s(n_new) - s(n)) * p;  p = (c - z) / (s(n_new) + 2 * l2 + beta / learning_rate) */
#define POWER(n) "((learning_rate_power == -0.5f ? sqrt(" n ") : pow(" n ", -(learning_rate_power))) / learning_rate)"
#define LINEAR "(z + " DECAYED " + 2.0f * l2_shrinkage_regularization_strength * p - (" POWER(SUM) " - " POWER("n") ") * p)"
#define CUT "(" LINEAR " > l1_regularization_strength ? l1_regularization_strength : " LINEAR                                   \
            " < -l1_regularization_strength ? -l1_regularization_strength : " LINEAR ")"
#define SUM "(n + " DECAYED " * " DECAYED ")"
UPDATE(FtrlUpdate, 4, 3,
       LIST({"learning_rate_power", "l1_regularization_strength", "l2_regularization_strength",
             "l2_shrinkage_regularization_strength", "beta"}, {-0.5f}, 5),
       .in = "p g n z", .out = "p_new n_new z_new",
       .expr = {"(" CUT " - " LINEAR ") / (" POWER(SUM) " + 2.0f * l2_regularization_strength + beta / learning_rate)", SUM,
                LINEAR});

/* LossScale(faults, scale, steps) -> factor, scale, steps: faults is 0 in a good step. */
#define GOOD_STEPS "2000.0f"
#define LEAST_SCALE "5.9604644775390625e-8f"
#define MOST_SCALE "16777216.0f"
static mica_status infer_loss_scale(struct mi_node *node)
{
    MI_TRY(mi_float_types(node));
    for (int i = 0; i < node->outputs; i++)
        mi_infer_output(node, i, node->in[0]->type, &node->in[0]->shape);
    return MICA_OK;
}
const struct mi_op mi_op_LossScale = {
    .name = "LossScale", .kind = MI_MAP, .min_inputs = 3, .max_inputs = 3, .outputs = 3, .infer = infer_loss_scale,
    .map = &(const struct mi_map_rule){
        .in = "faults scale steps", .out = "factor scale_new steps_new",
        .expr = {"faults == 0 ? 1.0f / scale : MICA_NAN",
                 "faults == 0 ? (steps + 1.0f < " GOOD_STEPS " || scale >= " MOST_SCALE " ? scale : scale * 2.0f)"
                 " : (scale > " LEAST_SCALE " ? scale * 0.5f : scale)",
                 "faults == 0 && steps + 1.0f < " GOOD_STEPS " ? steps + 1.0f : 0"}}};

/* a gradient and a factor, which is NaN where there is no gradient to add */
MI_MAP_ROW(UnscaleOrZero, 2, mi_infer_float_map, .expr = {"b == b ? a * b : 0"});

/* Adafactor: the mean of squares is that of rows times that of columns, by the mean of both, and g is divided by its root: `row`
 * and `column` are the factors of each, which broadcast, and `both` that of the mean. size is the root mean square of p, change
 * that of what row and column leave of g. The rate is at most 1 / sqrt(step), but in AdafactorFixedUpdate. */
#define ADAFACTOR_KEYS LIST({"epsilon_1", "epsilon_2", "clip_threshold", "beta_2_decay"}, {1e-30f, 1e-3f, 1, -0.8f}, 4)
#define LEFT "(" DECAYED " * row * column)"
#define AT_MOST(most) "(learning_rate > " most " ? " most " : learning_rate)"
#define CLIPPED "(change * both > clip_threshold ? change * both / clip_threshold : 1.0f)"
#define ADAFACTOR(rate) "p - " rate " * (size > epsilon_2 ? size : epsilon_2) * " LEFT " * both / " CLIPPED
UPDATE(AdafactorUpdate, 7, 1, ADAFACTOR_KEYS, .in = "p g row column size change both", .out = "p_new",
       .expr = {ADAFACTOR(AT_MOST("(1.0f / sqrt((float)step))"))});
UPDATE(AdafactorFixedUpdate, 7, 1, ADAFACTOR_KEYS, .in = "p g row column size change both", .out = "p_new",
       .expr = {ADAFACTOR("learning_rate")});
UPDATE(AdafactorSquare, 2, 1, ADAFACTOR_KEYS, .in = "p g", .out = "square", .expr = {DECAYED " * " DECAYED " + epsilon_1"});
UPDATE(AdafactorLeft, 4, 1, ADAFACTOR_KEYS, .in = "p g row column", .out = "left", .expr = {LEFT});
/* A running mean that forgets less and less: by step^beta_2_decay. */
UPDATE(AdafactorMean, 3, 1, ADAFACTOR_KEYS, .in = "mean x step", .out = "mean_new",
       .expr = {"mean + (x - mean) * exp(beta_2_decay * log(step))"});

/* A state of a rule: it stays in runs that do not update, and in steps that are left out, whose values are NaN. */
MI_MAP_ROW(KeepUntil, 3, mi_infer_float_map, .in = "old new every", .expr = {"run % (ulong)every == 0 ? new : old"});
MI_MAP_ROW(KeepOverNan, 2, mi_infer_float_map, .in = "old new", .expr = {"new == new ? new : old"});

/* Which update a run belongs to, or ends, from 1: `every` runs make one. */
MI_MAP_ROW(UpdateCount, 1, mi_infer_float_map, .in = "every", .expr = {"(float)(run / (ulong)every)"});
