/* The gradient of the data of a strided convolution, through CLBlast and col2im, a chunk of images at a time: each image's
 * dy (K, P...) is multiplied by the weights into columns (C, R..., P...) in scratch memory, and every place of the result
 * gathers the columns that reached it. Unfolding dy instead (im2col.c) would multiply stride*stride times as much, mostly zeros.
 *
 * What is looked at are index maps: an operand with windows (h - r*dilation + offset) / stride. */
#include "engines/clblast/clblast.h"

#include <string.h>

enum { WORKSPACE_BYTES = 64 << 20 };

struct fold {
    const struct mi_operand *dy, *w;
    int image;                   /* the axis of the images */
    struct mi_contraction inner; /* the product of one image: columns = w' dy */
    mi_value columns, one;       /* its result and its dy, as plain rows */
    int position[MI_MAX_RANK];   /* which axis of `inner` is the window axis that dimension d of dy walks; -1: none */
    int64_t elements;            /* of the columns of one image */
    struct mi_product product;
};

static bool is_single(const struct mi_index *index)
{
    return index->terms == 1 && index->coefficient[0] == 1 && index->offset == 0 && index->divisor == 1;
}

static bool is_strided(const struct mi_operand *operand)
{
    for (int d = 0; d < operand->value->shape.rank; d++)
        if (operand->index[d].divisor > 1)
            return true;
    return false;
}

static struct mi_index single(int axis)
{
    return (struct mi_index){.terms = 1, .axis = {axis}, .coefficient = {1}, .divisor = 1};
}

static void columns_add(struct fold *f, int axis)
{
    int d = f->columns.shape.rank++;
    f->columns.shape.dim[d] = f->inner.extent[axis];
    f->inner.out.index[d] = single(axis);
    f->elements *= f->inner.extent[axis].b;
}

/* The weights' axes but the shared one, then dy's windows: the columns of one image. */
static bool columns_match(const struct mi_contraction *c, struct fold *f)
{
    int shared = f->dy->index[1].axis[0];
    for (int d = 0; d < f->w->value->shape.rank; d++) {
        if (!is_single(&f->w->index[d]))
            return false;
        if (f->w->index[d].axis[0] != shared)
            columns_add(f, f->w->index[d].axis[0]);
    }
    for (int d = 2; d < f->dy->value->shape.rank; d++) {
        f->position[d] = f->inner.axes++;
        f->inner.extent[f->position[d]] = f->dy->value->shape.dim[d];
        if (f->inner.axes == MI_MAX_AXES || f->columns.shape.rank == MI_MAX_RANK)
            return false;
        columns_add(f, f->position[d]);
    }
    for (int i = 0; i < f->columns.shape.rank; i++)
        if (f->columns.shape.dim[i].a)
            return false;
    return c->extent[shared].a == 0;
}

/* In `inner` the output's axes must come first: they are numbered anew. */
static void renumber(struct fold *f, int shared)
{
    int to[MI_MAX_AXES], next = 0;
    struct mi_dim extent[MI_MAX_AXES];
    for (int i = 0; i < MI_MAX_AXES; i++)
        to[i] = -1;
    for (int d = 0; d < f->columns.shape.rank; d++)
        to[f->inner.out.index[d].axis[0]] = next++;
    f->inner.out_axes = next;
    to[shared] = next++;
    for (int i = 0; i < MI_MAX_AXES; i++)
        if (to[i] >= 0)
            extent[to[i]] = f->inner.extent[i];
    memcpy(f->inner.extent, extent, (size_t)next * sizeof *extent);
    f->inner.axes = next;
    struct mi_operand *operands[3] = {&f->inner.a, &f->inner.b, &f->inner.out};
    for (int o = 0; o < 3; o++)
        for (int d = 0; d < operands[o]->value->shape.rank; d++)
            operands[o]->index[d].axis[0] = to[operands[o]->index[d].axis[0]];
}

static bool fold_match(const struct mi_contraction *c, struct fold *f)
{
    memset(f, 0, sizeof *f);
    f->dy = is_strided(&c->a) ? &c->a : &c->b;
    f->w = is_strided(&c->a) ? &c->b : &c->a;
    const struct mi_shape *dy = &f->dy->value->shape;
    if (!is_strided(f->dy) || dy->rank < 3 || !is_single(&f->dy->index[0]) || !is_single(&f->dy->index[1]))
        return false;
    f->image = f->dy->index[0].axis[0];
    int shared = f->dy->index[1].axis[0];
    if (f->image >= c->out_axes || shared < c->out_axes || c->extent[f->image].a != 1 || c->extent[f->image].b != 0)
        return false;
    f->inner = *c;
    f->elements = 1;
    f->columns = f->one = *f->dy->value;
    f->columns.shape.rank = 0;
    f->inner.out.value = &f->columns;
    if (!columns_match(c, f))
        return false;
    f->one.shape.rank = dy->rank - 1;
    f->inner.a.value = f->w->value;
    memcpy(f->inner.a.index, f->w->index, sizeof f->inner.a.index);
    f->inner.b.value = &f->one;
    for (int d = 1; d < dy->rank; d++) {
        f->one.shape.dim[d - 1] = dy->dim[d];
        f->inner.b.index[d - 1] = single(d == 1 ? shared : f->position[d]);
    }
    renumber(f, shared);
    return f->elements > 0 && mi_product_match(&f->inner, &f->product) && f->product.b == &f->one &&
           mi_dim_is(f->product.extent[MI_PRODUCT_BATCH], 1);
}

static bool supports(const struct mi_problem *problem)
{
    struct fold f;
    return problem->c.out.value->type == MI_FLOAT && mi_clblast_ready(problem->device) && fold_match(&problem->c, &f) &&
           mi_clblast_call(NULL, &f.product, problem->batch, NULL);
}

static double cost(const struct mi_problem *problem)
{
    struct fold f;
    double rate = problem->device->is_cpu ? 1e8 : 5e10, shared;
    fold_match(&problem->c, &f);
    shared = (double)mi_dim_at(f.product.extent[MI_PRODUCT_K], problem->batch);
    return 1e-4 + (double)problem->batch * (double)f.elements * shared / rate;
}

static int64_t chunk_images(const struct mi_problem *problem, const struct fold *f)
{
    int64_t most = WORKSPACE_BYTES, limit = (int64_t)problem->device->info.largest_allocation_bytes;
    int64_t images = (most < limit ? most : limit) / (f->elements * (int64_t)sizeof(float));
    return images < 1 ? 1 : images > problem->batch ? problem->batch : images;
}

static mica_status emit_multiply(struct mi_emitter *e, const struct mi_problem *problem, const struct fold *f,
                                 int64_t first, int64_t images, struct mi_codes *codes)
{
    struct mi_call *call = NULL;
    struct mi_code *code = mi_code_add(e, codes);
    struct mi_dim stride = mi_fixed(0);
    if (!code || !mi_clblast_call(e, &f->product, problem->batch, &call) || !call)
        return mi_out_of_memory(e->error);
    mi_shape_product(&f->dy->value->shape, 1, f->dy->value->shape.rank, &stride);
    call->first = first;
    call->images = images;
    call->image_b = stride.b;
    call->image_c = f->elements;
    call->per_chunk_c = true;
    *code = (struct mi_code){.name = "CLBlastSgemm", .call = call, .arguments = 3};
    code->argument[0] = (struct mi_argument){.value = f->w->value->node->out[f->w->value->output], .scratch = -1};
    code->argument[1] = (struct mi_argument){.value = f->dy->value->node->out[f->dy->value->output], .scratch = -1};
    code->argument[2] = (struct mi_argument){.scratch = 0, .written = true};
    return MICA_OK;
}

/* The sum over the reduced axes that dy and w share with windows: what reached the place `at`. */
static void emit_gather(struct mi_emitter *e, const struct mi_contraction *c, const struct fold *f, const char **axis)
{
    struct mi_coordinate at[MI_MAX_RANK];
    struct mi_coordinate column[MI_MAX_RANK];
    size_t scopes[MI_MAX_AXES], guarded = 0;
    const char *guard;
    int depth = 0, d = 0, shared = f->dy->index[1].axis[0];
    mi_line(e, "float sum = 0;");
    for (int i = c->out_axes; i < c->axes; i++) {
        if (i == shared)
            continue;
        axis[i] = mi_arena_format(e->arena, "r%d", i);
        scopes[depth++] = mi_scope_open(e, "for (IDX r%d = 0; r%d < %lld; r%d++) ", i, i, (long long)c->extent[i].b, i);
    }
    axis[shared] = "0";
    mi_emit_operand(e, c, f->dy, axis, at, &guard);
    if (guard)
        guarded = mi_scope_open(e, "if (%s) ", guard);
    for (int k = 0; k < f->w->value->shape.rank; k++)
        if (f->w->index[k].axis[0] != shared)
            column[d++] = (struct mi_coordinate){.at = axis[f->w->index[k].axis[0]]};
    for (int k = 2; k < f->dy->value->shape.rank; k++)
        column[d++] = at[k];
    struct mi_layout plain = mi_layout_plain(d);
    mi_line(e, "sum += p%d[local_image*%lld + %s];", mi_emit_scratch(e, 0, false), (long long)f->elements,
            mi_layout_place(e->arena, &plain, &f->columns.shape, column));
    if (guard)
        mi_scope_close(e, guarded);
    while (depth)
        mi_scope_close(e, scopes[--depth]);
}

/* The launch that folds: an item for each row of the result's last dimension. */
static mica_status emit_fold(struct mi_emitter *e, const struct mi_problem *problem, const struct fold *f,
                             int64_t first, int64_t images, struct mi_codes *codes)
{
    const struct mi_contraction *c = &problem->c;
    const struct mi_shape *shape = &c->out.value->shape;
    struct mi_coordinate at[MI_MAX_RANK];
    const char *axis[MI_MAX_AXES] = {0};
    struct mi_dim all;
    int last = shape->rank - 1;
    mi_shape_product(shape, 1, shape->rank, &all);
    int64_t rows = shape->dim[last].b ? all.b / shape->dim[last].b : 0;
    e->indent = 1;
    mi_line(e, "const IDX images = min((IDX)n - @%lld, (IDX)@%lld);", (long long)first, (long long)images);
    size_t loop = mi_scope_open(e, "for (IDX item = get_global_id(0); item < images*@%lld; item += get_global_size(0)) ",
                                (long long)rows);
    mi_line(e, "const IDX local_image = item / %lld, image = local_image + @%lld;", (long long)rows, (long long)first);
    mi_line(e, "IDX rest = item %% %lld;", (long long)rows);
    at[0] = (struct mi_coordinate){.at = "image"};
    for (int d = last - 1; d > 0; d--) {
        at[d] = (struct mi_coordinate){.at = mi_arena_format(e->arena, "u%d", d)};
        mi_line(e, "const IDX u%d = rest %% %lld; rest /= %lld;", d, (long long)shape->dim[d].b,
                (long long)shape->dim[d].b);
    }
    size_t row = mi_scope_open(e, "for (IDX j = 0; j < %lld; j++) ", (long long)shape->dim[last].b);
    at[last] = (struct mi_coordinate){.at = "j"};
    mi_emit_axes(e, c, at, axis);
    for (int i = 0; i < c->out_axes; i++)
        axis[i] = axis[i] ? axis[i] : "0";
    emit_gather(e, c, f, axis);
    mi_bind(e, e->kernel->anchor->out[0], "sum");
    for (int o = 0; o < e->kernel->outs; o++)
        mi_emit_store(e, e->kernel->out[o], at, mi_emit_value(e, e->kernel->out[o], at, NULL), NULL);
    mi_scope_close(e, row);
    mi_scope_close(e, loop);
    return mi_emit_body(e, "mica_col2im", "", mi_grid_of_items(e->device, images * rows), codes);
}

static mica_status emit(struct mi_emitter *e, const struct mi_problem *problem, struct mi_codes *codes)
{
    struct fold f;
    fold_match(&problem->c, &f);
    int64_t chunk = chunk_images(problem, &f);
    codes->scratch[codes->scratches++] = chunk * f.elements * (int64_t)sizeof(float);
    for (int64_t first = 0; first < problem->batch; first += chunk) {
        int64_t images = problem->batch - first < chunk ? problem->batch - first : chunk;
        MI_TRY(emit_multiply(e, problem, &f, first, images, codes));
        MI_TRY(emit_fold(e, problem, &f, first, images, codes));
    }
    return e->error->status;
}

const struct mi_engine mi_engine_col2im = {
    .name = "col2im", .supports = supports, .cost = cost, .epilogue = true, .memory = true, .calls = true, .emit = emit};
