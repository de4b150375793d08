/* Kernels of work at the end of a step (endings.c): there are a few for each parameter, which differ in sizes alone, and most are
 * short. So those that do not wait for one another and have the same source are one launch, with a row of a table for each
 * (finish.c).
 *
 * clipnorm of weights (9, 12) and a bias (9): both gradients are scaled by a kernel g * (most / max(sqrt(sum of g * g), most)), of
 * one source, whose table is
 *
 *     places of g and of the result, the size
 *     0,    256,    108
 *     512,  768,    9 */
#include "compile/kernels/kernels.h"

#include <string.h>

static bool are_alike(const struct mi_code *x, const struct mi_code *y)
{
    return x->grid.local[0] == y->grid.local[0] && x->locals == y->locals &&
           memcmp(x->local, y->local, (size_t)x->locals * sizeof *x->local) == 0 && strcmp(x->source, y->source) == 0;
}

/* The place in the order of the first kernel of the same stage in whose launch the one at `at` can run: at most its own. */
static int first_alike(const struct mica_plan *plan, int at)
{
    int k = plan->order[at], stage = plan->kernels.list[k].stage, first = at;
    for (int before = at - 1; before >= 0 && plan->kernels.list[plan->order[before]].stage == stage; before--) {
        const struct mi_codes *codes = &plan->codes[plan->order[before]];
        if (codes->count && are_alike(codes->code, plan->codes[k].code))
            first = before;
    }
    return first;
}

static mica_status row_add(struct mica_plan *plan, struct mi_code *to, int kernel, const struct mi_code *code)
{
    if ((to->rows & (to->rows - 1)) == 0) { /* a power of two, which is full, or none */
        struct mi_row *grown = mi_arena_new(&plan->arena, to->rows ? 2 * (size_t)to->rows : 1, sizeof *grown);
        if (!grown)
            return mi_out_of_memory(&plan->error);
        if (to->rows)
            memcpy(grown, to->row, (size_t)to->rows * sizeof *grown);
        to->row = grown;
    }
    to->row[to->rows++] = (struct mi_row){kernel, code};
    return MICA_OK;
}

mica_status mi_join_alike(struct mica_plan *plan)
{
    for (int at = 0; at < (int)plan->kernels.count; at++) {
        int k = plan->order[at];
        struct mi_kernel *kernel = &plan->kernels.list[k];
        struct mi_codes *codes = &plan->codes[k];
        bool joins = kernel->stage && codes->count;
        kernel->time = joins ? first_alike(plan, at) : at;
        if (joins)
            MI_TRY(row_add(plan, plan->codes[plan->order[kernel->time]].code, k, codes->code));
        if (kernel->time < at)
            codes->count = 0;
    }
    return MICA_OK;
}
