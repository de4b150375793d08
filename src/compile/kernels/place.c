/* Memory: values of a step share a few blocks by lifetime; variables and gradients have their places in the store. */
#include "compile/kernels/kernels.h"

#include <stdlib.h>
#include <string.h>

enum { ALIGN_BYTES = 256 };

/* A stretch of memory that is in use from one position in the order of kernels to another. */
struct interval {
    int first, last;
    uint64_t bytes;
    struct mi_home *home;
    const mi_value *value; /* NULL: a kernel's scratch memory */
};

/* ---- Places in the store ---- */

/* The gradients of updates that run together lie in the gradient arena, so that one launch can run over a block. */
static mica_status place_gradients(struct mica_plan *plan)
{
    for (size_t k = 0; k < plan->kernels.count; k++) {
        const struct mi_kernel *kernel = &plan->kernels.list[k];
        if (!kernel->together)
            continue;
        struct mi_variable *parameter = kernel->nodes[0]->in[0]->node->variable;
        mi_value *gradient = mi_canonical(plan, kernel->nodes[0]->in[1]);
        struct mi_home *home = &plan->homes[gradient->id];
        if (plan->home[gradient->node->id] < 0 || home->variable || gradient->name)
            return mi_fail(&plan->error, MICA_UNSUPPORTED, "parameter \"%s\": its gradient is not a value of its own",
                           parameter->name);
        home->variable = parameter;
        home->gradient = true;
    }
    return MICA_OK;
}

static void place_variables(struct mica_plan *plan)
{
    for (size_t i = 0; i < plan->graph->node_count; i++)
        if (plan->graph->nodes[i]->op == &mi_op_variable)
            plan->homes[plan->graph->nodes[i]->out[0]->id].variable = plan->graph->nodes[i]->variable;
    for (size_t a = 0; a < plan->assignment_count; a++)
        if (plan->assignments[a].in_place)
            plan->homes[plan->assignments[a].value->id].variable = plan->assignments[a].variable;
}

/* ---- Lifetimes ---- */

/* Whether a tensor lies in memory of its own, that the steps' values share. */
static bool has_memory(const struct mica_plan *plan, size_t v)
{
    const struct mi_tensor *tensor = &plan->tensors[v];
    return tensor->stored && !tensor->same_as && !tensor->part.of && !plan->homes[v].variable &&
           plan->graph->values[v]->node->op != &mi_op_constant;
}

/* When a repeat begins and ends. */
static void find_span(const struct mica_plan *plan, int repeat, int span[2])
{
    for (size_t k = 0; k < plan->kernels.count; k++) {
        const struct mi_kernel *kernel = &plan->kernels.list[k];
        if (!mi_repeat_within(plan->graph, kernel->repeat, repeat))
            continue;
        span[0] = kernel->time < span[0] ? kernel->time : span[0];
        span[1] = kernel->time > span[1] ? kernel->time : span[1];
    }
}

/* A kernel uses a value: at its own time where its repeat makes the value anew in every turn, else as long as the outermost repeat
 * runs that runs the kernel and does not make the value anew. */
static void use(const struct mica_plan *plan, const struct mi_kernel *kernel, const mi_value *owner, struct interval *interval)
{
    int span[2] = {kernel->time, kernel->time}, runs = 0;
    for (int r = kernel->repeat; r && !mi_repeat_within(plan->graph, owner->node->repeat, r); r = plan->graph->repeats[r].outer)
        runs = r;
    if (runs)
        find_span(plan, runs, span);
    interval->first = span[0] < interval->first ? span[0] : interval->first;
    interval->last = span[1] > interval->last ? span[1] : interval->last;
}

static mica_status list_intervals(struct mica_plan *plan, struct interval *interval, size_t *count)
{
    int end = (int)plan->kernels.count;
    int *of_value = mi_new(plan->graph->value_count, sizeof *of_value);
    if (!of_value)
        return mi_out_of_memory(&plan->error);
    for (size_t v = 0; v < plan->graph->value_count; v++) {
        mi_value *value = plan->graph->values[v];
        of_value[v] = -1;
        if (!has_memory(plan, v))
            continue;
        of_value[v] = (int)*count;
        bool outside = value->node->op == &mi_op_input || value->name;
        interval[(*count)++] =
            (struct interval){outside ? 0 : end, outside ? end : -1, mi_value_bytes(plan, value), &plan->homes[v], value};
    }
    for (int at = 0; at < end; at++) {
        const struct mi_kernel *kernel = &plan->kernels.list[plan->order[at]];
        struct mi_source source[MI_MOST_SOURCES];
        for (int m = 0; m < kernel->count; m++) {
            int sources = mi_sources(plan, kernel->nodes[m], source);
            for (int i = 0; i < sources; i++) {
                const mi_value *owner = mi_owner(plan, source[i].value);
                if (of_value[owner->id] >= 0)
                    use(plan, kernel, owner, &interval[of_value[owner->id]]);
            }
        }
        for (int o = 0; o < kernel->outs; o++) {
            const mi_value *owner = mi_owner(plan, kernel->out[o]);
            int which = of_value[owner->id];
            if (which < 0)
                continue;
            use(plan, kernel, owner, &interval[which]);
            if (plan->derived[plan->order[at]]) {
                interval[which].first = 0;
                interval[which].last = end;
            }
        }
    }
    for (size_t a = 0; a < plan->assignment_count; a++) {
        int which = plan->assignments[a].in_place ? -1 : of_value[mi_owner(plan, plan->assignments[a].value)->id];
        if (which >= 0)
            interval[which].last = end;
    }
    free(of_value);
    return MICA_OK;
}

static mica_status list_scratch(struct mica_plan *plan, struct interval *interval, size_t *count)
{
    plan->scratch = mi_arena_new(&plan->arena, plan->kernels.count, sizeof *plan->scratch);
    if (!plan->scratch)
        return mi_out_of_memory(&plan->error);
    for (int at = 0; at < (int)plan->kernels.count; at++) {
        int k = plan->order[at];
        for (int s = 0; s < plan->codes[k].scratches; s++)
            interval[(*count)++] = (struct interval){at, at, (uint64_t)plan->codes[k].scratch[s], &plan->scratch[k][s], NULL};
    }
    return MICA_OK;
}

/* ---- Packing ---- */

static int by_size(const void *x, const void *y)
{
    const struct interval *a = x, *b = y;
    if (a->bytes != b->bytes)
        return a->bytes > b->bytes ? -1 : 1;
    return a->first != b->first ? (a->first < b->first ? -1 : 1) : 0;
}

static int by_offset(const void *x, const void *y)
{
    const struct interval *a = *(const struct interval *const *)x, *b = *(const struct interval *const *)y;
    return a->home->offset < b->home->offset ? -1 : a->home->offset > b->home->offset;
}

/* The lowest gap of a block that holds the interval beside those alive with it; false: none below `most`. */
static bool fit(struct interval *placed, size_t count, struct interval *wanted, int block, uint64_t most,
                const struct interval **alive)
{
    size_t n = 0;
    uint64_t offset = 0;
    for (size_t i = 0; i < count; i++)
        if (placed[i].home->block == block && placed[i].first <= wanted->last && wanted->first <= placed[i].last)
            alive[n++] = &placed[i];
    if (n)
        qsort(alive, n, sizeof *alive, by_offset);
    for (size_t i = 0; i < n; i++) {
        if (alive[i]->home->offset >= offset + wanted->bytes)
            break;
        uint64_t end = alive[i]->home->offset + alive[i]->bytes;
        offset = end > offset ? end : offset;
    }
    if (offset + wanted->bytes > most)
        return false;
    wanted->home->block = block;
    wanted->home->offset = offset;
    return true;
}

static mica_status fail_too_large(struct mica_plan *plan, const struct interval *wanted, uint64_t most)
{
    const char *what = "a kernel's scratch memory", *bytes = "too many bytes";
    if (wanted->value)
        what = mi_arena_format(&plan->arena, "\"%s\" (%s of shape %s)", wanted->value->node->name, wanted->value->node->op->name,
                               mi_shape_text(&plan->arena, &wanted->value->shape));
    if (wanted->bytes < MI_UNCOUNTED_BYTES)
        bytes = mi_arena_format(&plan->arena, "%llu bytes", (unsigned long long)wanted->bytes);
    return mi_fail(&plan->error, MICA_DEVICE_MEMORY, "%s takes %s, the device allocates at most %llu at once%s", what, bytes,
                   (unsigned long long)most, plan->batch > 1 ? ": choose a smaller batch" : "");
}

static mica_status pack(struct mica_plan *plan, struct interval *interval, size_t count)
{
    uint64_t most = plan->device->info.largest_allocation_bytes / ALIGN_BYTES * ALIGN_BYTES;
    const struct interval **alive = mi_new(count, sizeof *alive);
    plan->block_bytes = mi_arena_new(&plan->arena, count + 1, sizeof *plan->block_bytes);
    mica_status status = alive && plan->block_bytes ? MICA_OK : mi_out_of_memory(&plan->error);
    if (status == MICA_OK && count)
        qsort(interval, count, sizeof *interval, by_size);
    for (size_t i = 0; i < count && status == MICA_OK; i++) {
        struct interval *wanted = &interval[i];
        wanted->bytes = (wanted->bytes + ALIGN_BYTES - 1) / ALIGN_BYTES * ALIGN_BYTES;
        if (wanted->bytes > most) {
            status = fail_too_large(plan, wanted, most);
            break;
        }
        int block = 0;
        while (!fit(interval, i, wanted, block, most, alive))
            block++;
        if ((size_t)block >= plan->block_count)
            plan->block_count = (size_t)block + 1;
        uint64_t end = wanted->home->offset + wanted->bytes;
        if (end > plan->block_bytes[block])
            plan->block_bytes[block] = end;
    }
    free(alive);
    return status;
}

static mica_status check_budget(struct mica_plan *plan)
{
    plan->activation_bytes = 0;
    for (size_t b = 0; b < plan->block_count; b++)
        plan->activation_bytes += plan->block_bytes[b];
    uint64_t budget = plan->device->memory_budget_bytes, peak = mica_plan_peak_bytes(plan);
    if (budget && peak > budget)
        return mi_fail(&plan->error, MICA_DEVICE_MEMORY, "the plan needs %llu bytes, the budget is %llu",
                       (unsigned long long)peak, (unsigned long long)budget);
    return MICA_OK;
}

static mica_status allocate(struct mica_plan *plan)
{
    plan->blocks = mi_arena_new(&plan->arena, plan->block_count, sizeof *plan->blocks);
    if (!plan->blocks)
        return mi_out_of_memory(&plan->error);
    for (size_t b = 0; b < plan->block_count; b++)
        if (plan->block_bytes[b])
            MI_TRY(mi_error_report(&plan->error, mi_buffer_create(plan->device, plan->block_bytes[b], &plan->blocks[b])
                                                     ? &plan->device->error
                                                     : &(struct mi_error){0}));
    MI_TRY(mi_states_make(plan));
    if (!plan->device->debug)
        return MICA_OK;
    plan->own = mi_arena_new(&plan->arena, plan->graph->value_count, sizeof *plan->own);
    if (!plan->own)
        return mi_out_of_memory(&plan->error);
    for (size_t v = 0; v < plan->graph->value_count; v++) {
        if (!has_memory(plan, v))
            continue;
        uint64_t bytes = mi_value_bytes(plan, plan->graph->values[v]);
        if (mi_buffer_create(plan->device, bytes ? bytes : 4, &plan->own[v]) != MICA_OK)
            return mi_error_report(&plan->error, &plan->device->error);
    }
    return MICA_OK;
}

mica_status mi_place(struct mica_plan *plan)
{
    size_t count = 0, most = plan->graph->value_count + 4 * plan->kernels.count;
    plan->homes = mi_arena_new(&plan->arena, plan->graph->value_count, sizeof *plan->homes);
    struct interval *interval = mi_new(most, sizeof *interval);
    mica_status status = plan->homes && interval ? MICA_OK : mi_out_of_memory(&plan->error);
    if (status == MICA_OK) {
        place_variables(plan);
        status = place_gradients(plan);
    }
    if (status == MICA_OK)
        status = list_intervals(plan, interval, &count);
    if (status == MICA_OK)
        status = list_scratch(plan, interval, &count);
    if (status == MICA_OK)
        status = pack(plan, interval, count);
    free(interval);
    if (status == MICA_OK)
        status = mi_states_list(plan);
    if (status == MICA_OK)
        status = check_budget(plan);
    return status == MICA_OK ? allocate(plan) : status;
}
