/* Repeats by rows (choose/rows.h): the kernels of all turns become one, in which an item takes some rows through turn after turn.
 *
 * Each of them was written for a batch of so many rows, as a function that is given their number and where their tensors begin. Of
 * two samples an item, three turns, a product and a map it is
 *
 *     __kernel void mica_turns(..., q0, o0, q1, o1, q2, o2, turns)
 *         const int all = mica_s->n, first = (int)get_global_id(0)*2;
 *         if (first >= all)
 *             return;
 *         const int n = min(2, all - first);
 *         for (int at = 0; at < turns; at++) {
 *             const int turn = at;
 *             for each item of the product's grid
 *                 product(n, first, q0 + o0 + (turn % 4)*(all*8) + first*8, q1 + o1, q2 + o2 + first*8, ...);
 *             for each item of the map's grid
 *                 map(n, first, q2 + o2 + first*8, q0 + o0 + ((1 + turn) % 4)*(all*8) + first*8, ...);
 *         }
 *
 * where q0 is a ring of four parts of (n, 8), of which turn t reads part t and stores part t + 1, and q1 has no batch. How many
 * turns run is an argument too, as the host knows it when it enqueues the step (plan/turns.c). A kernel that turns out not to fit,
 * because a tensor does not lie row after row, or it needs scratch memory, leaves its repeat turn by turn. */
#include "compile/choose/rows.h"
#include "compile/kernels/kernels.h"
#include "device/programs.h"

#include <string.h>

struct turns {
    struct mica_plan *plan;
    int repeat, first;           /* the kernel that becomes all of them */
    const struct mi_code **part; /* their codes */
    int count;
    struct mi_code code;
    struct mi_text calls;        /* of PART0, PART1, ... */
};

/* ---- Whether it fits ---- */

/* Whether each row of a value, counted by this axis (-1: it has none), comes from the same row of what lies in memory: also of what
 * is computed in passing on the way there. */
static bool is_read_by_rows(const struct mica_plan *plan, const mi_value *value, int axis)
{
    const struct mi_node *node = value->node;
    const struct mi_tensor *tensor = &plan->tensors[value->id];
    int in[MI_MAX_INPUTS];
    if (node->op->kind == MI_SOURCE || plan->home[node->id] >= 0 || tensor->stored || tensor->same_as || tensor->part.of)
        return axis < 0 ? mi_has_no_batch(&value->shape) : axis == 0 && mi_has_rows(&value->shape);
    bool good = mi_trace_rows(node, axis, in);
    for (int k = 0; k < node->inputs && good; k++)
        good = !node->in[k] || is_read_by_rows(plan, node->in[k], in[k]);
    return good;
}

static bool node_fits(const struct mica_plan *plan, const struct mi_node *node)
{
    int in[MI_MAX_INPUTS];
    bool good = mi_trace_rows(node, 0, in);
    for (int k = 0; k < node->inputs && good; k++)
        good = !node->in[k] || is_read_by_rows(plan, node->in[k], in[k]);
    return good;
}

static mi_value *value_of(const struct mica_plan *plan, const struct mi_argument *argument)
{
    return mi_canonical(plan, plan->graph->values[argument->value->id]);
}

/* Whether the rows of a tensor lie one behind another, or it has none and is only read. */
static bool lies_by_rows(const struct mica_plan *plan, const struct mi_argument *argument)
{
    if (!argument->value)
        return false;
    const mi_value *value = value_of(plan, argument);
    const struct mi_tensor *tensor = &plan->tensors[value->id];
    if (tensor->part.runs)
        return false;
    if (mi_has_no_batch(&value->shape))
        return !argument->written;
    return mi_has_rows(&value->shape) && mi_layout_is_plain(&tensor->layout, value->shape.rank);
}

static bool kernel_fits(const struct mica_plan *plan, int k)
{
    const struct mi_kernel *kernel = &plan->kernels.list[k];
    const struct mi_codes *codes = &plan->codes[k];
    bool good = codes->count == 1 && codes->scratches == 0 && codes->code->source && !codes->code->rows;
    for (int i = 0; good && i < codes->code->arguments; i++)
        good = lies_by_rows(plan, &codes->code->argument[i]);
    for (int m = 0; good && m < kernel->count; m++)
        good = node_fits(plan, kernel->nodes[m]);
    return good;
}

/* ---- Places ---- */

/* The number of an argument that holds the value, added where it is new; -1: there are too many. */
static int argument_of(struct turns *t, mi_value *value, bool written)
{
    for (int i = 0; i < t->code.arguments; i++)
        if (t->code.argument[i].value == value) {
            t->code.argument[i].written = t->code.argument[i].written || written;
            return i;
        }
    if (t->code.arguments == MI_MAX_ARGUMENTS)
        return -1;
    t->code.argument[t->code.arguments] = (struct mi_argument){.value = value, .written = written};
    return t->code.arguments++;
}

/* Adds where an argument's rows begin: in the part of this turn, where the value lies in one. Where any other part begins does not
 * change while the kernel runs, and is the host's to say. */
static bool add_place(struct turns *t, const struct mi_argument *argument)
{
    const struct mica_plan *plan = t->plan;
    mi_value *value = value_of(plan, argument);
    struct mi_text offset = {0};
    if (mi_has_rows(&value->shape))
        mi_text_add(&offset, " + (ulong)first*%lld", (long long)mi_shape_count(&value->shape, 1));
    while (plan->tensors[value->id].part.repeat == t->repeat) {
        const struct mi_part *part = &plan->tensors[value->id].part;
        int64_t parts = part->of->shape.dim[0].b;
        int64_t fixed = mi_shape_count(&part->of->shape, 0) / parts, row = mi_shape_count(&part->of->shape, 1) / parts - fixed;
        mi_text_add(&offset, " + (ulong)((%lld + %s) %% %lld)*((ulong)all*%lld + %lld)", (long long)part->shift,
                    mi_turn_name(plan->graph, t->repeat), (long long)parts, (long long)row, (long long)fixed);
        value = mi_canonical(plan, part->of);
    }
    int number = argument_of(t, value, argument->written);
    mi_text_add(&t->calls, ", q%d + o%d%s", number, number, mi_text_get(&offset));
    t->calls.failed = t->calls.failed || offset.failed;
    mi_text_destroy(&offset);
    return number >= 0;
}

/* ---- Writing ---- */

/* Adds which turn it is, of a repeat and of those around it, the outermost first. */
static void add_turns(const struct turns *t, struct mi_text *out, int repeat, const char *before)
{
    if (!repeat)
        return;
    add_turns(t, out, t->plan->graph->repeats[repeat].outer, before);
    mi_text_add(out, ", %s%s", before, mi_turn_name(t->plan->graph, repeat));
}

/* Adds a call of a kernel's function for each item of its grid. */
static bool add_call(struct turns *t, const struct mi_code *code, int part)
{
    size_t global[3] = {1, 1, 1};
    for (unsigned d = 0; d < code->grid.dims; d++)
        global[d] = code->grid.global[d];
    if (t->code.locals + code->locals > MI_MAX_LOCALS)
        return false;
    mi_text_add(&t->calls, "        for (size_t z = 0; z < %zu; z++)\n            for (size_t y = 0; y < %zu; y++)\n"
                           "                for (size_t x = 0; x < %zu; x++)\n                    PART%d(mica_s, n, first",
                global[2], global[1], global[0], part);
    bool good = true;
    for (int i = 0; i < code->arguments && good; i++)
        good = add_place(t, &code->argument[i]);
    for (int i = 0; i < code->locals; i++) {
        mi_text_add(&t->calls, ", (__local void *)l%d", t->code.locals);
        t->code.local[t->code.locals++] = code->local[i];
    }
    for (int i = 0; i < code->sizes; i++)
        mi_text_add(&t->calls, ", %lld", (long long)code->size[i]);
    add_turns(t, &t->calls, t->repeat, "");
    mi_text_add(&t->calls, ",\n                        x, y, z, (size_t)%zu);\n", global[0]);
    return good;
}

static void add_kernel(const struct turns *t, struct mi_text *out)
{
    const struct mi_repeat *repeat = &t->plan->graph->repeats[t->repeat];
    int rows = t->plan->rows[t->repeat];
    mi_text_add(out, "__kernel void %s(__global const mica_step *restrict mica_s", t->code.name);
    for (int i = 0; i < t->code.arguments; i++) {
        const struct mi_argument *argument = &t->code.argument[i];
        mi_text_add(out, ",\n    __global %s%s *q%d, const ulong o%d", argument->written ? "" : "const ",
                    mi_types[argument->value->type].stored, i, i);
    }
    add_turns(t, out, repeat->outer, "const int ");
    mi_text_add(out, ", const int turns");
    for (int i = 0; i < t->code.locals; i++)
        mi_text_add(out, ",\n    __local float *l%d", i);
    mi_text_add(out, ")\n{\n    const int all = mica_s->n, first = (int)get_global_id(0)*%d;\n"
                     "    if (first >= all)\n        return;\n    const int n = min(%d, all - first);\n"
                     "    for (int at = 0; at < turns; at++) {\n        const int %s = %sat;\n",
                rows, rows, mi_turn_name(t->plan->graph, t->repeat), repeat->backwards ? "turns - 1 - " : "");
    mi_text_append(out, mi_text_get(&t->calls), t->calls.size);
    mi_text_add(out, "    }\n}\n");
}

/* Adds the functions, as PART0, PART1, ... What their sources define has a suffix that no other kernel of the program has: it is of
 * all that makes this one. */
static bool add_functions(const struct turns *t, const struct mi_text *kernel, struct mi_text *out)
{
    struct mica_plan *plan = t->plan;
    uint64_t hash = mi_hash(mi_text_get(kernel), kernel->size, 0);
    bool good = true;
    for (int i = 0; i < t->count; i++)
        hash = mi_hash(t->part[i]->source, strlen(t->part[i]->source), hash);
    for (int i = 0; i < t->count && good; i++) {
        const char *suffix = mi_arena_format(&plan->arena, "_%llx_%d", (unsigned long long)hash, i);
        const char *name = mi_arena_format(&plan->arena, "%s_body", t->part[i]->name);
        good = mi_join_source(out, name, t->part[i]->source, suffix);
        mi_text_add(out, "#define PART%d %s%s\n", i, name, suffix);
    }
    return good;
}

static mica_status write(struct turns *t, bool *fits)
{
    struct mica_plan *plan = t->plan;
    struct mi_text out = {0}, kernel = {0};
    for (int i = 0; i < t->count && *fits; i++)
        *fits = add_call(t, t->part[i], i);
    add_kernel(t, &kernel);
    *fits = *fits && add_functions(t, &kernel, &out);
    mi_text_append(&out, mi_text_get(&kernel), kernel.size);
    t->code.source = mi_arena_strdup(&plan->arena, mi_text_get(&out));
    bool failed = out.failed || kernel.failed || t->calls.failed || plan->arena.failed;
    mi_text_destroy(&out);
    mi_text_destroy(&kernel);
    mi_text_destroy(&t->calls);
    return failed ? mi_out_of_memory(&plan->error) : MICA_OK;
}

/* ---- The pass ---- */

/* Lists the kernels of the repeat, in their order. */
static mica_status list(struct turns *t, bool *fits)
{
    struct mica_plan *plan = t->plan;
    t->part = mi_arena_new(&plan->arena, plan->kernels.count, sizeof *t->part);
    if (!t->part)
        return mi_out_of_memory(&plan->error);
    t->first = -1;
    for (size_t at = 0; at < plan->kernels.count && *fits; at++) {
        int k = plan->order[at];
        if (plan->kernels.list[k].repeat != t->repeat)
            continue;
        t->first = t->first < 0 ? k : t->first;
        *fits = kernel_fits(plan, k);
        if (*fits && plan->codes[k].code->grid.global[0])
            t->part[t->count++] = plan->codes[k].code;
    }
    *fits = *fits && t->count > 0;
    return MICA_OK;
}

static void become_one(struct turns *t)
{
    struct mica_plan *plan = t->plan;
    int time = plan->kernels.list[t->first].time;
    for (size_t k = 0; k < plan->kernels.count; k++)
        if (plan->kernels.list[k].repeat == t->repeat) {
            plan->kernels.list[k].time = time;
            plan->codes[k].count = 0;
        }
    struct mi_code *code = plan->codes[t->first].code;
    *code = t->code;
    plan->codes[t->first].count = 1;
}

static mica_status turn_by_turn(struct mica_plan *plan, int repeat)
{
    plan->rows[repeat] = 0;
    for (size_t k = 0; k < plan->kernels.count; k++)
        if (plan->kernels.list[k].repeat == repeat)
            MI_TRY(mi_emit_kernel(plan, (int)k));
    return MICA_OK;
}

mica_status mi_join_turns(struct mica_plan *plan)
{
    for (size_t r = 1; r < plan->graph->repeat_count; r++) {
        struct turns t = {.plan = plan, .repeat = (int)r};
        bool fits = true;
        if (!plan->rows[r])
            continue;
        MI_TRY(list(&t, &fits));
        if (fits) {
            size_t items = (size_t)mi_divide_up(plan->batch, plan->rows[r]);
            t.code.name = "mica_turns";
            t.code.grid = (struct mi_grid){.dims = 1, .global = {items}, .local = {1}};
            MI_TRY(write(&t, &fits));
        }
        if (fits)
            become_one(&t);
        else
            MI_TRY(turn_by_turn(plan, (int)r));
    }
    return MICA_OK;
}
