/* The order in which kernels run: after what they read, and writers of a variable after its readers; otherwise so that memory
 * is given back early. An assignment whose writer cannot wait for every reader becomes a copy at the end of the step. */
#include "compile/kernels/kernels.h"

#include <stdlib.h>

struct edges {
    unsigned char *before;     /* before[b * count + a]: kernel a runs before kernel b */
    size_t count;
};

static void add_data(const struct mica_plan *plan, struct edges *edges)
{
    struct mi_source source[MI_MOST_SOURCES];
    for (size_t k = 0; k < edges->count; k++)
        for (int m = 0; m < plan->kernels.list[k].count; m++) {
            int count = mi_sources(plan, plan->kernels.list[k].nodes[m], source);
            for (int i = 0; i < count; i++) {
                int home = plan->home[source[i].value->node->id];
                if (home >= 0 && (size_t)home != k)
                    edges->before[k * edges->count + (size_t)home] = 1;
                for (size_t b = 0; b < edges->count && source[i].value->node->op == &mi_op_part; b++)
                    if (b != k && mi_is_made_by(plan, source[i].value, (int)b))
                        edges->before[k * edges->count + b] = 1;
            }
        }
}

static bool runs_in(const struct mica_plan *plan, size_t kernel, int repeat)
{
    return mi_repeat_within(plan->graph, plan->kernels.list[kernel].repeat, repeat);
}

/* A repeat runs as one: what one of its kernels waits for is there before the first turn, and who waits for one waits for all. */
static void join_repeat(const struct mica_plan *plan, int repeat, struct edges *edges)
{
    size_t count = edges->count;
    for (size_t other = 0; other < count; other++) {
        bool before = false, behind = false;
        if (runs_in(plan, other, repeat))
            continue;
        for (size_t k = 0; k < count; k++)
            if (runs_in(plan, k, repeat)) {
                before = before || edges->before[k * count + other];
                behind = behind || edges->before[other * count + k];
            }
        for (size_t k = 0; k < count; k++)
            if (runs_in(plan, k, repeat)) {
                edges->before[k * count + other] |= before;
                edges->before[other * count + k] |= behind;
            }
    }
}

static void join_repeats(const struct mica_plan *plan, struct edges *edges)
{
    for (size_t r = 1; r < plan->graph->repeat_count; r++)
        join_repeat(plan, (int)r, edges);
}

/* Who reads a variable runs before whoever writes it in place. `writer` is by the variable's index, -1: nobody. */
static void add_hazards(const struct mica_plan *plan, const int *writer, struct edges *edges)
{
    struct mi_source source[MI_MOST_SOURCES];
    for (size_t k = 0; k < edges->count; k++)
        for (int m = 0; m < plan->kernels.list[k].count; m++) {
            int count = mi_sources(plan, plan->kernels.list[k].nodes[m], source);
            for (int i = 0; i < count; i++) {
                const struct mi_variable *variable = source[i].value->node->variable;
                int writes = variable ? writer[variable->index] : -1;
                if (writes >= 0 && (size_t)writes != k)
                    edges->before[(size_t)writes * edges->count + k] = 1;
            }
        }
}

/* Which kernel writes each variable in place; NULL: out of memory. A variable is assigned once. */
static int *list_writers(const struct mica_plan *plan)
{
    size_t variables = plan->graph->of_variable_capacity;
    int *writer = mi_new(variables, sizeof *writer);
    for (size_t v = 0; v < variables && writer; v++)
        writer[v] = -1;
    for (size_t a = 0; a < plan->assignment_count && writer; a++)
        if (plan->assignments[a].in_place)
            writer[plan->assignments[a].variable->index] = plan->home[plan->assignments[a].value->node->id];
    return writer;
}

/* ---- Memory ---- */

/* What the kernels read and write of the memory that values of a step share. Ids are those of canonical values. */
struct memory {
    uint64_t *bytes;           /* by value; 0: it has a place of its own, or is never given back */
    int *readers;              /* by value: how many kernels have still to read it */
    bool *for_updates;         /* by value: updates alone read it, and they run as soon as they can */
    int *read, *first;         /* kernel k reads read[first[k]] ... read[first[k + 1] - 1] */
    size_t reads, capacity;
    int *rank;                 /* by kernel: where it stands if memory does not matter */
};

static void memory_destroy(struct memory *memory)
{
    free(memory->bytes);
    free(memory->readers);
    free(memory->for_updates);
    free(memory->read);
    free(memory->first);
    free(memory->rank);
}

static mica_status memory_add_reads(struct mica_plan *plan, struct memory *memory, size_t kernel)
{
    const struct mi_kernel *k = &plan->kernels.list[kernel];
    struct mi_source source[MI_MOST_SOURCES];
    size_t from = memory->reads;
    for (int m = 0; m < k->count; m++) {
        int count = mi_sources(plan, k->nodes[m], source);
        if (!mi_grow(&memory->read, &memory->capacity, memory->reads + MI_MOST_SOURCES, sizeof *memory->read))
            return mi_out_of_memory(&plan->error);
        for (int i = 0; i < count; i++) {
            int id = mi_owner(plan, source[i].value)->id;
            size_t known = from;
            while (known < memory->reads && memory->read[known] != id)
                known++;
            if (known < memory->reads || plan->home[source[i].value->node->id] == (int)kernel)
                continue;
            memory->read[memory->reads++] = id;
            memory->readers[id]++;
            memory->for_updates[id] = memory->for_updates[id] && k->update;
        }
    }
    return MICA_OK;
}

static mica_status memory_list(struct mica_plan *plan, struct memory *memory)
{
    size_t values = plan->graph->value_count, count = plan->kernels.count;
    memory->bytes = mi_new(values, sizeof *memory->bytes);
    memory->readers = mi_new(values, sizeof *memory->readers);
    memory->for_updates = mi_new(values, sizeof *memory->for_updates);
    memory->first = mi_new(count + 1, sizeof *memory->first);
    memory->rank = mi_new(count, sizeof *memory->rank);
    if (!memory->bytes || !memory->readers || !memory->for_updates || !memory->first || !memory->rank)
        return mi_out_of_memory(&plan->error);
    for (size_t v = 0; v < values; v++) {
        mi_value *value = plan->graph->values[v];
        const struct mi_tensor *tensor = &plan->tensors[v];
        bool own = tensor->stored && !tensor->same_as && !tensor->part.of;
        bool shared = plan->home[value->node->id] >= 0 && own && !value->name;
        memory->bytes[v] = shared ? mi_value_bytes(plan, value) : 0;
        memory->for_updates[v] = true;
    }
    for (size_t a = 0; a < plan->assignment_count; a++)
        memory->bytes[plan->assignments[a].value->id] = 0;
    for (size_t k = 0; k < count; k++) {
        memory->first[k] = (int)memory->reads;
        MI_TRY(memory_add_reads(plan, memory, k));
        memory->first[k + 1] = (int)memory->reads;
    }
    return MICA_OK;
}

static bool is_again(const struct mica_plan *plan, size_t kernel)
{
    return plan->kernels.list[kernel].nodes[0]->again != MI_AGAIN_NOT;
}

/* Where a kernel that computes a forgotten value stands: behind what else its user waits for. */
static int rank_again(const struct mica_plan *plan, const struct edges *edges, size_t kernel, size_t user)
{
    int rank = 0;
    for (size_t b = 0; b < edges->count; b++)
        if (b != kernel && edges->before[user * edges->count + b] && !is_again(plan, b))
            rank = (int)b;
    return rank;
}

/* Nodes, and so kernels, stand in an order in which they are needed. But what reads variables alone, such as weights in another
 * form, could stand anywhere before its users: it stands where the first of them does. So does a forgotten value. */
static void set_ranks(const struct mica_plan *plan, const struct edges *edges, struct memory *memory)
{
    size_t count = plan->kernels.count;
    for (size_t k = count; k-- > 0;) {
        int first_user = (int)k;
        bool waits = false;
        for (size_t b = 0; b < count && !waits; b++)
            waits = edges->before[k * count + b] != 0;
        waits = waits && !is_again(plan, k);
        for (size_t j = 0; j < count && !waits && first_user == (int)k; j++)
            if (edges->before[j * count + k]) /* a user that other nodes began may stand before it */
                first_user = is_again(plan, k) ? rank_again(plan, edges, k, j) : j < k ? (int)j : memory->rank[j];
        memory->rank[k] = first_user;
    }
}

/* By how many bytes the memory in use grows when the kernel has run. */
static double growth(const struct mica_plan *plan, const struct memory *memory, size_t kernel)
{
    const struct mi_kernel *k = &plan->kernels.list[kernel];
    double bytes = 0;
    for (int o = 0; o < k->outs; o++) {
        int id = mi_owner(plan, k->out[o])->id;
        if (memory->readers[id] > 0 && !memory->for_updates[id])
            bytes += (double)memory->bytes[id];
    }
    for (int i = memory->first[kernel]; i < memory->first[kernel + 1]; i++)
        if (memory->readers[memory->read[i]] == 1)
            bytes -= (double)memory->bytes[memory->read[i]];
    return bytes;
}

/* ---- Taking kernels ---- */

/* When a kernel is taken: as soon as it can; as work of the end of a step; or behind that, as an update that runs together. */
static int turn_of(const struct mi_kernel *kernel)
{
    return kernel->together ? 2 : kernel->stage ? 1 : 0;
}

/* The next kernel: of those of the repeat that wait for nothing the one that gives back the most memory; where none does, the first
 * by rank. Those that run in launches of several, behind the others, are only told apart by rank. */
static size_t best_ready(const struct mica_plan *plan, const struct memory *memory, const bool *taken, const int *waits,
                         int repeat)
{
    size_t count = plan->kernels.count, best = count;
    double least = 0;
    for (int turn = 0; turn < 3 && best == count; turn++)
        for (size_t k = 0; k < count; k++) {
            if (taken[k] || waits[k] > 0 || turn_of(&plan->kernels.list[k]) != turn || !runs_in(plan, k, repeat))
                continue;
            double bytes = turn ? 0 : growth(plan, memory, k);
            bytes = bytes < 0 ? bytes : 0;
            if (best == count || bytes < least || (bytes <= least && memory->rank[k] < memory->rank[best])) {
                best = k;
                least = bytes;
            }
        }
    return best;
}

/* Kernels that wait for others: waiting[first[k]] up to waiting[first[k + 1] - 1] are those that wait for kernel k. */
struct waiting {
    int *kernel;
    size_t *first;
};

static bool list_waiting(const struct edges *edges, int *waits, struct waiting *waiting)
{
    size_t count = edges->count, total = 0;
    waiting->first = mi_new(count + 2, sizeof *waiting->first);
    for (size_t k = 0; k < count && waiting->first; k++) {
        waits[k] = 0;
        for (size_t b = 0; b < count; b++)
            if (edges->before[k * count + b]) {
                waits[k]++;
                waiting->first[b + 2]++;
            }
        total += (size_t)waits[k];
    }
    waiting->kernel = waiting->first ? mi_new(total, sizeof *waiting->kernel) : NULL;
    if (!waiting->kernel)
        return false;
    for (size_t b = 0; b < count; b++)
        waiting->first[b + 2] += waiting->first[b + 1];
    for (size_t k = 0; k < count; k++)
        for (size_t b = 0; b < count; b++)
            if (edges->before[k * count + b])
                waiting->kernel[waiting->first[b + 1]++] = (int)k;
    return true;
}

/* How many kernels each repeat has, by number; NULL: out of memory. */
static int *count_kernels(struct mica_plan *plan)
{
    int *count = mi_arena_new(&plan->arena, plan->graph->repeat_count + 1, sizeof *count);
    for (size_t k = 0; k < plan->kernels.count && count; k++)
        for (int r = plan->kernels.list[k].repeat; r; r = plan->graph->repeats[r].outer)
            count[r]++;
    return count;
}

/* A kernel is taken: the repeat that the next one is of, the innermost that has begun and lacks some; 0: it may be any. */
static int begun_with(const struct mica_plan *plan, size_t kernel, int *left)
{
    int begun = 0;
    for (int r = plan->kernels.list[kernel].repeat; r; r = plan->graph->repeats[r].outer)
        begun = --left[r] && !begun ? r : begun;
    return begun;
}

/* Puts kernels in order until none is ready. Returns how many could be taken. */
static size_t take(struct mica_plan *plan, const struct waiting *waiting, struct memory *memory, bool *taken, int *waits, int *left)
{
    size_t done = 0, count = plan->kernels.count;
    int repeat = 0;
    for (size_t k = 0; k < count; k++)
        taken[k] = false;
    for (;;) {
        size_t k = best_ready(plan, memory, taken, waits, repeat);
        if (k == count)
            return done;
        taken[k] = true;
        repeat = begun_with(plan, k, left);
        plan->order[done++] = (int)k;
        for (int i = memory->first[k]; i < memory->first[k + 1]; i++)
            memory->readers[memory->read[i]]--;
        for (size_t w = waiting->first[k]; w < waiting->first[k + 1]; w++)
            waits[waiting->kernel[w]]--;
    }
}

/* ---- Stages of the work at the end ---- */

/* Numbers the stages of kernels that stand in order: each is behind those that it waits for, and behind what other work there is
 * between. */
static void number_stages(struct mica_plan *plan, const struct edges *edges)
{
    int highest = 0, before = 0;
    for (size_t at = 0; at < edges->count; at++) {
        size_t k = (size_t)plan->order[at];
        struct mi_kernel *kernel = &plan->kernels.list[k];
        if (!kernel->stage) {
            before = highest;
            continue;
        }
        kernel->stage = before + 1;
        for (size_t b = 0; b < edges->count; b++) {
            int other = edges->before[k * edges->count + b] ? plan->kernels.list[b].stage : 0;
            kernel->stage = other >= kernel->stage ? other + 1 : kernel->stage;
        }
        highest = kernel->stage > highest ? kernel->stage : highest;
    }
}

/* Puts neighbours that are such work in the order of their stages; those of one stage stay as they stand. */
static void sort_stages(struct mica_plan *plan)
{
    for (size_t at = 1; at < plan->kernels.count; at++) {
        int k = plan->order[at], stage = plan->kernels.list[k].stage;
        size_t to = at;
        for (; to > 0 && stage && plan->kernels.list[plan->order[to - 1]].stage > stage; to--)
            plan->order[to] = plan->order[to - 1];
        plan->order[to] = k;
    }
}

/* ---- Assignments ---- */

static bool can_be_in_place(const struct mica_plan *plan, const struct mi_assignment *assignment)
{
    const mi_value *value = assignment->value;
    int home = plan->home[value->node->id];
    if (home < 0 || value->name || value->type != assignment->variable->type)
        return false;
    for (size_t a = 0; a < plan->assignment_count; a++)
        if (&plan->assignments[a] < assignment && plan->assignments[a].value == value)
            return false;
    return mi_layout_is_plain(&plan->tensors[value->id].layout, value->shape.rank) && mi_may_be_over(plan, assignment);
}

static mica_status list_assignments(struct mica_plan *plan)
{
    const struct mi_graph *graph = plan->graph;
    plan->assignments = mi_arena_new(&plan->arena, graph->node_count, sizeof *plan->assignments);
    if (!plan->assignments)
        return mi_out_of_memory(&plan->error);
    for (size_t i = 0; i < graph->node_count; i++)
        if (graph->nodes[i]->op == &mi_op_assign) {
            struct mi_assignment *assignment = &plan->assignments[plan->assignment_count++];
            assignment->variable = graph->nodes[i]->variable;
            assignment->value = mi_canonical(plan, graph->nodes[i]->in[0]);
            assignment->in_place = can_be_in_place(plan, assignment);
        }
    return MICA_OK;
}

/* What is written in place, in the emitter's eyes: the variable's old value and the new one are one tensor. */
static void mark_over(struct mica_plan *plan)
{
    for (size_t a = 0; a < plan->assignment_count; a++) {
        const struct mi_assignment *assignment = &plan->assignments[a];
        mi_value *old = mi_of_variable(plan->graph, assignment->variable).value;
        if (assignment->in_place && old)
            plan->tensors[assignment->value->id].over = old;
    }
}

/* One attempt: how many kernels could be taken. */
static mica_status put_in_order(struct mica_plan *plan, struct edges *edges, bool *taken, size_t *done)
{
    size_t count = edges->count;
    struct memory memory = {0};
    struct waiting waiting = {0};
    int *waits = mi_new(count, sizeof *waits), *writer = list_writers(plan), *left = count_kernels(plan);
    mica_status status = waits && writer && left ? memory_list(plan, &memory) : mi_out_of_memory(&plan->error);
    for (size_t i = 0; i < count * count; i++)
        edges->before[i] = 0;
    if (status == MICA_OK) {
        add_data(plan, edges);
        add_hazards(plan, writer, edges);
        join_repeats(plan, edges);
        set_ranks(plan, edges, &memory);
        if (list_waiting(edges, waits, &waiting))
            *done = take(plan, &waiting, &memory, taken, waits, left);
        else
            status = mi_out_of_memory(&plan->error);
    }
    memory_destroy(&memory);
    free(waiting.kernel);
    free(waiting.first);
    free(waits);
    free(writer);
    return status;
}

mica_status mi_order(struct mica_plan *plan)
{
    size_t count = plan->kernels.count, done = 0;
    struct edges edges = {mi_new(count * count, 1), count};
    bool *taken = mi_new(count, sizeof *taken);
    plan->order = mi_arena_new(&plan->arena, count, sizeof *plan->order);
    mica_status status = MICA_OK;
    if (!edges.before || !taken || !plan->order)
        status = mi_out_of_memory(&plan->error);
    if (status == MICA_OK)
        status = list_assignments(plan);
    for (size_t k = 0; k < count; k++)
        plan->kernels.list[k].stage = mi_kernel_is_ending(plan, &plan->kernels.list[k]);
    for (int attempt = 0; status == MICA_OK && attempt < 2; attempt++) {
        status = put_in_order(plan, &edges, taken, &done);
        if (status != MICA_OK || done == count)
            break;
        if (attempt == 1)
            status = mi_fail(&plan->error, MICA_INTERNAL, "the plan's kernels wait for each other");
        for (size_t a = 0; a < plan->assignment_count; a++)
            if (plan->assignments[a].in_place && !taken[plan->home[plan->assignments[a].value->node->id]])
                plan->assignments[a].in_place = false;
    }
    if (status == MICA_OK) {
        number_stages(plan, &edges);
        sort_stages(plan);
        mark_over(plan);
    }
    free(edges.before);
    free(taken);
    return status;
}
