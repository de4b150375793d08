/* Any contraction by tiles through local memory, for GPUs: matrix products, convolutions and their gradients alike. What is asked
 * of the index maps is only which operand has which axis: axes of A alone are rows, of B alone columns, of both batches, reduced
 * ones the depth. So a convolution is an implicit im2col: its panels are made in local memory, over images and pixels together,
 * and never stored. Where rows and columns are few and the depth is long (a weight gradient) the depth is cut in parts, which a
 * second launch adds up in order. */
#include "engines/match/product.h"

struct tile {
    int rm, rn, wide, high, tk; /* sums of an item, items of a work-group, depth in local memory */
    int parts;                  /* of the depth */
};

/* The operands' axes, joined. */
struct joined {
    const struct mi_operand *a, *b; /* exchanged where that makes neighbours of the result columns */
    struct mi_product product;      /* of it, only the axes */
    struct mi_dim extent[MI_PRODUCT_AXES];
};

/* The axis along which an operand's neighbours lie: the last term of its last dimension that has one; -1: none. */
static int last_axis(const struct mi_operand *operand)
{
    for (int d = operand->value->shape.rank - 1; d >= 0; d--)
        if (operand->index[d].terms)
            return operand->index[d].axis[operand->index[d].terms - 1];
    return -1;
}

static bool join(const struct mi_contraction *c, struct joined *j)
{
    int last = last_axis(&c->out);
    bool exchange = last >= 0 && mi_uses_axis(&c->a, last) && !mi_uses_axis(&c->b, last);
    *j = (struct joined){.a = exchange ? &c->b : &c->a, .b = exchange ? &c->a : &c->b};
    struct mi_shape joined[MI_PRODUCT_AXES] = {{0}};
    for (int axis = 0; axis < c->axes; axis++) {
        bool a = mi_uses_axis(j->a, axis), b = mi_uses_axis(j->b, axis);
        int kind = axis >= c->out_axes ? MI_PRODUCT_K : a == b ? MI_PRODUCT_BATCH : a ? MI_PRODUCT_M : MI_PRODUCT_N;
        struct mi_product *p = &j->product;
        if (mi_dim_is(c->extent[axis], 1))
            continue;
        if (p->axes[kind] == MI_MAX_RANK)
            return false;
        p->axis[kind][p->axes[kind]++] = axis;
        joined[kind].dim[joined[kind].rank++] = c->extent[axis];
    }
    for (int kind = 0; kind < MI_PRODUCT_AXES; kind++)
        if (!mi_shape_product(&joined[kind], 0, joined[kind].rank, &j->extent[kind]))
            return false; /* two axes depend on n */
    return true;
}

static bool supports(const struct mi_problem *problem)
{
    struct joined j;
    const mica_device *device = problem->device;
    return !device->is_cpu && device->info.local_memory_bytes >= 16384 && device->info.largest_work_group >= 16 &&
           problem->c.out.value->type == MI_FLOAT && join(&problem->c, &j);
}

/* Between a nest, which reads both operands from memory for every product, and a library that was tuned. */
static double cost(const struct mi_problem *problem)
{
    return 1e-5 + mi_problem_products(problem) / (8e9 * problem->device->info.compute_units);
}

/* Tiles of all results: a work-group computes one. */
static int64_t groups_of(const struct mi_problem *problem, const struct joined *j, const struct tile *t)
{
    int64_t rows = mi_dim_at(j->extent[MI_PRODUCT_M], problem->batch),
            columns = mi_dim_at(j->extent[MI_PRODUCT_N], problem->batch);
    return mi_divide_up(rows, (int64_t)t->rm * t->high) * mi_divide_up(columns, (int64_t)t->rn * t->wide) *
           mi_dim_at(j->extent[MI_PRODUCT_BATCH], problem->batch);
}

/* As many parts as give every compute unit a few groups, each of some depth. */
static int parts_of(const struct mi_problem *problem, const struct joined *j, const struct tile *t)
{
    int64_t groups = groups_of(problem, j, t), depth = mi_dim_at(j->extent[MI_PRODUCT_K], problem->batch);
    int64_t wanted = 4 * (int64_t)problem->device->info.compute_units, most = depth / (8 * (int64_t)t->tk);
    int64_t parts = groups > 0 ? wanted / groups : 1;
    parts = parts > most ? most : parts;
    return parts < 1 ? 1 : parts > 64 ? 64 : (int)parts;
}

static int variants(const struct mi_problem *problem, struct mi_variant *list, int most)
{
    static const struct tile tiles[] = {
        {4, 4, 16, 16, 16, 1}, {8, 4, 16, 16, 8, 1}, {4, 4, 8, 8, 16, 1}, {2, 2, 8, 8, 16, 1}, {1, 1, 4, 4, 16, 1}};
    struct joined j;
    int count = 0;
    join(&problem->c, &j);
    int64_t rows = mi_dim_at(j.extent[MI_PRODUCT_M], problem->batch),
            columns = mi_dim_at(j.extent[MI_PRODUCT_N], problem->batch);
    bool small = rows <= 32 || columns <= 32;
    for (int pass = 0; pass < 2; pass++) /* tiles of the problem's size first */
        for (size_t i = 0; i < MI_COUNT(tiles) && count < most; i++) {
            const struct tile *t = &tiles[i];
            if ((uint64_t)t->wide * (uint64_t)t->high > problem->device->info.largest_work_group ||
                (pass == 0) != (!small || t->wide * t->rn <= 32))
                continue;
            list[count++] = (struct mi_variant){{t->rm, t->rn, t->wide, t->high, t->tk, parts_of(problem, &j, t)}};
        }
    return count;
}

static struct tile tile_of(const struct mi_variant *v)
{
    return (struct tile){v->number[0], v->number[1], v->number[2], v->number[3], v->number[4], v->number[5]};
}

/* `value` from one operand, at the joined coordinates. */
static const char *emit_load(struct mi_emitter *e, const struct mi_contraction *c, const struct joined *j,
                             const struct mi_operand *operand, const char *m, const char *n)
{
    const char *axis[MI_MAX_AXES];
    e->indent = 4;
    size_t scope = mi_scope_open(e, "%s", "");
    mi_product_axes(e, c, &j->product, (const char *const[]){"batch", m, n, "k_"}, axis);
    mi_line(e, "value = %s;", mi_emit_factor(e, c, operand, axis));
    mi_scope_close(e, scope);
    return mi_emit_take(e);
}

static const char *emit_put(struct mi_emitter *e, const struct mi_contraction *c, const struct joined *j)
{
    const char *axis[MI_MAX_AXES];
    struct mi_coordinate at[MI_MAX_RANK];
    e->indent = 4;
    size_t scope = mi_scope_open(e, "%s", "");
    mi_product_axes(e, c, &j->product, (const char *const[]){"batch", "m_", "n_", NULL}, axis);
    mi_output_at(e, c, axis, at);
    mi_bind(e, e->kernel->anchor->out[0], "sum");
    for (int o = 0; o < e->kernel->outs; o++)
        mi_emit_store(e, e->kernel->out[o], at, mi_emit_value(e, e->kernel->out[o], at, NULL), NULL);
    mi_scope_close(e, scope);
    return mi_emit_take(e);
}

static void define(struct mi_emitter *e, const struct joined *j, const struct tile *t, struct mi_text *text)
{
    static const char *const names[MI_PRODUCT_AXES] = {"BATCH", "M", "N", "K"};
    for (int kind = 0; kind < MI_PRODUCT_AXES; kind++)
        mi_text_add(text, "#define %s ((IDX)%s)\n", names[kind], mi_dim_code(e->arena, j->extent[kind]));
    mi_text_add(text, "#define PARTS %d\n", t->parts);
}

/* Whether neighbours in memory differ in a reduced axis: then lanes load along the depth. */
static int is_by_depth(const struct mi_contraction *c, const struct mi_operand *operand)
{
    return last_axis(operand) >= c->out_axes;
}

static mica_status emit_tiles(struct mi_emitter *e, const struct mi_problem *problem, const struct joined *j,
                              const struct tile *t, struct mi_codes *codes)
{
    const struct mi_contraction *c = &problem->c;
    struct mi_text defines = {0};
    const char *with[3];
    define(e, j, t, &defines);
    mi_text_add(&defines, "#define RM %d\n#define RN %d\n#define WIDE %d\n#define HIGH %d\n#define TK %d\n", t->rm,
                t->rn, t->wide, t->high, t->tk);
    mi_text_add(&defines, "#define TM (RM*HIGH)\n#define TN (RN*WIDE)\n#define A_BY_K %d\n#define B_BY_K %d\n",
                is_by_depth(c, j->a), is_by_depth(c, j->b));
    mi_emit_local(e, "float", "tile_a", (int64_t)t->tk * (t->rm * t->high + 1));
    mi_emit_local(e, "float", "tile_b", (int64_t)t->tk * (t->rn * t->wide + 1));
    with[0] = emit_load(e, c, j, j->a, "m_", NULL);
    with[1] = emit_load(e, c, j, j->b, NULL, "n_");
    with[2] = t->parts == 1 ? emit_put(e, c, j)
                            : mi_arena_format(e->arena, "p%d[((part*batches + batch)*rows + m_)*columns + n_] = sum;",
                                              mi_emit_scratch(e, 0, true));
    size_t groups = (size_t)groups_of(problem, j, t), local = (size_t)t->wide * (size_t)t->high;
    struct mi_grid grid = {.dims = 1, .global = {groups * (size_t)t->parts * local}, .local = {local}, .fixed = true};
    const char *name = mi_arena_format(e->arena, "mica_tile_%s", e->kernel->anchor->op->name);
    return mi_emit_file(e, "tile.cl", name, &defines, (const char *const[]){"MICA_A", "MICA_B", "MICA_PUT"}, with, 3,
                        grid, codes);
}

static mica_status emit(struct mi_emitter *e, const struct mi_problem *problem, struct mi_codes *codes)
{
    struct joined j;
    struct tile t = tile_of(&problem->variant);
    join(&problem->c, &j);
    int64_t results = 1;
    for (int kind = 0; kind < MI_PRODUCT_K; kind++)
        results *= mi_dim_at(j.extent[kind], problem->batch);
    if (t.parts > 1)
        codes->scratch[codes->scratches++] = t.parts * results * (int64_t)sizeof(float);
    MI_TRY(emit_tiles(e, problem, &j, &t, codes));
    if (t.parts == 1)
        return MICA_OK;
    struct mi_text defines = {0};
    define(e, &j, &t, &defines);
    mi_text_add(&defines, "#define PART_SUMS p%d\n", mi_emit_scratch(e, 0, false));
    const char *put = emit_put(e, &problem->c, &j);
    const char *name = mi_arena_format(e->arena, "mica_tile_sum_%s", e->kernel->anchor->op->name);
    return mi_emit_file(e, "tile_sum.cl", name, &defines, (const char *const[]){"MICA_PUT"}, &put, 1,
                        mi_grid_of_items(e->device, results), codes);
}

const struct mi_engine mi_engine_tile = {.name = "tile",
                                         .supports = supports,
                                         .cost = cost,
                                         .variants = variants,
                                         .epilogue = true,
                                         .memory = true,
                                         .emit = emit};
