/* Nests: axes along which places are read alike only every so many, as those of a pool's input are by its windows. The loops over
 * them are written out for the places between, so that what of an index is the same for each of these is no arithmetic. */
#include "nest/inside.h"

enum { MOST_PERIOD = 4, DEEPEST = 8 };

/* The axis of the kept shape that is this one of a value of the full space or of the kept shape; -1. */
static int kept_axis_of(const struct mi_nest *s, const mi_value *value, int axis)
{
    if (value->shape.rank == s->kept.rank)
        return axis;
    for (int k = 0; k < s->kept.rank; k++)
        if (value->shape.rank == s->kernel->space.rank && s->kept_axis[k] == axis)
            return k;
    return -1;
}

static void find(struct mi_nest *s, mi_value *value, int depth)
{
    static const char *const anywhere[MI_MAX_RANK] = {"0", "0", "0", "0", "0", "0", "0", "0"};
    const struct mi_node *node = value ? value->node : NULL;
    if (!node || depth > DEEPEST || s->e->tensors[value->id].stored)
        return;
    if (node->op->kind == MI_MAP)
        for (int i = 0; i < node->inputs; i++)
            find(s, node->in[i], depth + 1);
    if (node->op->kind != MI_MOVE)
        return;
    struct mi_access *access = mi_arena_new(s->e->arena, (size_t)node->inputs + 2, sizeof *access);
    int count = access ? node->op->move(s->e->arena, node, anywhere, access) : 0;
    for (int i = 0; i < count; i++)
        for (int d = 0; d < value->shape.rank; d++) {
            int axis = kept_axis_of(s, value, d);
            if (axis >= 0 && access[i].period[d] > 1 && access[i].period[d] <= MOST_PERIOD) {
                s->period[axis] = (int)access[i].period[d];
                s->periodic = true;
            }
        }
}

void mi_nest_find_periods(struct mi_nest *s)
{
    const struct mi_kernel *k = s->kernel;
    if (!s->e->device->is_cpu || k->anchor || s->e->groups || s->e->flat || s->e->alike)
        return;
    for (int m = 0; m < k->count; m++)
        for (int i = 0; i < k->nodes[m]->inputs; i++)
            find(s, k->nodes[m]->in[i], 0);
}

bool mi_nest_by_phases(struct mi_nest *s, void (*body)(struct mi_nest *s))
{
    struct mi_emitter *e = s->e;
    int last = s->dims - 1, axis = s->physical[last].axis, period = axis < 0 ? 1 : s->period[axis];
    struct mi_dim extent = s->physical[last].extent;
    /* Only of whole axes, so that a compiler knows that the places are counted from 0. */
    if (period < 2 || s->physical[last].inner || s->by_rows || s->arrays || s->cross >= 0 || extent.a ||
        extent.b > s->v || extent.b < 2 * period)
        return false;
    size_t turns = mi_scope_open(e, "for (int turn = 0; turn < @%lld; turn++) ", (long long)(extent.b / period));
    for (int phase = 0; phase < period; phase++) {
        size_t scope = mi_nest_open_place(s, mi_arena_format(e->arena, "turn*%d + %d", period, phase));
        body(s);
        mi_scope_close(e, scope);
    }
    mi_scope_close(e, turns);
    for (int64_t rest = extent.b / period * period; rest < extent.b; rest++) {
        size_t scope = mi_nest_open_place(s, mi_arena_format(e->arena, "@%lld", (long long)rest));
        body(s);
        mi_scope_close(e, scope);
    }
    return true;
}
