/* The optimizers' updates, each one map: p the parameter, g its gradient, then the states; the new ones come
 * out in the same order. `learning_rate` and `step` (from 1) are built-in names. The formulas are PyTorch's;
 * weight decay is added to the gradient: g + weight_decay * p. */
#include "ops/ops.h"

static mica_status infer_update(struct mi_node *node, const char *const *names, const float *defaults,
                                int count)
{
    struct mi_arena *arena = &node->graph->arena;
    const struct mi_shape *p = &node->in[0]->shape;
    MI_TRY(mi_float_types(node));
    for (int i = 1; i < node->inputs; i++)
        if (!mi_shape_equal(p, &node->in[i]->shape))
            return mi_op_fail(node, MICA_SHAPE, "parameter has shape %s, input %d has %s",
                              mi_shape_text(arena, p), i, mi_shape_text(arena, &node->in[i]->shape));
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
        static const struct { const char *name[3]; float value[3]; int count; } of = attributes; \
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
#define FIRST "(beta_1 * m + (1.0f - beta_1) * " DECAYED ")"
#define SECOND "(beta_2 * v + (1.0f - beta_2) * " DECAYED " * " DECAYED ")"
#define CORRECTION(beta) "(-expm1((float)step * log((float)" beta ")))"
UPDATE(AdamUpdate, 4, 3, LIST({"beta_1", "beta_2", "epsilon"}, {0.9f, 0.999f, 1e-7f}, 3), .in = "p g m v",
       .out = "p_new m_new v_new",
       .expr = {"p - learning_rate / " CORRECTION("beta_1") " * " FIRST " / (sqrt(" SECOND
                                                            ") * (1.0f / sqrt(" CORRECTION("beta_2") ")) + epsilon)",
                FIRST, SECOND});

/* v = rho * v + (1 - rho) * g^2; p -= learning_rate * g / (sqrt(v) + epsilon), through a momentum buffer b
 * where there is one */
#define MEAN_SQUARE "(rho * v + (1.0f - rho) * " DECAYED " * " DECAYED ")"
#define SCALED "(" DECAYED " / (sqrt(" MEAN_SQUARE ") + epsilon))"
UPDATE(RmspropUpdate, 3, 2, LIST({"rho", "epsilon"}, {0.9f, 1e-7f}, 2), .in = "p g v", .out = "p_new v_new",
       .expr = {"p - learning_rate * " SCALED, MEAN_SQUARE});
UPDATE(RmspropMomentumUpdate, 4, 3, LIST({"rho", "epsilon", "momentum"}, {0.9f, 1e-7f, 0.9f}, 3),
       .in = "p g v b", .out = "p_new v_new b_new",
       .expr = {"p - learning_rate * (momentum * b + " SCALED ")", MEAN_SQUARE, "momentum * b + " SCALED});

/* v = v + g^2;  p -= learning_rate * g / (sqrt(v) + epsilon) */
#define SQUARES "(v + " DECAYED " * " DECAYED ")"
UPDATE(AdagradUpdate, 3, 2, LIST({"epsilon"}, {1e-7f}, 1), .in = "p g v", .out = "p_new v_new",
       .expr = {"p - learning_rate * " DECAYED " / (sqrt(" SQUARES ") + epsilon)", SQUARES});

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
