/* Writes the source of every kernel. Updates of small parameters that lie side by side are written once, for the whole range. */
#include "compile/choose/problem.h"
#include "compile/kernels/kernels.h"
#include "nest/nest.h"

#include <stdlib.h>
#include <string.h>

static void emitter_init(struct mica_plan *plan, int kernel, struct mi_emitter *e)
{
    int rows = plan->rows[plan->kernels.list[kernel].repeat];
    *e = (struct mi_emitter){.arena = &plan->arena,
                             .error = &plan->error,
                             .device = plan->device,
                             .tensors = plan->tensors,
                             .home = plan->home,
                             .self = kernel,
                             .kernel = &plan->kernels.list[kernel],
                             .alike = plan->kernels.list[kernel].stage > 0,
                             .by_rows = rows > 0,
                             .once = plan->derived[kernel],
                             .batch = rows ? rows : plan->batch};
}

static mica_status read_ahead(struct mica_plan *plan, const struct mi_node *anchor, struct mi_ahead *ahead)
{
    struct mi_users users;
    mica_status status = mi_users_list(plan->graph, &users) ? mi_read_ahead(&users, anchor, ahead) : mi_out_of_memory(&plan->error);
    mi_users_free(&users);
    return status;
}

mica_status mi_emit_kernel(struct mica_plan *plan, int index)
{
    struct mi_emitter e;
    struct mi_kernel *kernel = &plan->kernels.list[index];
    struct mi_codes *codes = &plan->codes[index];
    mica_status status;
    *codes = (struct mi_codes){0};
    emitter_init(plan, index, &e);
    if (kernel->choice.engine) {
        struct mi_problem problem;
        struct mi_ahead ahead;
        status = mi_read_problem(plan, kernel->anchor, &problem);
        if (status == MICA_OK && kernel->ahead)
            status = read_ahead(plan, kernel->anchor, &ahead);
        problem.ahead = kernel->ahead ? &ahead : NULL;
        problem.variant = kernel->choice.variant;
        if (status == MICA_OK)
            status = kernel->choice.engine->emit(&e, &problem, codes);
    } else if (kernel->anchor)
        status = mi_emit_own(&e, codes);
    else
        status = mi_emit_nest(&e, codes);
    mi_emitter_destroy(&e);
    return status;
}

/* ---- Updates ---- */

static const struct mi_variable *updated(const struct mi_kernel *kernel)
{
    return kernel->nodes[0]->in[0]->node->variable;
}

static int by_place(const void *x, const void *y)
{
    const struct mi_kernel *a = *(const struct mi_kernel *const *)x, *b = *(const struct mi_kernel *const *)y;
    const struct mi_variable *u = updated(a), *v = updated(b);
    if (u->block != v->block)
        return u->block < v->block ? -1 : 1;
    return u->offset < v->offset ? -1 : u->offset > v->offset;
}

static bool same_rule(const struct mi_node *x, const struct mi_node *y)
{
    if (x->op != y->op || x->attributes != y->attributes)
        return false;
    for (int i = 0; i < x->attributes; i++)
        if (strcmp(x->attribute[i].name, y->attribute[i].name) != 0 ||
            memcmp(&x->attribute[i].f, &y->attribute[i].f, sizeof x->attribute[i].f) != 0 ||
            x->attribute[i].i != y->attribute[i].i)
            return false;
    return true;
}

static uint64_t padded_elements(const struct mi_variable *variable)
{
    return ((uint64_t)mi_variable_count(variable) + MI_ALIGN_ELEMENTS - 1) / MI_ALIGN_ELEMENTS * MI_ALIGN_ELEMENTS;
}

/* The input that is no stretch of an arena: behind the moments, where there is one (the optimizer's operator says so). */
static const mi_value *number_of(const struct mi_node *update)
{
    return mi_attribute_int(update, "number_", 0) ? update->in[update->inputs - 1] : NULL;
}

static mica_status emit_range(struct mica_plan *plan, const struct mi_kernel *first, uint64_t elements)
{
    struct mi_emitter e;
    int index = (int)(first - plan->kernels.list);
    emitter_init(plan, index, &e);
    e.flat = (int64_t)elements;
    e.number = number_of(first->nodes[0]);
    mica_status status = mi_emit_nest(&e, &plan->codes[index]);
    mi_emitter_destroy(&e);
    return status;
}

/* Updates that run together: a launch for each stretch of parameters. */
static mica_status emit_together(struct mica_plan *plan)
{
    size_t count = 0;
    struct mi_kernel **list = mi_new(plan->kernels.count, sizeof *list);
    mica_status status = list ? MICA_OK : mi_out_of_memory(&plan->error);
    for (size_t k = 0; k < plan->kernels.count && list; k++)
        if (plan->kernels.list[k].together)
            list[count++] = &plan->kernels.list[k];
    if (count)
        qsort(list, count, sizeof *list, by_place);
    for (size_t i = 0; i < count && status == MICA_OK;) {
        const struct mi_variable *first = updated(list[i]);
        uint64_t end = first->offset + padded_elements(first);
        size_t next = i + 1;
        while (next < count && updated(list[next])->block == first->block && updated(list[next])->offset == end &&
               same_rule(list[next]->nodes[0], list[i]->nodes[0]))
            end += padded_elements(updated(list[next++]));
        status = emit_range(plan, list[i], end - first->offset);
        i = next;
    }
    free(list);
    return status;
}

mica_status mi_emit_plan(struct mica_plan *plan)
{
    plan->codes = mi_arena_new(&plan->arena, plan->kernels.count, sizeof *plan->codes);
    if (!plan->codes)
        return mi_out_of_memory(&plan->error);
    for (size_t k = 0; k < plan->kernels.count; k++) {
        const struct mi_kernel *kernel = &plan->kernels.list[k];
        if (!kernel->update)
            MI_TRY(mi_emit_kernel(plan, (int)k));
        else if (!kernel->together)
            MI_TRY(emit_range(plan, kernel, mi_variable_count(updated(kernel))));
    }
    MI_TRY(emit_together(plan));
    return plan->arena.failed ? mi_out_of_memory(&plan->error) : plan->error.status;
}
