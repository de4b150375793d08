/* AttendStep: attend_step.h has the formula. It has no gradient, as no step trains. */
#include "ops/attend_step.h"

#include "ops/ops.h"

static mica_status infer_attend_step(struct mi_node *node)
{
    const mi_value *query = node->in[0], *kept = node->in[1];
    int64_t heads = mi_attribute_int(node, "heads", 0), groups = mi_attribute_int(node, "groups", 0);
    int64_t key_dim = mi_attribute_int(node, "key_dim", 0), value_dim = mi_attribute_int(node, "value_dim", 0);
    MI_TRY(mi_float_types(node));
    int64_t width = groups * (key_dim + value_dim) + (mi_attribute_int(node, "masked", 0) != 0);
    bool fits = query->shape.rank == 3 && kept->shape.rank == 3 && !query->shape.dim[1].a && groups > 0 && heads % groups == 0 &&
                query->shape.dim[2].b >= heads * key_dim && mi_dim_is(kept->shape.dim[2], width);
    if (!fits)
        return mi_op_fail(node, MICA_SHAPE, "query %s and what is kept, %s, are not those of %lld heads in %lld groups",
                          mi_shape_text(&node->graph->arena, &query->shape), mi_shape_text(&node->graph->arena, &kept->shape),
                          (long long)heads, (long long)groups);
    const struct mi_shape shape = {.rank = 3, .dim = {query->shape.dim[0], query->shape.dim[1], mi_fixed(heads * value_dim)}};
    mi_infer_output(node, 0, query->type, &shape);
    return MICA_OK;
}

/* One item is a head of a step of a sample. */
static struct mi_dim attend_step_items(const struct mi_node *node)
{
    struct mi_dim n = node->in[0]->shape.dim[0];
    int64_t heads = mi_attribute_int(node, "heads", 1) * node->in[0]->shape.dim[1].b;
    return (struct mi_dim){n.a * heads, n.b * heads};
}

const struct mi_op mi_op_AttendStep = {.name = "AttendStep",
                                       .kind = MI_OWN,
                                       .min_inputs = 2,
                                       .max_inputs = 2,
                                       .outputs = 1,
                                       .infer = infer_attend_step,
                                       .own = "attend_step",
                                       .items = attend_step_items};
