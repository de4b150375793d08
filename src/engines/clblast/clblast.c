/* CLBlast's matrix product. It creates kernels inside its calls, so its launches are not counted among a plan's.
 *
 * Its own tables have no entry for most CPUs under POCL; the parameters below give several times the speed of its defaults
 * there (one work-item a group, no local memory, wide vectors). They are set when a device is opened, or found by a search, and
 * never in a context that an application lent us, since they hold for the whole process. */
#include "engines/clblast/clblast.h"

#include <stdlib.h>
#include <string.h>

#if defined(MICA_CLBLAST)
#include <clblast_c.h>

struct clblast {
    void *library;
    bool used, adopted;
    CLBlastStatusCode (*sgemm)(const CLBlastLayout, const CLBlastTranspose, const CLBlastTranspose, const size_t, const size_t,
                               const size_t, const float, const cl_mem, const size_t, const size_t, const cl_mem, const size_t,
                               const size_t, const float, cl_mem, const size_t, const size_t, cl_command_queue *, cl_event *);
    CLBlastStatusCode (*override)(const cl_device_id, const char *, const CLBlastPrecision, const size_t, const char **,
                                  const size_t *);
    CLBlastStatusCode (*clear)(void);
};

static void clblast_close(void *data)
{
    struct clblast *blas = data;
    if (blas->used && !blas->adopted)
        blas->clear(); /* its caches name our context, which goes away now; an application's context, and cache, stay */
    mi_library_close(blas->library);
    free(blas);
}

static bool set_values(const mica_device *device, const struct clblast *blas, int kernel,
                       const struct mi_clblast_values *values)
{
    const struct mi_clblast_kernel *of = mi_clblast_kernel(kernel);
    const char *names[MI_CLBLAST_NUMBERS];
    size_t numbers[MI_CLBLAST_NUMBERS];
    for (int i = 0; i < of->count; i++) {
        names[i] = of->names[i];
        numbers[i] = (size_t)values->number[i];
    }
    return blas->override(device->id, of->name, CLBlastPrecisionSingle, (size_t)of->count, names, numbers) ==
           CLBlastSuccess;
}

static struct clblast *clblast_open(const mica_device *device)
{
    static const char *const names[] = {"libclblast.so.1", "libclblast.so", "clblast.dll", "libclblast.dylib"};
    const char *wanted = getenv("MICA_CLBLAST_LIBRARY");
    struct clblast *blas = mi_new(1, sizeof *blas);
    if (!blas)
        return NULL;
    blas->adopted = device->adopted;
    if (wanted && *wanted)
        blas->library = mi_library_open(wanted);
    for (size_t i = 0; !(wanted && *wanted) && !blas->library && i < MI_COUNT(names); i++)
        blas->library = mi_library_open(names[i]);
    if (!blas->library || !mi_library_symbol(blas->library, "CLBlastSgemm", &blas->sgemm, sizeof blas->sgemm) ||
        !mi_library_symbol(blas->library, "CLBlastOverrideParameters", &blas->override, sizeof blas->override) ||
        !mi_library_symbol(blas->library, "CLBlastClearCache", &blas->clear, sizeof blas->clear)) {
        free(blas);
        return NULL;
    }
    struct mi_clblast_values first;
    for (int k = 0; k < MI_CLBLAST_THRESHOLD && device->is_cpu && !device->adopted; k++)
        if (mi_clblast_candidates(device, k, &first, 1) == 1)
            set_values(device, blas, k, &first);
    return blas;
}

bool mi_clblast_ready(mica_device *device)
{
    if (!device->blas.asked) {
        device->blas.asked = true;
        device->blas.data = clblast_open(device);
        device->blas.destroy = device->blas.data ? clblast_close : NULL;
    }
    return device->blas.data != NULL;
}

bool mi_clblast_set(mica_device *device, int kernel, const struct mi_clblast_values *values)
{
    if (device->adopted || !mi_clblast_fits(device, kernel, values) || !mi_clblast_ready(device))
        return false;
    struct clblast *blas = device->blas.data;
    return set_values(device, blas, kernel, values) &&
           blas->clear() == CLBlastSuccess; /* programs of other parameters */
}

/* A product at the sizes of this step. */
static mica_status multiply(mica_device *device, struct clblast *blas, const struct mi_call *call, const struct mi_place *place,
                            const uint64_t offset[3], int64_t n, float beta)
{
    bool exact = call->lda.a || call->ldb.a || call->ldc.a;
    int64_t at = exact ? n : call->batch;
    size_t m = (size_t)mi_dim_at(call->m, at), columns = (size_t)mi_dim_at(call->n, at), k = (size_t)mi_dim_at(call->k, n);
    if (m == 0 || columns == 0)
        return MICA_OK;
    CLBlastStatusCode code = blas->sgemm(
        CLBlastLayoutRowMajor, call->transpose_a ? CLBlastTransposeYes : CLBlastTransposeNo,
        call->transpose_b ? CLBlastTransposeYes : CLBlastTransposeNo, m, columns, k, 1.0f, place[0].mem, offset[0],
        (size_t)mi_dim_at(call->lda, at), place[1].mem, offset[1], (size_t)mi_dim_at(call->ldb, at), beta, place[2].mem,
        offset[2], (size_t)mi_dim_at(call->ldc, at), &device->queue, NULL);
    if (code != CLBlastSuccess)
        return mi_fail(&device->error, MICA_DEVICE, "CLBlast could not multiply (%zu x %zu) by (%zu x %zu): status %d", m, k, k,
                       columns, (int)code);
    return MICA_OK;
}

static mica_status run(mica_device *device, const struct mi_call *call, const struct mi_place *place, int64_t n)
{
    struct clblast *blas = device->blas.data;
    blas->used = true;
    if (!call->images)
        return multiply(device, blas, call, place, (const uint64_t[]){place[0].offset, place[1].offset, place[2].offset}, n, 0);
    for (int64_t i = 0; i < call->images && call->first + i < n; i++) {
        int64_t a = call->per_chunk_a ? i : call->first + i, b = call->per_chunk_b ? i : call->first + i;
        int64_t c = call->per_chunk_c ? i : call->first + i;
        uint64_t offset[3] = {place[0].offset + (uint64_t)(a * call->image_a), place[1].offset + (uint64_t)(b * call->image_b),
                              place[2].offset + (uint64_t)(c * call->image_c)};
        bool more = call->accumulate && call->first + i > 0;
        MI_TRY(multiply(device, blas, call, place, offset, n, more ? 1.0f : 0.0f));
    }
    return MICA_OK;
}

/* The leading dimension of a matrix with these strides; one of them must be 1 (an extent of 1 has no stride). */
static bool matrix(struct mi_dim row, struct mi_dim column, struct mi_dim rows, struct mi_dim columns, struct mi_dim *ld,
                   bool *transposed)
{
    bool one_row = mi_dim_is(rows, 1), one_column = mi_dim_is(columns, 1);
    *transposed = !(one_column || mi_dim_is(column, 1));
    if (*transposed && !(one_row || mi_dim_is(row, 1)))
        return false;
    if (*transposed)
        *ld = column;
    else
        *ld = one_row ? columns : row;
    return !mi_dim_is(*ld, 0);
}

bool mi_clblast_call(struct mi_emitter *e, const struct mi_product *p, int64_t batch, struct mi_call **out)
{
    struct mi_call call = {.run = run, .m = p->extent[MI_PRODUCT_M], .n = p->extent[MI_PRODUCT_N],
                           .k = p->extent[MI_PRODUCT_K], .batch = batch};
    bool transposed;
    if (!matrix(p->stride_a[MI_PRODUCT_M], p->stride_a[MI_PRODUCT_K], call.m, call.k, &call.lda, &call.transpose_a) ||
        !matrix(p->stride_b[MI_PRODUCT_K], p->stride_b[MI_PRODUCT_N], call.k, call.n, &call.ldb, &call.transpose_b) ||
        !matrix(p->stride_c[MI_PRODUCT_M], p->stride_c[MI_PRODUCT_N], call.m, call.n, &call.ldc, &transposed) || transposed)
        return false;
    if (e) {
        *out = mi_arena_new(e->arena, 1, sizeof **out);
        if (*out)
            **out = call;
    }
    return true;
}

#else

bool mi_clblast_ready(mica_device *device)
{
    (void)device;
    return false;
}

bool mi_clblast_set(mica_device *device, int kernel, const struct mi_clblast_values *values)
{
    (void)device, (void)kernel, (void)values;
    return false;
}

bool mi_clblast_call(struct mi_emitter *e, const struct mi_product *product, int64_t batch, struct mi_call **out)
{
    (void)e, (void)product, (void)batch, (void)out;
    return false;
}

#endif

/* ---- The engine ---- */

static bool supports(const struct mi_problem *problem)
{
    struct mi_product p;
    return problem->c.out.value->type == MI_FLOAT && mi_clblast_ready(problem->device) && mi_product_match(&problem->c, &p) &&
           mi_dim_is(p.extent[MI_PRODUCT_BATCH], 1) && mi_clblast_call(NULL, &p, problem->batch, NULL);
}

/* On a CPU its start-up, seconds for each class of shapes, and the epilogue's own launch count against it. */
static double cost(const struct mi_problem *problem)
{
    return 2e-5 + mi_problem_products(problem) / (problem->device->is_cpu ? 1e8 : 2e11);
}

static mica_status emit(struct mi_emitter *e, const struct mi_problem *problem, struct mi_codes *codes)
{
    struct mi_product p;
    struct mi_call *call = NULL;
    mi_product_match(&problem->c, &p);
    struct mi_code *code = mi_code_add(e, codes);
    if (!code || !mi_clblast_call(e, &p, problem->batch, &call) || !call)
        return mi_out_of_memory(e->error);
    *code = (struct mi_code){.name = "CLBlastSgemm", .call = call, .arguments = 3};
    code->argument[0] = (struct mi_argument){.value = p.a->node->out[p.a->output], .scratch = -1};
    code->argument[1] = (struct mi_argument){.value = p.b->node->out[p.b->output], .scratch = -1};
    code->argument[2] = (struct mi_argument){.value = e->kernel->anchor->out[0], .scratch = -1, .written = true};
    return MICA_OK;
}

const struct mi_engine mi_engine_clblast = {.name = "clblast", .supports = supports, .cost = cost, .memory = true,
                                             .calls = true, .emit = emit};
