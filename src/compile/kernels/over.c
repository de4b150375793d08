/* Whether a kernel may store a variable's new value over the old one.
 *
 * A nest computes anew what it needs again behind a reduction, and then reads the variable once more. With x (16, 8) and a variable
 * s (1, 8) that becomes s + ReduceSum(x, axes 0), x * s_new is such a case:
 *
 *     s0 += p0[r0*8 + k0]                       the fold
 *     p1[k0] = p1[k0] + s0                      s_new is stored, once for each kept place
 *     p2[r*8 + k0] = p0[r*8 + k0] * (p1[k0] + s0)   the sweep over the full space would read s_new where it wants s
 *
 * So the nest holds s_new in a variable of its own, which the sweep reads (sweep.c). Other uses of s there are refused. */
#include "compile/kernels/kernels.h"

enum { MOST_MEMBERS = 64 };

/* A kernel whose members are bits. */
struct over {
    const struct mica_plan *plan;
    const struct mi_kernel *kernel;
    const mi_value *value;             /* the new one */
    uint64_t from[MOST_MEMBERS];       /* of each member, those whose results it takes */
    uint64_t readers;                  /* those that read the variable */
    bool in_time;                      /* ... each at the place that it computes, or before anything is stored there */
};

static uint64_t bit_of(const struct mi_kernel *kernel, const struct mi_node *node)
{
    for (int m = 0; m < kernel->count; m++)
        if (kernel->nodes[m] == node)
            return (uint64_t)1 << m;
    return 0;
}

/* A fold over the places that the new value has is through with those of a tile before the sweep stores it there. */
static bool reads_in_time(const struct over *o, const struct mi_node *node)
{
    return node->op->kind == MI_MAP ||
           (node->op->kind == MI_REDUCE && mi_shape_equal(&o->value->shape, &o->kernel->space) && o->kernel->axes);
}

static void look(struct over *o, const struct mi_variable *variable)
{
    struct mi_source source[MI_MOST_SOURCES];
    o->in_time = true;
    for (int m = 0; m < o->kernel->count; m++) {
        int count = mi_sources(o->plan, o->kernel->nodes[m], source);
        o->from[m] = 0;
        for (int i = 0; i < count; i++) {
            o->from[m] |= bit_of(o->kernel, source[i].value->node);
            if (source[i].value->node->variable != variable)
                continue;
            o->readers |= (uint64_t)1 << m;
            o->in_time = o->in_time && source[i].direct && reads_in_time(o, o->kernel->nodes[m]);
        }
    }
}

/* Whether a member that needs the old value is computed in the loop's turn that stores the new one, which has read it then. */
static bool is_at_once(const struct over *o, const struct mi_node *node)
{
    const struct mi_kernel *kernel = o->kernel;
    int64_t batch = o->plan->batch;
    if (node->op->kind != MI_MAP)
        return false;
    if (kernel->anchor || !kernel->axes)
        return true;
    return mi_shape_equal(&node->out[0]->shape, &o->value->shape) &&
           mi_shape_count(&o->value->shape, batch) < mi_shape_count(&kernel->space, batch);
}

/* Whether the nest holds the new value, of each kept place, for the sweep behind it, where what is made of it reads it. */
static bool is_held(const struct over *o)
{
    const struct mi_kernel *kernel = o->kernel;
    int64_t batch = o->plan->batch;
    return !kernel->anchor && kernel->axes && o->value->node->op->kind == MI_MAP && o->value->node->outputs == 1 &&
           mi_shape_count(&o->value->shape, batch) < mi_shape_count(&kernel->space, batch);
}

bool mi_may_be_over(const struct mica_plan *plan, const struct mi_assignment *assignment)
{
    const mi_value *value = assignment->value;
    struct over o = {.plan = plan, .kernel = &plan->kernels.list[plan->home[value->node->id]], .value = value};
    int count = o.kernel->count;
    uint64_t ahead = bit_of(o.kernel, value->node), behind = 0;
    if (count > MOST_MEMBERS)
        return false;
    look(&o, assignment->variable);
    for (int m = count - 1; m >= 0; m--) /* what the new value is made of */
        ahead |= ahead >> m & 1 ? o.from[m] : 0;
    uint64_t through = is_held(&o) ? ~bit_of(o.kernel, value->node) : ~(uint64_t)0;
    for (int m = 0; m < count; m++)      /* what is made of the old value */
        behind |= o.readers >> m & 1 || o.from[m] & behind & through ? (uint64_t)1 << m : 0;
    if (!o.in_time || o.readers & ~ahead)
        return false;
    for (int m = 0; m < count; m++)
        if ((behind & ~ahead) >> m & 1 && !is_at_once(&o, o.kernel->nodes[m]))
            return false;
    return true;
}
