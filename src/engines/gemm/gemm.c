/* Mica's own matrix product for CPU devices: register tiles of wide vectors over packed panels; maps ride along. How a product
 * is cut is cuts.c's. Weights that nothing changes are packed once: they are wished for in panels, so the copy is a value
 * derived from a variable. Other devices have CLBlast, or the nest.
 *
 * Eight samples of 16 numbers times w (8, 16), with a bias and relu, on vectors of 8: the engine writes the sizes of the product
 * and how it is cut before kernels/gemm.cl,
 *
 *     #define M ((IDX)n)                rows are samples, n of them
 *     #define N ((IDX)dim1)             columns are units; dim1 is an argument of the kernel, 8
 *     #define K ((IDX)dim3)             16
 *     #define MR 8                      a register tile: 8 rows ...
 *     #define NV 1                      ... by one vector
 *     #define PACK_B 2                  w lies in panels of WIDTH 8 columns already, copied once
 *     #define PACK_A 0                  x is read where it is
 *
 * and its innermost loop is then, for each k, bv = VLOAD(0, bp + k*bk), acc[i][0] = fma((VEC)(ap[i][k*A_K]), bv, acc[i][0]) for the
 * 8 rows i. What maps make of a result, here lane[v] + p2[n_] and its relu, is written where the tile is stored. */
#include "engines/gemm/gemm.h"

#include <string.h>

/* Rows that an item packs before, and panels where columns lie side by side; steps of k that are computed at a time. */
enum { PACK_DEPTH = 64, PACK_GROUP = 4, MADE_STEPS = 64 };

static bool match(const struct mi_problem *problem, struct mi_gemm *g)
{
    struct mi_product p;
    const mica_device *device = problem->device;
    if (!device->is_cpu || device->vector_width < 4 || problem->c.out.value->type != MI_FLOAT)
        return false;
    /* The number of columns, and where a panel lies, are fixed when the kernel is written. */
    if (!mi_product_match(&problem->c, &p) || p.extent[MI_PRODUCT_N].a != 0 || p.axes[MI_PRODUCT_N] == 0 ||
        !mi_dim_is(p.stride_c[MI_PRODUCT_N], 1))
        return false;
    mi_gemm_read(problem, &p, g);
    return true;
}

static uint32_t packs(const struct mi_problem *problem, uint32_t asked, struct mi_variant *variant)
{
    static const uint32_t tries[] = {3, 2, 1};
    for (size_t i = 0; i < MI_COUNT(tries); i++) {
        struct mi_gemm g;
        struct mi_variant own = *variant;
        if ((tries[i] & asked) != tries[i] || !match(problem, &g))
            continue;
        bool exchanged = g.p.a != problem->c.a.value;
        g.made_a = tries[i] >> exchanged & 1;
        g.made_b = tries[i] >> !exchanged & 1;
        if (mi_gemm_cut_made(&g, &own)) {
            *variant = own;
            return tries[i];
        }
    }
    return 0;
}

static bool supports(const struct mi_problem *problem)
{
    struct mi_gemm g;
    return match(problem, &g);
}

static int variants(const struct mi_problem *problem, struct mi_variant *list, int most)
{
    struct mi_gemm g;
    return match(problem, &g) ? mi_gemm_cuts(&g, list, most, NULL) : 0;
}

static double cost(const struct mi_problem *problem)
{
    struct mi_gemm g;
    struct mi_variant best[1];
    double seconds = 0;
    match(problem, &g);
    mi_gemm_cuts(&g, best, 1, &seconds);
    return seconds;
}

/* ---- Panels ---- */

static int panel_width(const struct mi_gemm *g, const struct mi_variant *v)
{
    return v->number[MI_GEMM_NV] * g->vw;
}

/* B in panels: the axis of its columns in blocks, k between them. False: B is no plain matrix. */
static bool panel_layout(const struct mi_gemm *g, const struct mi_variant *v, struct mi_layout *layout)
{
    const struct mi_product *p = &g->p;
    bool by_rows = mi_dim_is(p->stride_b[MI_PRODUCT_N], 1);
    if (p->b->shape.rank != 2 || !mi_dim_is(p->extent[MI_PRODUCT_BATCH], 1) ||
        !mi_dim_equal(p->b->shape.dim[by_rows], p->extent[MI_PRODUCT_N]) ||
        !mi_dim_equal(p->b->shape.dim[!by_rows], p->extent[MI_PRODUCT_K]))
        return false;
    *layout = mi_layout_blocked(2, by_rows, panel_width(g, v));
    layout->order[0] = by_rows;
    layout->order[1] = !by_rows;
    return true;
}

static void wishes(const struct mi_problem *problem, struct mi_wishes *wishes)
{
    struct mi_gemm g;
    struct mi_layout panels;
    if (!match(problem, &g) || !g.constant_b || problem->plain_only || problem->c.a.value == problem->c.b.value ||
        problem->variant.number[MI_GEMM_TURNED] || problem->variant.number[MI_GEMM_PACK_B] != MI_GEMM_BEFORE ||
        !panel_layout(&g, &problem->variant, &panels))
        return;
    bool exchanged = g.p.b == problem->c.a.value;
    struct mi_layout plain = mi_layout_plain(g.p.a->shape.rank);
    *wishes = (struct mi_wishes){.wanted = true, .a = exchanged ? panels : plain, .b = exchanged ? plain : panels};
}

/* ---- Writing ---- */

/* What stands at gemm.cl's markers. */
enum { ROW, VECTORS, STORE, DIRECT, ARRAYS, TURN, TOTALS, PANEL_A, PANEL_B, MARKERS };
static const char *const markers[] = {"MICA_ROW",  "MICA_VECTORS", "MICA_STORE",   "MICA_DIRECT", "MICA_ARRAYS",
                                      "MICA_TURN", "MICA_TOTALS",  "MICA_PANEL_A", "MICA_PANEL_B"};

/* How many of what the kernel stores has a place for each sum. */
static int results(const struct mi_emitter *e)
{
    return e->kernel->outs - e->kernel->totals;
}

/* Ones and zeros stay numbers: what lies side by side, and which axes are not there, shapes the kernel. */
static void define_dim(struct mi_emitter *e, struct mi_text *text, const char *name, struct mi_dim dim)
{
    bool shapes = dim.a == 0 && dim.b <= 1;
    mi_text_add(text, "#define %s ((IDX)%s)\n", name, shapes ? mi_dim_text(e->arena, dim) : mi_dim_code(e->arena, dim));
}

static void define_matrix(struct mi_emitter *e, const struct mi_gemm *g, const struct mi_variant *v,
                          struct mi_text *text)
{
    const struct mi_product *p = &g->p;
    static const char *const extent[] = {"BATCH", "M", "N", "K"};
    int vw = g->vw, width = panel_width(g, v);
    for (int i = 0; i < MI_PRODUCT_AXES; i++) {
        define_dim(e, text, extent[i], p->extent[i]);
        define_dim(e, text, mi_arena_format(e->arena, "A_%s", extent[i]), p->stride_a[i]);
        define_dim(e, text, mi_arena_format(e->arena, "B_%s", extent[i]), p->stride_b[i]);
    }
    mi_text_add(text, "#define VW %d\n#define VEC float%d\n#define VLOAD vload%d\n#define VSTORE vstore%d\n", vw, vw,
                vw, vw);
    mi_text_add(text, "#define B_SIDE_BY_SIDE %d\n#define MADE_B %d\n", mi_dim_is(g->p.stride_b[MI_PRODUCT_N], 1),
                g->made_b);
    mi_text_add(text, "#define WIDTH %d\n#define PANELS_IN_N @%lld\n", width,
                (long long)mi_divide_up(g->columns, width));
}

/* Where an item's sums wait between blocks of k. */
static void define_parts(struct mi_emitter *e, const struct mi_gemm *g, const struct mi_variant *v,
                         struct mi_codes *codes, struct mi_text *text)
{
    int64_t part = (int64_t)v->number[MI_GEMM_MB] * v->number[MI_GEMM_NB];
    if (mi_gemm_sums_near(g, v)) {
        mi_emit_local(e, "float", "parts", part);
        mi_text_add(text, "#define PART_SPACE __local\n#define ITEM_PARTS 0\n");
        return;
    }
    int scratch = codes->scratches++;
    int64_t across = mi_divide_up(g->columns, v->number[MI_GEMM_NB]);
    int64_t down = mi_divide_up(g->rows, v->number[MI_GEMM_MB]);
    codes->scratch[scratch] = g->batch * v->number[MI_GEMM_SPLIT] * across * down * part * (int64_t)sizeof(float);
    mi_text_add(text,
                "#define PART_SPACE __global\n#define parts p%d\n#define ITEM_PARTS "
                "((((IDX)get_global_id(2)*@%lld + (IDX)get_global_id(1))*@%lld + (IDX)get_global_id(0))*(MB*NB))\n",
                mi_emit_scratch(e, scratch, true), (long long)down, (long long)across);
}

static void define_cut(struct mi_emitter *e, const struct mi_gemm *g, const struct mi_variant *v,
                       struct mi_codes *codes, struct mi_text *text)
{
    static const char *const name[] = {"MR", "NV", "MB", "NB", "KB", "PACK_A", "PACK_B", "SPLIT", "TURNED"};
    for (size_t i = 0; i < MI_COUNT(name); i++)
        mi_text_add(text, "#define %s %d\n", name[i], v->number[i]);
    mi_text_add(text, "#define PARTS %d\n", g->depth > v->number[MI_GEMM_KB]);
    mi_text_add(text, "#define A_SIDE_BY_SIDE %d\n#define MADE_A %d\n#define MERGED %d\n",
                mi_dim_is(g->p.stride_a[MI_PRODUCT_M], 1), g->made_a,
                v->number[MI_GEMM_PACK_B] == MI_GEMM_BY_ITEM && mi_dim_is(g->p.stride_b[MI_PRODUCT_N], 1) &&
                    !g->made_b);
    if (v->number[MI_GEMM_PACK_A])
        mi_emit_local(e, "float", "a_panels", (int64_t)v->number[MI_GEMM_MB] * v->number[MI_GEMM_KB]);
    if (v->number[MI_GEMM_PACK_B] == MI_GEMM_BY_ITEM)
        mi_emit_local(e, "float", "b_panel", (int64_t)panel_width(g, v) * v->number[MI_GEMM_KB]);
    if (v->number[MI_GEMM_PACK_B] == MI_GEMM_BLOCK)
        mi_emit_local(e, "float", "b_panel", (int64_t)v->number[MI_GEMM_NB] * v->number[MI_GEMM_KB]);
    if (g->depth > v->number[MI_GEMM_KB])
        define_parts(e, g, v, codes, text);
}

/* The functions that pack into panels of that address space: from the matrices, and from what was computed of them. */
static void add_panel_functions(const struct mi_gemm *g, struct mi_text *text, const char *space)
{
    static const char *const marker[] = {"MICA_PACK_PANEL", "PANEL_SPACE", "FROM_SPACE"};
    mi_add_file(text, "gemm_panel.cl", marker, (const char *const[]){"mica_pack_panel", space, "__global"}, 3);
    mi_add_file(text, "gemm_panels.cl", marker, (const char *const[]){"", space, "__global"}, 3);
    if (g->made_a || g->made_b) {
        mi_text_add(text, "#define MADE_STEPS %d\n", MADE_STEPS);
        mi_add_file(text, "gemm_panel.cl", marker, (const char *const[]){"mica_pack_made", space, ""}, 3);
    }
}

static void add_turn(struct mi_emitter *e, const struct mi_gemm *g, struct mi_text *text)
{
    define_dim(e, text, "C_N", g->p.stride_c[MI_PRODUCT_N]);
    mi_add_file(text, "gemm_turn.cl", NULL, NULL, 0);
}

static void define_operand(struct mi_emitter *e, const mi_value *value, bool made, const char *name,
                           struct mi_text *text)
{
    if (!made)
        mi_text_add(text, "#define %s p%d\n", name, mi_emit_argument(e, value->node->out[value->output], false));
}

/* A launch of its own that packs B into scratch. */
static mica_status emit_pack(struct mi_emitter *e, const struct mi_contraction *c, const struct mi_gemm *g,
                             const struct mi_variant *v, struct mi_codes *codes)
{
    struct mi_text text = {0};
    const struct mi_product *p = &g->p;
    int width = panel_width(g, v);
    int64_t panels = mi_divide_up(g->columns, width);
    codes->scratch[codes->scratches++] = g->batch * panels * g->depth * width * (int64_t)sizeof(float);
    define_matrix(e, g, v, &text);
    add_panel_functions(g, &text, "__global");
    define_operand(e, p->b, g->made_b, "MATRIX_B", &text);
    int scratch = mi_emit_scratch(e, 0, true);
    int group = mi_dim_is(p->stride_b[MI_PRODUCT_N], 1) ? PACK_GROUP : 1;
    mi_text_add(&text, "#define DEPTH %d\n#define GROUP %d\n#define PANELS p%d\n", PACK_DEPTH, group, scratch);
    const char *panel = mi_gemm_made(e, c, g, false);
    struct mi_grid grid = {.dims = 3,
                           .global = {(size_t)mi_divide_up(panels, group),
                                      (size_t)((g->depth + PACK_DEPTH - 1) / PACK_DEPTH), (size_t)g->batch},
                           .local = {1, 1, 1}};
    return mi_emit_file(e, "gemm_pack.cl", "mica_gemm_pack", &text, &markers[PANEL_B], &panel, 1, grid, codes);
}

/* The coordinates of the result's element in column n_. */
static void column_at(struct mi_emitter *e, const struct mi_contraction *c, const struct mi_product *p,
                      const char **by_row, struct mi_coordinate *at)
{
    const char *axis[MI_MAX_AXES], *column[MI_PRODUCT_AXES] = {NULL, NULL, "n_", NULL};
    mi_product_axes(e, c, p, column, axis);
    for (int i = 0; i < c->axes; i++)
        if (strcmp(axis[i], "0") == 0)
            axis[i] = by_row[i];
    mi_output_at(e, c, axis, at);
}

/* Whether every result is plain, with neighbours along an axis of the product. */
static bool stores_vectors(const struct mi_emitter *e, const struct mi_gemm *g, enum mi_product_axis along)
{
    if (!mi_dim_is(g->p.stride_c[along], 1))
        return false;
    for (int o = 0; o < results(e); o++) {
        const mi_value *value = e->kernel->out[o];
        if (value->type != MI_FLOAT || !mi_layout_is_plain(&e->tensors[value->id].layout, value->shape.rank))
            return false;
    }
    return true;
}

/* Declares where a row of a tile lies in a result. */
static void emit_place(struct mi_emitter *e, const struct mi_coordinate *at, int o)
{
    mi_value *value = e->kernel->out[o];
    const char *place = mi_layout_place(e->arena, &e->tensors[value->id].layout, &value->shape, at);
    mi_line(e, "__global float *to%d = p%d + (%s);", o, mi_emit_argument(e, value, true), place);
}

/* Whether the one result is the sum as it is. */
static bool is_bare(struct mi_emitter *e, const struct mi_coordinate *at)
{
    bool bare = results(e) == 1 && strcmp(mi_emit_value(e, e->kernel->out[0], at, NULL), "lane[v]") == 0;
    mi_emit_take(e);
    return bare;
}

/* A row that no map changes goes from registers to memory. */
static const char *emit_direct(struct mi_emitter *e, const struct mi_gemm *g, const struct mi_variant *v,
                               const struct mi_contraction *c, const char **by_row)
{
    struct mi_coordinate at[MI_MAX_RANK];
    e->indent = 6;
    size_t scope = mi_scope_open(e, "%s", "");
    column_at(e, c, &g->p, by_row, at);
    bool bare = stores_vectors(e, g, MI_PRODUCT_N) && !v->number[MI_GEMM_TURNED] && is_bare(e, at);
    mi_scope_close(e, scope);
    mi_emit_take(e);
    if (!bare)
        return "";
    mi_line(e, "const IDX n_ = n0;");
    column_at(e, c, &g->p, by_row, at);
    emit_place(e, at, 0);
    for (int j = 0; j < v->number[MI_GEMM_NV]; j++)
        mi_line(e, "VSTORE(acc[i][%d], %d, to0);", j, j);
    return mi_emit_take(e);
}

/* Computes a whole row of a tile into arrays: `row` is an array's beginning. */
static void emit_row(struct mi_emitter *e, const struct mi_gemm *g, const struct mi_contraction *c, const char **by_row,
                     const char *row)
{
    struct mi_coordinate at[MI_MAX_RANK];
    size_t scope = mi_scope_open(e, "for (int v = 0; v < WIDTH; v++) ");
    mi_line(e, "const IDX n_ = n0 + v;");
    column_at(e, c, &g->p, by_row, at);
    for (int o = 0; o < results(e); o++)
        mi_line(e, "made%d[%sv] = %s;", o, row, mi_emit_value(e, e->kernel->out[o], at, NULL));
    mi_scope_close(e, scope);
}

/* A whole row of a tile: values are computed into arrays, then stored as vectors. */
static const char *emit_vectors(struct mi_emitter *e, const struct mi_gemm *g, const struct mi_variant *v,
                                const struct mi_contraction *c, const char **by_row)
{
    struct mi_coordinate at[MI_MAX_RANK];
    e->indent = 6;
    for (int o = 0; o < results(e); o++)
        mi_line(e, "float made%d[WIDTH];", o);
    emit_row(e, g, c, by_row, "");
    mi_line(e, "const IDX n_ = n0;");
    column_at(e, c, &g->p, by_row, at);
    for (int o = 0; o < results(e); o++) {
        emit_place(e, at, o);
        for (int j = 0; j < v->number[MI_GEMM_NV]; j++)
            mi_line(e, "VSTORE(VLOAD(%d, made%d), %d, to%d);", j, o, j, o);
    }
    return mi_emit_take(e);
}

/* A whole tile of a turned product: its rows are computed into arrays, then stored turned. */
static void emit_turned(struct mi_emitter *e, const struct mi_gemm *g, const struct mi_contraction *c,
                        const char **by_row, const char *with[MARKERS])
{
    struct mi_coordinate at[MI_MAX_RANK];
    e->indent = 5;
    for (int o = 0; o < results(e); o++)
        mi_line(e, "float made%d[MR*WIDTH];", o);
    with[ARRAYS] = mi_emit_take(e);
    e->indent = 6;
    emit_row(e, g, c, by_row, "i*WIDTH + ");
    with[VECTORS] = mi_emit_take(e);
    e->indent = 5;
    mi_line(e, "const IDX n_ = n0, m_ = m0;");
    mi_line(e, "%s", with[ROW]);
    column_at(e, c, &g->p, by_row, at);
    for (int o = 0; o < results(e); o++) {
        emit_place(e, at, o);
        mi_line(e, "mica_store_turned(made%d, to%d, C_N);", o, o);
    }
    with[TURN] = mi_emit_take(e);
}

/* The stores of one row of a tile: what depends on the row alone, all columns, and each column. */
static void emit_stores(struct mi_emitter *e, const struct mi_problem *problem, const struct mi_gemm *g,
                        const struct mi_variant *v, const char *with[MARKERS])
{
    const struct mi_contraction *c = &problem->c;
    const char *row[MI_PRODUCT_AXES] = {"batch", "m_", NULL, NULL}, *by_row[MI_MAX_AXES];
    struct mi_coordinate at[MI_MAX_RANK];
    e->indent = 5;
    mi_product_axes(e, c, &g->p, row, by_row);
    with[ROW] = mi_emit_take(e);
    mi_bind(e, e->kernel->anchor->out[0], "lane[v]");
    with[DIRECT] = emit_direct(e, g, v, c, by_row);
    if (v->number[MI_GEMM_TURNED] && v->number[MI_GEMM_MR] >= 4 && stores_vectors(e, g, MI_PRODUCT_M))
        emit_turned(e, g, c, by_row, with);
    else if (!v->number[MI_GEMM_TURNED] && stores_vectors(e, g, MI_PRODUCT_N))
        with[VECTORS] = emit_vectors(e, g, v, c, by_row);
    e->indent = 6;
    column_at(e, c, &g->p, by_row, at);
    for (int o = 0; o < results(e); o++)
        mi_emit_store(e, e->kernel->out[o], at, mi_emit_value(e, e->kernel->out[o], at, NULL), NULL);
    with[STORE] = mi_emit_take(e);
}

/* Pieces of k are stored as they are ... */
static void emit_pieces(struct mi_emitter *e, const struct mi_gemm *g, const struct mi_variant *v,
                        struct mi_codes *codes, struct mi_text *text, const char *with[MARKERS])
{
    int scratch = codes->scratches++;
    codes->scratch[scratch] = g->batch * v->number[MI_GEMM_SPLIT] * g->rows * g->columns * (int64_t)sizeof(float);
    mi_text_add(text, "#define PIECES p%d\n", mi_emit_scratch(e, scratch, true));
    with[ROW] = "__global float *sums = PIECES + ((IDX)get_global_id(2)*rows + m_)*columns + n0;";
    e->indent = 6;
    for (int j = 0; j < v->number[MI_GEMM_NV]; j++)
        mi_line(e, "VSTORE(VLOAD(%d, lane), %d, sums);", j, j);
    with[VECTORS] = mi_emit_take(e);
    with[STORE] = "sums[v] = lane[v];";
    for (int j = 0; j < v->number[MI_GEMM_NV]; j++)
        mi_line(e, "VSTORE(acc[i][%d], %d, sums);", j, j);
    with[DIRECT] = mi_emit_take(e);
}

/* ... and summed by a launch of their own. */
static mica_status emit_sum(struct mi_emitter *e, const struct mi_problem *problem, const struct mi_gemm *g,
                            struct mi_codes *codes)
{
    const struct mi_contraction *c = &problem->c;
    struct mi_text text = {0};
    const char *row[MI_PRODUCT_AXES] = {"batch", "m_", NULL, NULL}, *by_row[MI_MAX_AXES], *with[2];
    struct mi_coordinate at[MI_MAX_RANK];
    define_matrix(e, g, &problem->variant, &text);
    mi_text_add(&text, "#define SPLIT %d\n#define PIECES p%d\n", problem->variant.number[MI_GEMM_SPLIT],
                mi_emit_scratch(e, codes->scratches - 1, false));
    e->indent = 2;
    mi_product_axes(e, c, &g->p, row, by_row);
    with[0] = mi_emit_take(e);
    e->indent = 3;
    mi_bind(e, e->kernel->anchor->out[0], "total");
    column_at(e, c, &g->p, by_row, at);
    for (int o = 0; o < results(e); o++)
        mi_emit_store(e, e->kernel->out[o], at, mi_emit_value(e, e->kernel->out[o], at, NULL), NULL);
    with[1] = mi_emit_take(e);
    const char *name = mi_arena_format(e->arena, "mica_gemm_sum_%s", e->kernel->anchor->op->name);
    return mi_emit_file(e, "gemm_sum.cl", name, &text, (const char *const[]){"MICA_ROW", "MICA_STORE"}, with, 2,
                        mi_grid_of_items(e->device, g->batch * g->rows), codes);
}

static mica_status emit(struct mi_emitter *e, const struct mi_problem *problem, struct mi_codes *codes)
{
    struct mi_gemm g;
    struct mi_layout panels;
    struct mi_text text = {0};
    const struct mi_variant *v = &problem->variant;
    const char *with[MARKERS] = {"", "", "", "", "", "", "", "", ""};
    match(problem, &g);
    g.made_a = g.p.a->node->again == MI_AGAIN_PACKED;
    g.made_b = g.p.b->node->again == MI_AGAIN_PACKED;
    if (v->number[MI_GEMM_TURNED])
        g = mi_gemm_turned(&g);
    const struct mi_layout *layout = &e->tensors[g.p.b->id].layout;
    bool ready = panel_layout(&g, v, &panels) && mi_layout_equal(layout, &panels, 2);
    bool before = v->number[MI_GEMM_PACK_B] == MI_GEMM_BEFORE;
    if (before && !ready)
        MI_TRY(emit_pack(e, &problem->c, &g, v, codes));
    define_matrix(e, &g, v, &text);
    define_cut(e, &g, v, codes, &text);
    add_panel_functions(&g, &text, "__local");
    if (v->number[MI_GEMM_TURNED] && v->number[MI_GEMM_MR] >= 4)
        add_turn(e, &g, &text);
    define_operand(e, g.p.a, g.made_a, "MATRIX_A", &text);
    if (before && !ready)
        mi_text_add(&text, "#define PANELS p%d\n", mi_emit_scratch(e, 0, false));
    else
        define_operand(e, g.p.b, g.made_b, before ? "PANELS" : "MATRIX_B", &text);
    with[PANEL_A] = mi_gemm_made(e, &problem->c, &g, true);
    with[PANEL_B] = mi_gemm_made(e, &problem->c, &g, false);
    int64_t split = v->number[MI_GEMM_SPLIT];
    if (split > 1)
        emit_pieces(e, &g, v, codes, &text, with);
    else
        emit_stores(e, problem, &g, v, with);
    with[TOTALS] = mi_gemm_totals(e, &problem->c, &g, &text);
    mi_text_add(&text, "#define FULL %d\n#define DIRECT %d\n", with[VECTORS][0] != 0, with[DIRECT][0] != 0);
    int64_t high = v->number[MI_GEMM_MB], wide = v->number[MI_GEMM_NB];
    struct mi_grid grid = {.dims = 3,
                           .global = {(size_t)mi_divide_up(g.columns, wide), (size_t)mi_divide_up(g.rows, high),
                                      (size_t)(g.batch * split)},
                           .local = {1, 1, 1}};
    const char *name = mi_arena_format(e->arena, "mica_gemm_%s", e->kernel->anchor->op->name);
    MI_TRY(mi_emit_file(e, "gemm.cl", name, &text, markers, with, MARKERS, grid, codes));
    return split > 1 ? emit_sum(e, problem, &g, codes) : MICA_OK;
}

const struct mi_engine mi_engine_gemm = {.name = "gemm",
                                         .supports = supports,
                                         .cost = cost,
                                         .variants = variants,
                                         .epilogue = true,
                                         .totals = true,
                                         .memory = true,
                                         .wishes = wishes,
                                         .by_rows = true,
                                         .packs = packs,
                                         .emit = emit};
