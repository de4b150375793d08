#include "support/reference.h"

/* The element of row i and column k of the matrix that t is at the batch coordinates `at`, of `batch`
 * axes. */
static double matrix_at(const struct tensor *t, bool transposed, int batch, const int64_t *at, int64_t i,
                        int64_t k)
{
    int64_t own[MI_MAX_RANK];
    int lead = t->rank - 2;
    for (int d = 0; d < lead; d++)
        own[d] = t->dim[d] == 1 ? 0 : at[batch - lead + d];
    own[lead] = transposed ? k : i;
    own[lead + 1] = transposed ? i : k;
    return t->data[tensor_offset(t, own)];
}

/* A vector as a matrix of one row (left) or one column (right). */
static struct tensor as_matrix(const struct tensor *t, bool row)
{
    struct tensor matrix = *t;
    if (t->rank == 1) {
        matrix.rank = 2;
        matrix.dim[0] = row ? 1 : t->dim[0];
        matrix.dim[1] = row ? t->dim[0] : 1;
    }
    return matrix;
}

void reference_matmul(const struct op_case *c, const struct tensor *in, struct tensor *out)
{
    struct tensor a = as_matrix(&in[0], true), b = as_matrix(&in[1], false);
    bool trans_a = op_int(c, "transA", 0) != 0 && in[0].rank > 1,
         trans_b = op_int(c, "transB", 0) != 0 && in[1].rank > 1;
    int64_t m = a.dim[a.rank - (trans_a ? 1 : 2)], k = a.dim[a.rank - (trans_a ? 2 : 1)];
    int64_t n = b.dim[b.rank - (trans_b ? 2 : 1)], at[MI_MAX_RANK] = {0};
    struct tensor batches = {.rank = out->rank - (in[0].rank > 1) - (in[1].rank > 1)};
    for (int d = 0; d < batches.rank; d++)
        batches.dim[d] = out->dim[d];
    int64_t place = 0;
    if (out->count == 0)
        return;
    do
        for (int64_t i = 0; i < m; i++)
            for (int64_t j = 0; j < n; j++) {
                double sum = 0;
                for (int64_t r = 0; r < k; r++)
                    sum += matrix_at(&a, trans_a, batches.rank, at, i, r) *
                           matrix_at(&b, trans_b, batches.rank, at, r, j);
                out->data[place++] = sum;
            }
    while (tensor_next(&batches, at));
}

void reference_gemm(const struct op_case *c, const struct tensor *in, struct tensor *out)
{
    reference_matmul(c, in, out);
    double alpha = op_float(c, "alpha", 1), beta = op_float(c, "beta", 1);
    int64_t at[MI_MAX_RANK] = {0}, i = 0;
    if (out->count == 0)
        return;
    do {
        out->data[i] *= alpha;
        if (c->in[2].shape)
            out->data[i] += beta * tensor_broadcast(&in[2], 2, at);
        i++;
    } while (tensor_next(out, at));
}
