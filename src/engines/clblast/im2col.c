/* Convolution through im2col and CLBlast, a chunk of images at a time: the operand with windows is unfolded into a matrix in
 * scratch memory, then multiplied, image by image. The forward pass and both gradients are the same here, since all that is
 * looked at are index maps; a stride's gradient of the data is folded instead (col2im), which multiplies nothing by zero. */
#include "engines/clblast/clblast.h"

#include <string.h>

enum { WORKSPACE_BYTES = 64 << 20 };

/* A contraction with its images taken apart. */
struct unfold {
    const struct mi_operand *x;  /* with windows: unfolded */
    int image;                   /* the axis of the images */
    struct mi_contraction inner; /* of one image, x replaced by the matrix (`matrix`, plain rows over its axes) */
    mi_value matrix;
    int axis[MI_MAX_AXES], axes; /* the matrix's axes, outermost first: reduced, then the result's */
    int64_t elements;            /* of the matrix, of one image */
    struct mi_product product;
    bool x_is_a; /* in the product */
};

static bool has_windows(const struct mi_operand *operand)
{
    for (int d = 0; d < operand->value->shape.rank; d++)
        if (operand->index[d].terms > 1 || operand->index[d].divisor != 1)
            return true;
    return false;
}

static int image_axis(const struct mi_contraction *c, const struct mi_operand *x)
{
    const struct mi_index *first = &x->index[0];
    return first->terms == 1 && first->coefficient[0] == 1 && first->offset == 0 && c->extent[first->axis[0]].a == 1 &&
                   c->extent[first->axis[0]].b == 0
               ? first->axis[0]
               : -1;
}

/* Elements from one image to the next in plain rows; 0 where the operand has no images. */
static int64_t image_stride(const struct mi_operand *operand, int image)
{
    struct mi_dim product = mi_fixed(0);
    for (int d = 0; d < operand->value->shape.rank; d++)
        if (operand->index[d].terms == 1 && operand->index[d].axis[0] == image)
            mi_shape_product(&operand->value->shape, d + 1, operand->value->shape.rank, &product);
    return product.b;
}

static bool unfold_match(const struct mi_contraction *c, struct unfold *u)
{
    memset(u, 0, sizeof *u);
    u->x = has_windows(&c->a) ? &c->a : &c->b;
    if (!has_windows(u->x) || (u->image = image_axis(c, u->x)) < 0)
        return false;
    u->inner = *c;
    u->inner.extent[u->image] = mi_fixed(1);
    u->matrix = *u->x->value;
    u->matrix.shape.rank = 0;
    u->elements = 1;
    struct mi_operand *matrix = u->x == &c->a ? &u->inner.a : &u->inner.b;
    for (int pass = 0; pass < 2; pass++) /* reduced axes first */
        for (int axis = 0; axis < c->axes; axis++) {
            bool reduced = axis >= c->out_axes;
            if (axis == u->image || reduced != (pass == 0) || !mi_uses_axis(u->x, axis))
                continue;
            if (c->extent[axis].a || u->axes == MI_MAX_RANK)
                return false;
            matrix->index[u->axes] = (struct mi_index){.terms = 1, .axis = {axis}, .coefficient = {1}, .divisor = 1};
            u->matrix.shape.dim[u->matrix.shape.rank++] = c->extent[axis];
            u->elements *= c->extent[axis].b;
            u->axis[u->axes++] = axis;
        }
    matrix->value = &u->matrix;
    if (!mi_product_match(&u->inner, &u->product) || !mi_dim_is(u->product.extent[MI_PRODUCT_BATCH], 1))
        return false;
    u->x_is_a = u->product.a == &u->matrix;
    return u->elements > 0;
}

static bool supports(const struct mi_problem *problem)
{
    struct unfold u;
    return problem->c.out.value->type == MI_FLOAT && mi_clblast_ready(problem->device) &&
           unfold_match(&problem->c, &u) && mi_clblast_call(NULL, &u.product, problem->batch, NULL);
}

static double cost(const struct mi_problem *problem)
{
    return 1e-4 + mi_problem_products(problem) / (problem->device->is_cpu ? 1e8 : 5e10);
}

/* Images whose matrices fit the workspace. */
static int64_t chunk_images(const struct mi_problem *problem, const struct unfold *u)
{
    int64_t most = WORKSPACE_BYTES, limit = (int64_t)problem->device->info.largest_allocation_bytes;
    int64_t images = (most < limit ? most : limit) / (u->elements * (int64_t)sizeof(float));
    return images < 1 ? 1 : images > problem->batch ? problem->batch : images;
}

/* The launch that unfolds images first ... first + images - 1: an item for each row of the matrix's last axis. */
static mica_status emit_unfold(struct mi_emitter *e, const struct mi_problem *problem, const struct unfold *u,
                               int64_t first, int64_t images, struct mi_codes *codes)
{
    const struct mi_contraction *c = &problem->c;
    const char *axis[MI_MAX_AXES] = {0};
    int64_t last = c->extent[u->axis[u->axes - 1]].b, rows = u->elements / last;
    for (int i = 0; i < c->axes; i++)
        axis[i] = "0";
    e->indent = 1;
    mi_line(e, "const IDX images = min((IDX)n - @%lld, (IDX)@%lld);", (long long)first, (long long)images);
    size_t loop = mi_scope_open(e, "for (IDX item = get_global_id(0); item < images*@%lld; item += get_global_size(0)) ",
                                (long long)rows);
    mi_line(e, "const IDX image = item / %lld + @%lld;", (long long)rows, (long long)first);
    mi_line(e, "IDX rest = item %% %lld;", (long long)rows);
    axis[u->image] = "image";
    for (int i = u->axes - 2; i >= 0; i--) {
        axis[u->axis[i]] = mi_arena_format(e->arena, "u%d", i);
        mi_line(e, "const IDX u%d = rest %% %lld; rest /= %lld;", i, (long long)c->extent[u->axis[i]].b,
                (long long)c->extent[u->axis[i]].b);
    }
    size_t row = mi_scope_open(e, "for (IDX j = 0; j < %lld; j++) ", (long long)last);
    axis[u->axis[u->axes - 1]] = "j";
    const char *value = mi_emit_factor(e, c, u->x, axis);
    mi_line(e, "p%d[item*%lld + j] = %s;", mi_emit_scratch(e, 0, true), (long long)last, value);
    mi_scope_close(e, row);
    mi_scope_close(e, loop);
    return mi_emit_body(e, "mica_im2col", "", mi_grid_of_items(e->device, images * rows), codes);
}

static mica_status emit_multiply(struct mi_emitter *e, const struct mi_problem *problem, const struct unfold *u,
                                 int64_t first, int64_t images, struct mi_codes *codes)
{
    const struct mi_contraction *c = &problem->c;
    const struct mi_operand *w = u->x == &c->a ? &c->b : &c->a;
    struct mi_call *call = NULL;
    struct mi_code *code = mi_code_add(e, codes);
    if (!code || !mi_clblast_call(e, &u->product, problem->batch, &call) || !call)
        return mi_out_of_memory(e->error);
    call->first = first;
    call->images = images;
    call->per_chunk_a = u->x_is_a;
    call->per_chunk_b = !u->x_is_a;
    call->image_a = u->x_is_a ? u->elements : image_stride(w, u->image);
    call->image_b = u->x_is_a ? image_stride(w, u->image) : u->elements;
    call->image_c = image_stride(&c->out, u->image);
    call->accumulate = u->image >= c->out_axes;
    struct mi_argument matrix = {.scratch = 0},
                       weight = {.value = w->value->node->out[w->value->output], .scratch = -1};
    *code = (struct mi_code){.name = "CLBlastSgemm", .call = call, .arguments = 3};
    code->argument[0] = u->x_is_a ? matrix : weight;
    code->argument[1] = u->x_is_a ? weight : matrix;
    code->argument[2] = (struct mi_argument){.value = e->kernel->anchor->out[0], .scratch = -1, .written = true};
    return MICA_OK;
}

static mica_status emit(struct mi_emitter *e, const struct mi_problem *problem, struct mi_codes *codes)
{
    struct unfold u;
    unfold_match(&problem->c, &u);
    int64_t chunk = chunk_images(problem, &u);
    codes->scratch[codes->scratches++] = chunk * u.elements * (int64_t)sizeof(float);
    for (int64_t first = 0; first < problem->batch; first += chunk) {
        int64_t images = problem->batch - first < chunk ? problem->batch - first : chunk;
        MI_TRY(emit_unfold(e, problem, &u, first, images, codes));
        MI_TRY(emit_multiply(e, problem, &u, first, images, codes));
    }
    return e->error->status;
}

const struct mi_engine mi_engine_im2col = {
    .name = "im2col", .supports = supports, .cost = cost, .memory = true, .calls = true, .emit = emit};
