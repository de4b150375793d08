/* Mica's own matrix product for CPU devices: a register tile an item, with wide vectors; maps ride along. B is packed where its
 * columns do not lie side by side. Other devices have CLBlast, or the nest. */
#include "engines/product.h"

#include <string.h>

enum { PACK_DEPTH = 64 };

struct tile {
    int vw, nv, mr; /* lanes of a vector, vectors of a panel, rows of a tile */
    int64_t chunk;  /* rows an item computes */
    int64_t panels;
    bool packed;
};

static bool supports(const struct mi_problem *problem)
{
    struct mi_product p;
    const mica_device *device = problem->device;
    if (!device->is_cpu || device->vector_width < 4 || problem->c.out.value->type != MI_FLOAT)
        return false;
    /* The number of columns, and where a panel lies, are fixed when the kernel is written. */
    return mi_product_match(&problem->c, &p) && p.extent[MI_PRODUCT_N].a == 0 && p.axes[MI_PRODUCT_N] > 0 &&
           mi_dim_is(p.stride_c[MI_PRODUCT_N], 1);
}

static double cost(const struct mi_problem *problem)
{
    const mica_device *device = problem->device;
    return mi_problem_products(problem) / (0.4 * 4.8e9 * device->vector_width * device->info.compute_units);
}

static struct tile choose_tile(const struct mi_problem *problem, const struct mi_product *p)
{
    int vw = problem->device->vector_width;
    int64_t columns = p->extent[MI_PRODUCT_N].b, rows = mi_dim_at(p->extent[MI_PRODUCT_M], problem->batch);
    struct tile t = {.vw = vw, .nv = columns > vw ? 2 : 1};
    t.mr = vw >= 16 ? 12 : t.nv == 2 ? 6 : 8;
    if (rows < t.mr)
        t.mr = rows < 1 ? 1 : (int)rows;
    int64_t width = (int64_t)t.nv * vw;
    t.panels = (columns + width - 1) / width;
    t.packed = columns < width || !mi_dim_is(p->stride_b[MI_PRODUCT_N], 1);
    int64_t batch = mi_dim_at(p->extent[MI_PRODUCT_BATCH], problem->batch), items = t.panels * batch;
    int64_t wanted = 8 * (int64_t)problem->device->info.compute_units,
            parts = items >= wanted ? 1 : (wanted + items - 1) / (items ? items : 1);
    t.chunk = (rows + parts - 1) / parts;
    t.chunk = (t.chunk + t.mr - 1) / t.mr * t.mr;
    return t;
}

static void define_dim(struct mi_emitter *e, struct mi_text *text, const char *name, struct mi_dim dim)
{
    mi_text_add(text, "#define %s ((IDX)%s)\n", name, mi_dim_text(e->arena, dim));
}

static void define_matrix(struct mi_emitter *e, const struct mi_product *p, const struct tile *t, struct mi_text *text)
{
    define_dim(e, text, "M", p->extent[MI_PRODUCT_M]);
    define_dim(e, text, "N", p->extent[MI_PRODUCT_N]);
    define_dim(e, text, "K", p->extent[MI_PRODUCT_K]);
    define_dim(e, text, "BATCH", p->extent[MI_PRODUCT_BATCH]);
    define_dim(e, text, "B_BATCH", p->stride_b[MI_PRODUCT_BATCH]);
    define_dim(e, text, "B_K", p->stride_b[MI_PRODUCT_K]);
    define_dim(e, text, "B_N", p->stride_b[MI_PRODUCT_N]);
    define_dim(e, text, "A_BATCH", p->stride_a[MI_PRODUCT_BATCH]);
    define_dim(e, text, "A_M", p->stride_a[MI_PRODUCT_M]);
    define_dim(e, text, "A_K", p->stride_a[MI_PRODUCT_K]);
    mi_text_add(text,
                "#define PANELS_IN_N %lld\n#define VW %d\n#define NV %d\n#define MR %d\n#define CHUNK %lld\n#define "
                "PACKED %d\n",
                (long long)t->panels, t->vw, t->nv, t->mr, (long long)t->chunk, t->packed);
    mi_text_add(text, "#define VEC float%d\n#define VLOAD vload%d\n#define VSTORE vstore%d\n", t->vw, t->vw, t->vw);
    mi_text_add(text, "#define WIDTH %d\n#define DEPTH %d\n", t->vw * t->nv, PACK_DEPTH);
}

/* A launch of its own that packs B into scratch. */
static mica_status emit_pack(struct mi_emitter *e, const struct mi_problem *problem, const struct mi_product *p,
                             const struct tile *t, const char *defines, struct mi_codes *codes)
{
    struct mi_text text = {0};
    int64_t depth = mi_dim_at(p->extent[MI_PRODUCT_K], problem->batch),
            batch = mi_dim_at(p->extent[MI_PRODUCT_BATCH], problem->batch);
    codes->scratch[codes->scratches++] = batch * t->panels * depth * t->nv * t->vw * (int64_t)sizeof(float);
    int b = mi_emit_argument(e, p->b->node->out[p->b->output], false), panels = mi_emit_scratch(e, 0, true);
    mi_text_add(&text, "%s#define MATRIX_B p%d\n#define PANELS p%d\n", defines, b, panels);
    struct mi_grid grid = {
        .dims = 3,
        .global = {(size_t)t->panels, (size_t)((depth + PACK_DEPTH - 1) / PACK_DEPTH), (size_t)batch},
        .local = {1, 1, 1}};
    mica_status status = mi_emit_file(e, "gemm_pack.cl", "mica_gemm_pack", &text, NULL, NULL, 0, grid, codes);
    mi_text_clear(&e->text);
    e->arguments = 0;
    return status;
}

/* The stores of one row: what depends on the row alone, and what each column needs. */
static void emit_stores(struct mi_emitter *e, const struct mi_problem *problem, const struct mi_product *p,
                        const char *with[2])
{
    const struct mi_contraction *c = &problem->c;
    const char *axis[MI_MAX_AXES];
    const char *row[MI_PRODUCT_AXES] = {"batch", "m_", NULL, NULL}, *column[MI_PRODUCT_AXES] = {NULL, NULL, "n_", NULL};
    const char *by_row[MI_MAX_AXES], *by_column[MI_MAX_AXES];
    struct mi_coordinate at[MI_MAX_RANK];
    e->indent = 4;
    mi_product_axes(e, c, p, row, by_row);
    with[0] = mi_emit_take(e);
    e->indent = 5;
    mi_product_axes(e, c, p, column, by_column);
    for (int i = 0; i < c->axes; i++)
        axis[i] = strcmp(by_column[i], "0") != 0 ? by_column[i] : by_row[i];
    mi_output_at(e, c, axis, at);
    mi_bind(e, e->kernel->anchor->out[0], "lane[v]");
    for (int o = 0; o < e->kernel->outs; o++)
        mi_emit_store(e, e->kernel->out[o], at, mi_emit_value(e, e->kernel->out[o], at, NULL), NULL);
    with[1] = mi_emit_take(e);
}

static mica_status emit(struct mi_emitter *e, const struct mi_problem *problem, struct mi_codes *codes)
{
    struct mi_product p;
    struct mi_text defines = {0}, text = {0};
    const char *with[2] = {"", ""};
    mi_product_match(&problem->c, &p);
    struct tile t = choose_tile(problem, &p);
    define_matrix(e, &p, &t, &defines);
    mica_status status = t.packed ? emit_pack(e, problem, &p, &t, mi_text_get(&defines), codes) : MICA_OK;
    if (status != MICA_OK) {
        mi_emit_text_end(e, &defines);
        return status;
    }
    mi_text_add(&text, "%s#define MATRIX_A p%d\n", mi_text_get(&defines),
                mi_emit_argument(e, p.a->node->out[p.a->output], false));
    if (t.packed)
        mi_text_add(&text, "#define PANELS p%d\n", mi_emit_scratch(e, 0, false));
    else
        mi_text_add(&text, "#define MATRIX_B p%d\n", mi_emit_argument(e, p.b->node->out[p.b->output], false));
    emit_stores(e, problem, &p, with);
    mi_emit_text_end(e, &defines);
    int64_t rows = mi_dim_at(p.extent[MI_PRODUCT_M], problem->batch);
    int64_t batch = mi_dim_at(p.extent[MI_PRODUCT_BATCH], problem->batch);
    struct mi_grid grid = {
        .dims = 3,
        .global = {(size_t)t.panels, (size_t)(t.chunk ? (rows + t.chunk - 1) / t.chunk : 0), (size_t)batch},
        .local = {1, 1, 1}};
    const char *name = mi_arena_format(e->arena, "mica_gemm_%s", e->kernel->anchor->op->name);
    return mi_emit_file(e, "gemm.cl", name, &text, (const char *const[]){"MICA_ROW", "MICA_STORE"}, with, 2, grid,
                        codes);
}

const struct mi_engine mi_engine_gemm = {
    .name = "gemm", .supports = supports, .cost = cost, .epilogue = true, .memory = true, .emit = emit};
