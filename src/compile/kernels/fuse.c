/* Nodes become kernels.
 *
 * Nodes are visited in order. Moves and gathers become index arithmetic in whoever uses them, unless somebody reads them from
 * memory. A map joins the kernel that makes one of its inputs, a reduction a nest over the same space and axes, as long as
 * no value would have to leave the kernel and come back; otherwise they begin a nest. Contractions and own operators
 * begin kernels of their own, but for those that an engine computes inside another's. A sum of a contraction's operand over what
 * the contraction sums joins its kernel. What crosses a kernel's border is stored.
 *
 * A dense layer with relu, x (n, 16) and w (8, 16), is four nodes once it is lowered:
 *
 *     u = Identity(w)       a copy in panels, for which the engine of the product wished: kernel 1, a nest
 *     y = MatMul(x, u)      a contraction: begins kernel 2
 *     z = Add(y, b)         a map of y: joins kernel 2
 *     r = Relu(z)           a map of z: joins
 *
 * Kernel 2 stores r alone. In the text of its engine y is lane[v], and b is read at its column:
 *
 *     const float v3 = p2[n_];
 *     const float v4 = lane[v] + v3;
 *     const float v5 = v4 < 0 ? 0 : v4; */
#include "compile/kernels/kernels.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_MEMBERS = 64, MOST_TENSORS = MI_MAX_ARGUMENTS - 4, MOST_BESIDE = 1 << 17, SMALL_SPACE = 1 << 12, DEEPEST = 8 };

struct fuse {
    struct mica_plan *plan;
    uint64_t *ancestors; /* a bit row for each kernel: which kernels must run before it */
    size_t words, rows;
    bool *needed; /* by value id: somebody reads it from memory */
    struct mi_users users;
};

/* ---- Kernels and their order ---- */

static bool is_before(const struct fuse *f, int kernel, int later)
{
    return f->ancestors[(size_t)later * f->words + (size_t)kernel / 64] >> (kernel % 64) & 1;
}

/* `kernel` runs after `earlier`, and so does whatever runs after `kernel`. */
static void add_before(struct fuse *f, int earlier, int kernel)
{
    if (earlier < 0 || earlier == kernel || is_before(f, earlier, kernel))
        return;
    for (size_t k = 0; k < f->plan->kernels.count; k++) {
        if ((int)k != kernel && !is_before(f, kernel, (int)k))
            continue;
        uint64_t *row = &f->ancestors[k * f->words];
        for (size_t w = 0; w < f->words; w++)
            row[w] |= f->ancestors[(size_t)earlier * f->words + w];
        row[(size_t)earlier / 64] |= (uint64_t)1 << (earlier % 64);
    }
}

/* The kernel runs after those that make the value. */
static void add_makers(struct fuse *f, const mi_value *value, int kernel)
{
    if (value->node->op != &mi_op_part)
        add_before(f, f->plan->home[value->node->id], kernel);
    for (size_t k = 0; k < f->plan->kernels.count && value->node->op == &mi_op_part; k++)
        if (mi_is_made_by(f->plan, value, (int)k))
            add_before(f, (int)k, kernel);
}

/* Whether what makes the value runs after the kernel. */
static bool is_made_after(const struct fuse *f, const mi_value *value, int kernel)
{
    int home = f->plan->home[value->node->id];
    bool after = home >= 0 && is_before(f, kernel, home);
    for (size_t k = 0; k < f->plan->kernels.count && value->node->op == &mi_op_part; k++)
        after = after || (mi_is_made_by(f->plan, value, (int)k) && is_before(f, kernel, (int)k));
    return after;
}

static mica_status kernel_new(struct fuse *f, struct mi_node *node, int *index)
{
    struct mi_kernel_list *list = &f->plan->kernels;
    if (!mi_grow(&list->list, &list->capacity, list->count + 1, sizeof *list->list))
        return mi_out_of_memory(&f->plan->error);
    *index = (int)list->count++;
    struct mi_kernel *kernel = &list->list[*index];
    *kernel = (struct mi_kernel){.repeat = node->repeat};
    if (node->op->kind == MI_CONTRACT || node->op->kind == MI_OWN)
        kernel->anchor = node;
    kernel->space = node->op->kind == MI_REDUCE ? node->in[0]->shape : node->out[0]->shape;
    return MICA_OK;
}

static mica_status kernel_join(struct fuse *f, int index, struct mi_node *node)
{
    struct mica_plan *plan = f->plan;
    struct mi_kernel *kernel = &plan->kernels.list[index];
    struct mi_source source[MI_MOST_SOURCES];
    if (kernel->count == kernel->capacity) {
        int capacity = kernel->capacity ? 2 * kernel->capacity : 4;
        struct mi_node **nodes = mi_arena_new(&plan->arena, (size_t)capacity, sizeof *nodes);
        if (!nodes)
            return mi_out_of_memory(&plan->error);
        if (kernel->count)
            memcpy(nodes, kernel->nodes, (size_t)kernel->count * sizeof *nodes);
        kernel->nodes = nodes;
        kernel->capacity = capacity;
    }
    kernel->nodes[kernel->count++] = node;
    int count = mi_sources(plan, node, source);
    for (int i = 0; i < count; i++)
        add_makers(f, source[i].value, index);
    plan->home[node->id] = index;
    return MICA_OK;
}

/* ---- Who may join whom ---- */

static struct mi_shape kept_shape(const struct mi_kernel *kernel)
{
    struct mi_shape kept = {0};
    if (kernel->anchor)
        return kernel->anchor->out[0]->shape;
    for (int i = 0; i < kernel->space.rank; i++)
        if (!(kernel->axes & 1u << i))
            kept.dim[kept.rank++] = kernel->space.dim[i];
    return kept;
}

/* Whether there are places outside a result in its layout: loops fill them that have the result's own axes. */
static bool is_filled(const struct mica_plan *plan, const struct mi_node *node)
{
    for (int o = 0; o < node->outputs; o++)
        for (int i = 0; i < node->out[o]->shape.rank; i++)
            if (mi_layout_extends(&plan->tensors[node->out[o]->id].layout, &node->out[o]->shape, i))
                return true;
    return false;
}

/* Functions of the step, which a nest calls once, would be called for each number of a product. */
static bool calls_functions_of_step(const struct mi_node *node)
{
    bool reads = mi_names_the_step(node) && !mi_draws(node);
    for (int i = 0; i < node->inputs; i++) {
        const mi_value *in = node->in[i];
        reads = reads || (in && in->shape.rank == 0 && mi_names_the_step(in->node));
    }
    return reads && mi_map_calls_functions(node);
}

static bool map_fits(const struct mica_plan *plan, const struct mi_kernel *kernel, const struct mi_node *node)
{
    const struct mi_shape *shape = &node->out[0]->shape;
    if (kernel->update)
        return false;
    if (kernel->anchor) /* an epilogue: exactly the result's shape, where the engine lets it */
        return kernel->choice.engine && kernel->choice.engine->epilogue &&
               mi_shape_equal(shape, &kernel->anchor->out[0]->shape) && !calls_functions_of_step(node);
    struct mi_shape kept = kept_shape(kernel);
    bool lines_up = mi_shape_equal(shape, &kernel->space) || mi_shape_equal(shape, &kept);
    if (!lines_up && is_filled(plan, node))
        return false;
    return mi_same_but_ones(shape, &kernel->space) || (kernel->axes && mi_same_but_ones(shape, &kept));
}

/* Whether every reduced element is one of many rows: then a map over the whole space may turn into a nest of rows. So it may where
 * that is so small that a launch more costs as much as the work. */
static bool rows_are_many(const struct mica_plan *plan, const struct mi_kernel *kernel, uint32_t axes)
{
    int64_t rows = 1, all = mi_shape_count(&kernel->space, plan->batch);
    if (all >= 0 && all <= SMALL_SPACE)
        return true;
    for (int i = 0; i < kernel->space.rank; i++)
        if (!(axes & 1u << i))
            rows *= mi_dim_at(kernel->space.dim[i], plan->batch);
    return rows >= 32;
}

static bool reduce_fits(const struct mica_plan *plan, const struct mi_kernel *kernel, const struct mi_node *node,
                        uint32_t axes)
{
    if (kernel->anchor || kernel->update || !mi_shape_equal(&kernel->space, &node->in[0]->shape))
        return false;
    return kernel->axes == axes || (kernel->axes == 0 && rows_are_many(plan, kernel, axes));
}

/* The tensors that a kernel reads and stores; more than MOST_TENSORS are counted as one more. */
struct tensors {
    const mi_value *list[MOST_TENSORS + 1];
    int count;
};

static void add_tensor(struct tensors *tensors, const mi_value *value)
{
    for (int i = 0; i < tensors->count; i++)
        if (tensors->list[i] == value)
            return;
    if (tensors->count <= MOST_TENSORS)
        tensors->list[tensors->count++] = value;
}

/* What a member, or a node that would be one, reads from elsewhere, and what others read of it. */
static void add_tensors_of(const struct fuse *f, int index, const struct mi_node *node, struct tensors *tensors)
{
    struct mi_source source[MI_MOST_SOURCES];
    int count = mi_sources(f->plan, node, source);
    for (int i = 0; i < count; i++)
        if (f->plan->home[source[i].value->node->id] != index)
            add_tensor(tensors, source[i].value);
    for (int o = 0; o < node->outputs; o++) {
        size_t first = f->users.first[node->out[o]->id], end = f->users.first[node->out[o]->id + 1];
        bool inside = first < end;
        for (size_t u = first; u < end && inside; u++)
            inside = f->plan->home[f->users.node[u]->id] == index;
        if (!inside)
            add_tensor(tensors, node->out[o]);
    }
}

static bool has_few_tensors(const struct fuse *f, const struct mi_kernel *kernel, int index, const struct mi_node *node)
{
    struct tensors tensors = {.count = 0};
    for (int m = 0; m < kernel->count && tensors.count <= MOST_TENSORS; m++)
        add_tensors_of(f, index, kernel->nodes[m], &tensors);
    add_tensors_of(f, index, node, &tensors);
    return tensors.count <= MOST_TENSORS;
}

/* Whether a member makes a total: only reductions that are one join a kernel with an anchor. */
static bool makes_total(const struct mi_kernel *kernel, const struct mi_node *member)
{
    return kernel->anchor && member->op->kind == MI_REDUCE;
}

static bool may_join(const struct fuse *f, int index, const struct mi_node *node)
{
    const struct mi_kernel *kernel = &f->plan->kernels.list[index];
    struct mi_source source[MI_MOST_SOURCES];
    int count = mi_sources(f->plan, node, source);
    if (kernel->repeat != node->repeat || kernel->count >= MOST_MEMBERS || !has_few_tensors(f, kernel, index, node))
        return false;
    for (int i = 0; i < count; i++) {
        const struct mi_node *maker = source[i].value->node;
        int home = f->plan->home[maker->id];
        if (home == index ? !source[i].direct || makes_total(kernel, maker) : is_made_after(f, source[i].value, index))
            return false;
        if (maker->op == &mi_op_part && mi_is_made_by(f->plan, source[i].value, index))
            return false; /* all of it is there behind the kernel alone */
    }
    return true;
}

static bool fits(const struct fuse *f, int index, const struct mi_node *node, uint32_t axes)
{
    const struct mi_kernel *kernel = &f->plan->kernels.list[index];
    bool shape_fits = node->op->kind == MI_REDUCE ? reduce_fits(f->plan, kernel, node, axes) : map_fits(f->plan, kernel, node);
    return shape_fits && may_join(f, index, node);
}

static bool is_ending(const struct fuse *f, const struct mi_node *node)
{
    return f->plan->endings && f->plan->endings[node->id];
}

/* Whether the node stays out of a kernel so that those of all parameters are equal (alike.c): work of the end of a step that reads
 * variables joins such work and the products that make gradients, but not the sums of other gradients, of which some share a
 * kernel. */
static bool stays_apart(const struct fuse *f, int index, const struct mi_node *node)
{
    const struct mi_kernel *kernel = &f->plan->kernels.list[index];
    bool reads = false;
    for (int i = 0; i < node->inputs && node->op->kind == MI_MAP && is_ending(f, node); i++)
        reads = reads || (node->in[i] && node->in[i]->node->op == &mi_op_variable);
    return reads && !kernel->anchor && !is_ending(f, kernel->nodes[0]);
}

/* A kernel of reductions that are none of this one's business, but run over the same space: where that is small, a launch more
 * costs as much as the work. At the end of a step those of other parameters stay apart: then they are equal, and one launch in any
 * case (alike.c). */
static int find_beside(const struct fuse *f, const struct mi_node *node, uint32_t axes)
{
    const struct mi_kernel_list *kernels = &f->plan->kernels;
    int64_t count = mi_shape_count(&node->in[0]->shape, f->plan->batch);
    const char *of = is_ending(f, node) ? node->name : NULL;
    for (int k = (int)kernels->count - 1; k >= 0 && count >= 0 && count <= MOST_BESIDE; k--)
        if (kernels->list[k].axes && (!of || !strcmp(kernels->list[k].nodes[0]->name, of)) && fits(f, k, node, axes))
            return k;
    return -1;
}

/* The last kernel of reductions that reads the value, also through maps computed in it, and may take the node; or `best`. */
static int find_reader(const struct fuse *f, const mi_value *value, const struct mi_node *node, uint32_t axes, int best,
                       int depth)
{
    const struct mica_plan *plan = f->plan;
    for (size_t u = f->users.first[value->id]; u < f->users.first[value->id + 1]; u++) {
        const struct mi_node *user = f->users.node[u];
        int home = plan->home[user->id];
        if (home >= 0 && home > best && plan->kernels.list[home].axes && fits(f, home, node, axes))
            best = home;
        else if (home < 0 && user->again == MI_AGAIN_INLINE && depth < DEEPEST)
            best = find_reader(f, user->out[0], node, axes, best, depth + 1);
    }
    return best;
}

/* In every turn of a repeat a launch more costs as much as small work: a map joins another nest of maps over the same space. */
static int find_mate(const struct fuse *f, const struct mi_node *node)
{
    const struct mi_kernel_list *kernels = &f->plan->kernels;
    int64_t count = mi_shape_count(&node->out[0]->shape, f->plan->batch);
    for (int k = (int)kernels->count - 1; k >= 0 && node->repeat && count >= 0 && count <= MOST_BESIDE; k--) {
        const struct mi_kernel *kernel = &kernels->list[k];
        if (!kernel->anchor && !kernel->axes && mi_shape_equal(&kernel->space, &node->out[0]->shape) && fits(f, k, node, 0))
            return k;
    }
    return -1;
}

/* The kernel that makes one of the node's inputs, or, for a reduction, one that reads the same input or the same space; -1: none
 * fits. */
static int find_kernel(const struct fuse *f, const struct mi_node *node, uint32_t axes)
{
    const struct mica_plan *plan = f->plan;
    struct mi_source source[MI_MOST_SOURCES];
    int count = mi_sources(plan, node, source), best = -1;
    if (plan->desc.no_fusion)
        return -1;
    for (int i = 0; i < count; i++) {
        int home = plan->home[source[i].value->node->id];
        if (home > best && source[i].direct && !stays_apart(f, home, node) && fits(f, home, node, axes))
            best = home;
    }
    if (best >= 0 || node->op->kind != MI_REDUCE)
        return best >= 0 ? best : find_mate(f, node);
    for (int i = -1; i < count; i++)
        best = find_reader(f, i < 0 ? node->in[0] : source[i].value, node, axes, best, 0);
    return best >= 0 ? best : find_beside(f, node, axes);
}

/* Whether the operand's axes that the mask names are those that the contraction sums, each as it is. */
static bool sums_axes(const struct mi_contraction *c, const struct mi_operand *operand, uint32_t axes)
{
    uint32_t summed = 0;
    for (int d = 0; d < operand->value->shape.rank; d++) {
        const struct mi_index *index = &operand->index[d];
        if (mi_dim_is(operand->value->shape.dim[d], 1))
            continue;
        if (index->terms != 1 || index->coefficient[0] != 1 || index->offset != 0 || index->divisor != 1 ||
            (index->axis[0] >= c->out_axes) != (axes >> d & 1))
            return false;
        summed |= 1u << index->axis[0];
    }
    for (int axis = c->out_axes; axis < c->axes; axis++)
        if (!(summed >> axis & 1) && !mi_dim_is(c->extent[axis], 1))
            return false;
    return true;
}

/* Whether the reduction is a total of the contraction's: see struct mi_kernel. */
static bool is_total(const struct mi_node *node, const struct mi_node *contraction, uint32_t axes)
{
    struct mi_contraction c;
    if (contraction->op->contract(contraction, &c) != MICA_OK || c.a.value == c.b.value)
        return false;
    const struct mi_operand *operand = c.a.value == node->in[0] ? &c.a : &c.b;
    return operand->value == node->in[0] && sums_axes(&c, operand, axes);
}

/* A contraction that may compute the reduction as a total, and whose inputs are there; NULL: there is none. */
static struct mi_node *find_total(const struct fuse *f, const struct mi_node *node, uint32_t axes)
{
    const struct mica_plan *plan = f->plan;
    const mi_value *value = node->in[0];
    if (plan->desc.no_fusion || !mi_reduce_is_sum(node) ||
        !mi_layout_is_plain(&plan->tensors[value->id].layout, value->shape.rank))
        return NULL;
    for (size_t u = f->users.first[value->id]; u < f->users.first[value->id + 1]; u++) {
        struct mi_node *user = f->users.node[u];
        const struct mi_engine *engine = plan->choices[user->id].engine;
        bool ready = engine && engine->totals && !plan->inside[user->id];
        for (int i = 0; i < user->inputs && ready; i++)
            ready = !user->in[i] || user->in[i]->node->id < node->id;
        if (ready && is_total(node, user, axes))
            return user;
    }
    return NULL;
}

/* ---- The visit ---- */

static bool is_virtual_kind(const struct mi_node *node)
{
    return node->op->kind == MI_MOVE || node->op->kind == MI_INDEXED;
}

/* A map that only a move looks at is computed where the move is: what it would store is read once, or in part. */
static bool only_moved(const struct fuse *f, const struct mi_node *node)
{
    const struct mica_plan *plan = f->plan;
    if (node->op->kind != MI_MAP || node->outputs != 1 || f->needed[node->out[0]->id] || plan->desc.no_fusion)
        return false;
    if (mi_users_count(&f->users, node->out[0]) != 1)
        return false;
    const struct mi_node *user = f->users.node[f->users.first[node->out[0]->id]];
    if (user->op->kind != MI_MOVE || f->needed[user->out[0]->id] || mi_is_squeeze(user))
        return false;
    return mi_users_count(&f->users, user->out[0]) == 1 &&
           mi_shape_count(&node->out[0]->shape, 2) >= mi_shape_count(&user->out[0]->shape, 2);
}

/* A map that is computed again, in whoever uses it. */
static bool is_inline(const struct fuse *f, const struct mi_node *node)
{
    return node->again == MI_AGAIN_INLINE && !f->needed[node->out[0]->id] && !f->plan->desc.no_fusion;
}

/* One number that depends on nothing in memory is computed where it is used. */
static bool reads_nothing(const struct fuse *f, const struct mi_node *node)
{
    struct mi_source source[MI_MOST_SOURCES];
    return node->op->kind == MI_MAP && node->outputs == 1 && !f->needed[node->out[0]->id] && !f->plan->desc.no_fusion &&
           mi_shape_count(&node->out[0]->shape, f->plan->batch) == 1 && mi_sources(f->plan, node, source) == 0;
}

/* Plain rows of a reshape are its input's memory. */
static bool alias(struct fuse *f, struct mi_node *node)
{
    struct mica_plan *plan = f->plan;
    mi_value *in = node->in[0], *out = node->out[0];
    if (!node->op->keeps_order || out->type != in->type || plan->desc.no_fusion)
        return false;
    bool stored = plan->home[in->node->id] >= 0 || plan->tensors[in->id].stored;
    if (!stored || in->node->op == &mi_op_constant ||
        !mi_layout_is_plain(&plan->tensors[in->id].layout, in->shape.rank) ||
        !mi_layout_is_plain(&plan->tensors[out->id].layout, out->shape.rank))
        return false;
    plan->tensors[out->id].same_as = in;
    plan->tensors[out->id].stored = true;
    plan->tensors[in->id].stored = true;
    f->needed[in->id] = true;
    return true;
}

/* The part at the turn of a tensor that lies part behind part. */
static bool alias_turn(struct fuse *f, const struct mi_node *node)
{
    struct mica_plan *plan = f->plan;
    mi_value *in = mi_canonical(plan, node->in[0]);
    struct mi_tensor *tensor = &plan->tensors[in->id], *out = &plan->tensors[node->out[0]->id];
    bool stored = plan->home[in->node->id] >= 0 || tensor->stored, moves = tensor->part.repeat || tensor->part.until;
    if (node->op != &mi_op_turn || mi_attribute_int(node, "axis", 0) != 0 || plan->desc.no_fusion || !stored ||
        in->node->op == &mi_op_constant || moves || (tensor->part.of && in != node->in[0]) ||
        !mi_layout_is_plain(&tensor->layout, in->shape.rank) || !mi_layout_is_plain(&out->layout, node->out[0]->shape.rank))
        return false;
    out->part = (struct mi_part){
        .of = tensor->part.of ? tensor->part.of : node->in[0], .shift = tensor->part.shift, .repeat = node->repeat};
    out->stored = tensor->stored = true;
    f->needed[in->id] = true;
    return true;
}

/* Whether a repeat by rows reads the value as a part of another: its kernels do not know how far apart turns lie. */
static bool is_part(struct fuse *f, const struct mi_node *node)
{
    struct mi_node *in = node->in[0]->node;
    return alias_turn(f, node) || (in->op->keeps_order && node->op == &mi_op_turn && alias(f, in) && alias_turn(f, node));
}

/* Joins the kernel that computes one contraction ahead of another, or begins it: with the first, which the second replaces as
 * the anchor. */
static mica_status visit_inside(struct fuse *f, struct mi_node *node)
{
    struct mica_plan *plan = f->plan;
    const struct mi_node *last = plan->inside[node->id];
    int index = -1;
    for (int k = 0; k < node->inputs; k++)
        if (node->in[k] && plan->inside[node->in[k]->node->id] == last)
            index = plan->home[node->in[k]->node->id];
    if (index < 0)
        MI_TRY(kernel_new(f, node, &index));
    struct mi_kernel *kernel = &plan->kernels.list[index];
    if (node == last) {
        kernel->ahead = kernel->anchor;
        kernel->anchor = node;
        kernel->space = node->out[0]->shape;
    }
    kernel->choice = plan->choices[last->id];
    return kernel_join(f, index, node);
}

static mica_status visit(struct fuse *f, struct mi_node *node)
{
    struct mica_plan *plan = f->plan;
    uint32_t axes = 0;
    bool keepdims;
    int index;
    if (node->op->kind == MI_SOURCE || plan->home[node->id] >= 0 || node->again == MI_AGAIN_PACKED)
        return MICA_OK;
    if (plan->inside[node->id])
        return visit_inside(f, node);
    if (is_virtual_kind(node)) {
        bool renames = mi_is_squeeze(node) && node->in[0]->node->op->kind == MI_SOURCE;
        if (plan->rows[node->repeat] && is_part(f, node))
            return MICA_OK;
        if (!f->needed[node->out[0]->id] && !plan->desc.no_fusion && !renames)
            return MICA_OK;
        if (alias(f, node) || alias_turn(f, node) || (!f->needed[node->out[0]->id] && !plan->desc.no_fusion))
            return MICA_OK;
    }
    if (only_moved(f, node) || is_inline(f, node) || reads_nothing(f, node))
        return MICA_OK;
    if (node->op->kind == MI_REDUCE)
        MI_TRY(mi_reduce_axes(node, &axes, &keepdims));
    struct mi_node *contraction = node->op->kind == MI_REDUCE ? find_total(f, node, axes) : NULL;
    if (contraction) {
        MI_TRY(visit(f, contraction));
        if (may_join(f, plan->home[contraction->id], node))
            return kernel_join(f, plan->home[contraction->id], node);
    }
    bool joins = (node->op->kind == MI_MAP && !plan->updates[node->id] && !node->again) || node->op->kind == MI_REDUCE;
    index = joins ? find_kernel(f, node, axes) : -1;
    if (index < 0) {
        MI_TRY(kernel_new(f, node, &index));
        if (node->op->kind == MI_CONTRACT)
            plan->kernels.list[index].choice = plan->choices[node->id];
    }
    struct mi_kernel *kernel = &plan->kernels.list[index];
    if (node->op->kind == MI_REDUCE)
        kernel->axes = axes;
    if (plan->updates[node->id]) {
        kernel->update = true;
        kernel->together = mi_is_small(node->in[0]->node->variable);
    }
    return kernel_join(f, index, node);
}

/* ---- What is stored ---- */

/* Whether a value leaves its kernel: an output, read from memory, or used (through virtual nodes) by another kernel. */
static bool leaves(const struct fuse *f, const mi_value *value, int home, bool direct, int depth)
{
    const struct mica_plan *plan = f->plan;
    if (depth > 64)
        return true;
    for (size_t u = f->users.first[value->id]; u < f->users.first[value->id + 1]; u++) {
        const struct mi_node *user = f->users.node[u];
        int where = plan->home[user->id];
        if (user->op == &mi_op_assign || (where >= 0 && where != home) || (where == home && !direct))
            return true;
        if (where < 0 && user->outputs && leaves(f, user->out[0], home, direct && mi_keeps_places(user), depth + 1))
            return true;
    }
    return false;
}

/* Adds what leaves a kernel to what it stores, of its totals or of its other members. */
static void store_results(struct fuse *f, int index, bool totals)
{
    struct mica_plan *plan = f->plan;
    struct mi_kernel *kernel = &plan->kernels.list[index];
    for (int m = 0; m < kernel->count; m++) {
        struct mi_node *node = kernel->nodes[m];
        for (int o = 0; o < node->outputs && makes_total(kernel, node) == totals; o++) {
            mi_value *value = node->out[o];
            bool used = value->name || f->needed[value->id] || leaves(f, value, index, true, 0);
            plan->tensors[value->id].stored = used;
            if (used)
                kernel->out[kernel->outs++] = value;
        }
    }
}

static mica_status mark_stored(struct fuse *f)
{
    struct mica_plan *plan = f->plan;
    for (size_t k = 0; k < plan->kernels.count; k++) {
        struct mi_kernel *kernel = &plan->kernels.list[k];
        int most = 0;
        for (int m = 0; m < kernel->count; m++)
            most += kernel->nodes[m]->outputs;
        kernel->out = mi_arena_new(&plan->arena, (size_t)most, sizeof *kernel->out);
        if (!kernel->out)
            return mi_out_of_memory(&plan->error);
        store_results(f, (int)k, false);
        int others = kernel->outs;
        store_results(f, (int)k, true);
        kernel->totals = kernel->outs - others;
    }
    return MICA_OK;
}

/* ---- Who reads from memory ---- */

/* Whether the node reads this input from memory. */
static bool reads_memory(const struct mica_plan *plan, const struct mi_node *node, const mi_value *in)
{
    const struct mi_engine *engine = plan->choices[node->id].engine;
    if (node->again == MI_AGAIN_PACKED) /* a reshape is its input's memory then, and no index arithmetic */
        return in->node->op->keeps_order;
    if (in->node->again == MI_AGAIN_PACKED)
        return false;
    bool inside = plan->inside[node->id] && plan->inside[in->node->id] == plan->inside[node->id];
    return node->op->kind == MI_OWN || mi_takes_memory(node) || plan->updates[node->id] ||
           (engine && engine->memory && !inside);
}

/* What a repeat by rows reads turn by turn is stored where that makes its turns lie one behind another. */
static void mark_parts(struct fuse *f, const struct mi_node *node)
{
    const mi_value *value = node->in[0];
    while (value->node->op->keeps_order)
        value = value->node->in[0];
    if (mi_attribute_int(node, "axis", 0) == 0 && value->node->op->kind == MI_MAP)
        f->needed[value->id] = true;
}

static void mark_needed(struct fuse *f)
{
    const struct mi_graph *graph = f->plan->graph;
    for (size_t i = 0; i < graph->node_count; i++) {
        const struct mi_node *node = graph->nodes[i];
        for (int k = 0; k < node->inputs; k++)
            if (node->in[k] && reads_memory(f->plan, node, node->in[k]))
                f->needed[node->in[k]->id] = true;
        if (node->op == &mi_op_turn && f->plan->rows[node->repeat])
            mark_parts(f, node);
        for (int o = 0; o < node->outputs; o++)
            if (node->out[o]->name)
                f->needed[node->out[o]->id] = true;
    }
}

mica_status mi_fuse(struct mica_plan *plan)
{
    struct fuse f = {.plan = plan, .rows = plan->graph->node_count, .words = plan->graph->node_count / 64 + 1};
    f.ancestors = mi_new(f.rows * f.words, sizeof *f.ancestors);
    f.needed = mi_new(plan->graph->value_count, sizeof *f.needed);
    mica_status status = MICA_OK;
    if (!f.ancestors || !f.needed || !mi_users_list(plan->graph, &f.users))
        status = mi_out_of_memory(&plan->error);
    if (status == MICA_OK) {
        mark_needed(&f);
        status = mi_cut_expressions(plan, &f.users, f.needed);
    }
    for (size_t i = 0; i < plan->graph->node_count && status == MICA_OK; i++)
        status = visit(&f, plan->graph->nodes[i]);
    if (status == MICA_OK)
        status = mark_stored(&f);
    free(f.ancestors);
    free(f.needed);
    mi_users_free(&f.users);
    return status;
}
