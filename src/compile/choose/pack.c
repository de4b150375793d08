/* What a product computes while it packs: maps and moves ahead of it that would be launches of their own, only to be read once. A
 * map of what another kernel makes is not among them, as it rides on that kernel; nor is a copy of weights, which is made once. */
#include "compile/choose/choose.h"

enum { DEEPEST = 8, MOST_BESIDE = 6 }; /* nodes in a row; what else they read: a kernel has only so many arguments */

/* Whether only one node reads what this one makes, and it costs little to compute wherever that is. */
static bool may_move(const struct mi_users *users, const struct mi_node *node)
{
    if (node->outputs != 1 || node->out[0]->name || mi_users_count(users, node->out[0]) != 1)
        return false;
    if (node->op->kind == MI_MAP)
        return node->again != MI_AGAIN_INLINE && mi_map_is_cheap(node);
    return (node->op->kind == MI_MOVE && !node->op->keeps_order) || node->op->kind == MI_INDEXED;
}

/* Whether a map of the value would be a launch of its own: nothing makes the value that takes maps along. */
static bool is_just_there(const mi_value *value, const struct mi_node *map)
{
    while (value->node->op->keeps_order)
        value = value->node->in[0];
    enum mi_kind kind = value->node->op->kind;
    return kind == MI_SOURCE || kind == MI_OWN || map->again == MI_AGAIN_STORED ||
           mi_shape_count(&value->shape, 2) < mi_shape_count(&map->out[0]->shape, 2);
}

static bool can(const struct mi_users *users, const mi_value *value, int depth, int beside)
{
    const struct mi_node *node = value->node;
    if (depth > DEEPEST || beside + node->inputs > MOST_BESIDE || !may_move(users, node) || mi_stays_the_same(value))
        return false;
    bool good = true;
    for (int k = 0; k < node->inputs && good; k++) {
        const mi_value *in = node->in[k];
        good = !in || node->op->kind != MI_MAP || is_just_there(in, node) ||
               can(users, in, depth + 1, beside + node->inputs);
    }
    return good;
}

/* Marks the node that makes the value, and those before it that can. */
static void mark(const struct mi_users *users, const mi_value *value, int depth)
{
    struct mi_node *node = value->node;
    node->again = MI_AGAIN_PACKED;
    for (int k = 0; k < node->inputs; k++)
        if (node->in[k] && (node->op->kind != MI_MAP || !is_just_there(node->in[k], node)) &&
            can(users, node->in[k], depth + 1, 0))
            mark(users, node->in[k], depth + 1);
}

void mi_pack_operands(const struct mica_plan *plan, const struct mi_users *users, const struct mi_problem *problem,
                      struct mi_choice *choice)
{
    const mi_value *operand[2] = {problem->c.a.value, problem->c.b.value};
    uint32_t asked = 0;
    if (!choice->engine->packs || plan->desc.no_fusion || operand[0] == operand[1])
        return;
    for (int i = 0; i < 2; i++)
        if (operand[i]->node->repeat == problem->c.out.value->node->repeat) /* what runs once is not packed in every turn */
            asked |= (uint32_t)can(users, operand[i], 0, 0) << i;
    uint32_t packed = asked ? choice->engine->packs(problem, asked, &choice->variant) : 0;
    for (int i = 0; i < 2; i++)
        if (packed >> i & 1)
            mark(users, operand[i], 0);
}
