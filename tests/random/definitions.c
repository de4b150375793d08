#include "random/definitions.h"

#include "support/reference.h"

#include <math.h>
#include <string.h>

/* ---- Element by element ---- */

#define A x[0]
#define B x[1]
#define REAL(name, otherwise) op_float(c, #name, (otherwise))
#define ELEMENTS(X)                                                                                          \
    X(Add, A + B) X(Sub, A - B) X(Mul, A * B) X(Div, A / B) X(Neg, -A) X(Abs, fabs(A)) X(Identity, A)        \
    X(Sign, A > 0 ? 1 : A < 0 ? -1 : A) X(Min, isnan(A) || A < B ? A : B) X(Max, isnan(A) || A > B ? A : B)  \
    X(Exp, exp(A)) X(Log, log(A)) X(Sqrt, sqrt(A)) X(Reciprocal, 1 / A) X(Sin, sin(A)) X(Cos, cos(A))        \
    X(Erf, erf(A)) X(Floor, floor(A)) X(Ceil, ceil(A)) X(Round, rint(A)) X(Pow, pow(A, B))                   \
    X(Clip, fmin(fmax(A, REAL(min, -(double)INFINITY)), REAL(max, (double)INFINITY)))                        \
    X(Equal, A == B) X(Greater, A > B) X(Less, A < B) X(GreaterOrEqual, A >= B) X(LessOrEqual, A <= B)       \
    X(And, A != 0 && B != 0) X(Or, A != 0 || B != 0) X(Not, A == 0) X(Where, A != 0 ? B : x[2])              \
    X(Step, isnan(A) ? A : A > 0) X(SquaredError, (A - B) * (A - B))                                         \
    X(Relu, isnan(A) ? A : fmax(A, 0)) X(Relu6, isnan(A) ? A : fmin(fmax(A, 0), 6))                          \
    X(LeakyRelu, A < 0 ? REAL(alpha, 0.01) * A : A) X(Elu, A < 0 ? REAL(alpha, 1) * (exp(A) - 1) : A)        \
    X(Celu, A < 0 ? REAL(alpha, 1) * (exp(A / REAL(alpha, 1)) - 1) : A)                                      \
    X(Selu, REAL(gamma, 1.05070102214813) * (A < 0 ? REAL(alpha, 1.67326319217681) * (exp(A) - 1) : A))      \
    X(Sigmoid, 1 / (1 + exp(-A))) X(Tanh, tanh(A)) X(Softplus, log1p(exp(A))) X(Softsign, A / (1 + fabs(A))) \
    X(ThresholdedRelu, A <= REAL(alpha, 1) ? 0 : A) X(HardSwish, A * fmin(fmax(A / 6 + 0.5, 0), 1))          \
    X(HardSigmoid, isnan(A) ? A : fmin(fmax(REAL(alpha, 0.2) * A + REAL(beta, 0.5), 0), 1))                  \
    X(Silu, A / (1 + exp(-A))) X(PRelu, A < 0 ? A * B : A) X(LogSigmoid, -log1p(exp(-A))) X(TanhShrink, A - tanh(A)) \
    X(Mish, A * tanh(log1p(exp(A)))) X(Squareplus, (A + sqrt(A * A + REAL(b, 4))) / 2)                       \
    X(SparsePlus, A <= -1 ? 0 : A >= 1 ? A : (A + 1) * (A + 1) / 4)                                          \
    X(Threshold, A <= REAL(threshold, 0) ? REAL(value, 0) : A)                                               \
    X(Shrink, fabs(A) <= REAL(lambd, 0.5) ? 0 : A < 0 ? A + REAL(bias, 0) : A - REAL(bias, 0))               \
    X(BoundedRelu, A > REAL(threshold, 0) ? fmin(A, REAL(max, (double)INFINITY)) : REAL(alpha, 0) * (A - REAL(threshold, 0)))

#define DEFINE(name, expression)                                                                             \
    static double element_##name(const double *x, const struct op_case *c)                                  \
    {                                                                                                        \
        (void)c;                                                                                             \
        return expression;                                                                                   \
    }
ELEMENTS(DEFINE)

typedef double element(const double *x, const struct op_case *c);
static const struct { const char *name; element *value; } elements[] = {
#define ROW(name, expression) {#name, element_##name},
    ELEMENTS(ROW)
};

static void define_elements(const struct op_case *c, const struct tensor *in, struct tensor *out)
{
    int64_t at[MI_MAX_RANK] = {0}, i = 0;
    element *value = NULL;
    for (size_t k = 0; k < MI_COUNT(elements); k++)
        if (strcmp(elements[k].name, c->op) == 0)
            value = elements[k].value;
    if (out->count)
        do {
            double x[3] = {0};
            for (int k = 0; k < 3 && c->in[k].shape; k++)
                x[k] = tensor_broadcast(&in[k], out->rank, at);
            out->data[i++] = value(x, c);
        } while (tensor_next(out, at));
}

static void define_cast(const struct op_case *c, const struct tensor *in, struct tensor *out)
{
    (void)c;
    for (int64_t i = 0; i < out->count; i++)
        out->data[i] = out->type == MI_FLOAT ? in[0].data[i] : out->type == MI_BOOL ? in[0].data[i] != 0 : trunc(in[0].data[i]);
}

/* ---- Moves ---- */

static void define_same_order(const struct op_case *c, const struct tensor *in, struct tensor *out)
{
    (void)c;
    memcpy(out->data, in[0].data, (size_t)out->count * sizeof *out->data);
}

static void define_transpose(const struct op_case *c, const struct tensor *in, struct tensor *out)
{
    int count, rank = out->rank;
    const int64_t *perm = op_ints(c, "perm", &count);
    int64_t at[MI_MAX_RANK] = {0}, from[MI_MAX_RANK], i = 0;
    if (out->count)
        do {
            for (int d = 0; d < rank; d++)
                from[perm ? perm[d] : rank - 1 - d] = at[d];
            out->data[i++] = in[0].data[tensor_offset(&in[0], from)];
        } while (tensor_next(out, at));
}

static void define_slice(const struct op_case *c, const struct tensor *in, struct tensor *out)
{
    int count;
    const int64_t *starts = op_ints(c, "starts", &count), *axes = op_ints(c, "axes", &count), *steps = op_ints(c, "steps", &count);
    int64_t at[MI_MAX_RANK] = {0}, from[MI_MAX_RANK], i = 0;
    if (out->count)
        do {
            memcpy(from, at, sizeof from);
            for (int k = 0; k < count; k++)
                from[axes[k]] = (starts[k] < 0 ? starts[k] + in[0].dim[axes[k]] : starts[k]) + at[axes[k]] * steps[k];
            out->data[i++] = in[0].data[tensor_offset(&in[0], from)];
        } while (tensor_next(out, at));
}

static void define_concat(const struct op_case *c, const struct tensor *in, struct tensor *out)
{
    int64_t axis = op_int(c, "axis", 0), at[MI_MAX_RANK] = {0}, from[MI_MAX_RANK], i = 0;
    axis += axis < 0 ? out->rank : 0;
    if (out->count)
        do {
            int k = 0;
            memcpy(from, at, sizeof from);
            while (from[axis] >= in[k].dim[axis])
                from[axis] -= in[k++].dim[axis];
            out->data[i++] = in[k].data[tensor_offset(&in[k], from)];
        } while (tensor_next(out, at));
}

static void define_expand(const struct op_case *c, const struct tensor *in, struct tensor *out)
{
    (void)c;
    int64_t at[MI_MAX_RANK] = {0}, i = 0;
    if (out->count)
        do
            out->data[i++] = tensor_broadcast(&in[0], out->rank, at);
        while (tensor_next(out, at));
}

static void define_pad(const struct op_case *c, const struct tensor *in, struct tensor *out)
{
    int count;
    const int64_t *pads = op_ints(c, "pads", &count);
    int64_t at[MI_MAX_RANK] = {0}, from[MI_MAX_RANK], i = 0;
    if (out->count)
        do {
            bool inside = true;
            for (int d = 0; d < out->rank; d++) {
                from[d] = at[d] - pads[d];
                inside = inside && from[d] >= 0 && from[d] < in[0].dim[d];
            }
            out->data[i++] = inside ? in[0].data[tensor_offset(&in[0], from)] : op_float(c, "fill", 0);
        } while (tensor_next(out, at));
}

static void define_gather(const struct op_case *c, const struct tensor *in, struct tensor *out)
{
    int64_t axis = op_int(c, "axis", 0), at[MI_MAX_RANK] = {0}, from[MI_MAX_RANK], i = 0;
    int inner = in[1].rank;
    if (out->count)
        do {
            memcpy(from, at, sizeof from);
            int64_t row = (int64_t)in[1].data[tensor_offset(&in[1], at + axis)];
            from[axis] = row < 0 ? row + in[0].dim[axis] : row;
            for (int d = (int)axis + 1; d < in[0].rank; d++)
                from[d] = at[d - 1 + inner];
            bool there = from[axis] >= 0 && from[axis] < in[0].dim[axis];
            out->data[i++] = there ? in[0].data[tensor_offset(&in[0], from)] : (double)NAN;
        } while (tensor_next(out, at));
}

/* ---- Reductions ---- */

/* The reduced axes and the coordinates of what is kept, whichever way the result has them. */
static uint32_t reduced_axes(const struct op_case *c, int rank)
{
    int count;
    const int64_t *axes = op_ints(c, "axes", &count);
    uint32_t mask = 0;
    for (int i = 0; i < count; i++)
        mask |= 1u << (axes[i] < 0 ? axes[i] + rank : axes[i]);
    return axes ? mask : (1u << rank) - 1;
}

static void fold(const struct op_case *c, const struct tensor *x, uint32_t mask, struct tensor *out)
{
    struct tensor kept = *x;
    int64_t at[MI_MAX_RANK] = {0}, own[MI_MAX_RANK], folded = 1;
    bool sums = strcmp(c->op, "ReduceSum") == 0, averages = strstr(c->op, "Mean") || strstr(c->op, "Average");
    bool multiplies = strcmp(c->op, "ReduceProd") == 0, least = strcmp(c->op, "ReduceMin") == 0;
    double begin = multiplies ? 1 : sums || averages ? 0 : least ? (double)INFINITY : -(double)INFINITY;
    for (int d = 0; d < x->rank; d++) {
        folded *= mask >> d & 1 ? x->dim[d] : 1;
        kept.dim[d] = mask >> d & 1 ? 1 : x->dim[d];
    }
    for (int64_t i = 0; i < out->count; i++)
        out->data[i] = begin;
    for (int64_t i = 0; i < x->count; i++, tensor_next(x, at)) {
        for (int d = 0; d < x->rank; d++)
            own[d] = mask >> d & 1 ? 0 : at[d];
        double *to = &out->data[tensor_offset(&kept, own)], value = x->data[i];
        bool takes = isnan(value) || (least ? value < *to : value > *to);
        *to = multiplies ? *to * value : sums || averages ? *to + value : takes ? value : *to;
    }
    for (int64_t i = 0; i < out->count && averages; i++)
        out->data[i] /= (double)folded;
}

static void define_reduce(const struct op_case *c, const struct tensor *in, struct tensor *out)
{
    fold(c, &in[0], reduced_axes(c, in[0].rank), out);
}

static void define_global_pool(const struct op_case *c, const struct tensor *in, struct tensor *out)
{
    fold(c, &in[0], ((1u << in[0].rank) - 1) & ~3u, out);
}

/* The first place of each line along an axis; how many there are and how far apart its places lie. */
static int64_t line_of(const struct op_case *c, const struct tensor *x, int64_t i, int64_t *size, int64_t *stride)
{
    int64_t axis = op_int(c, "axis", strcmp(c->op, "ArgMax") == 0 ? 0 : -1);
    axis += axis < 0 ? x->rank : 0;
    *size = x->dim[axis];
    *stride = 1;
    for (int d = (int)axis + 1; d < x->rank; d++)
        *stride *= x->dim[d];
    return i / *stride * *stride * *size + i % *stride;
}

static void define_argmax(const struct op_case *c, const struct tensor *in, struct tensor *out)
{
    bool last = op_int(c, "select_last_index", 0) != 0;
    int64_t size, stride;
    for (int64_t i = 0; i < out->count; i++) {
        const double *x = in[0].data + line_of(c, &in[0], i, &size, &stride);
        int64_t best = 0;
        for (int64_t k = 1; k < size; k++)
            if (x[k * stride] > x[best * stride] || (last && x[k * stride] >= x[best * stride]))
                best = k;
        out->data[i] = (double)best;
    }
}

static void define_softmax(const struct op_case *c, const struct tensor *in, struct tensor *out)
{
    int64_t size, stride;
    for (int64_t line = 0; in[0].count && (line_of(c, &in[0], 0, &size, &stride), line < in[0].count / size); line++) {
        int64_t first = line_of(c, &in[0], line, &size, &stride);
        double sum = 0;
        for (int64_t k = 0; k < size; k++)
            sum += exp(in[0].data[first + k * stride]);
        for (int64_t k = 0; k < size; k++) {
            double x = in[0].data[first + k * stride];
            out->data[first + k * stride] = c->op[0] == 'L' ? x - log(sum) : exp(x) / sum;
        }
    }
}

/* ---- Normalisation: y, and the running mean and variance ---- */

static void channel_statistics(const struct tensor *x, int64_t channel, double *mean, double *variance, double *count)
{
    int64_t at[MI_MAX_RANK] = {0};
    double sum = 0, squares = 0;
    *count = 0;
    for (int64_t i = 0; i < x->count; i++, tensor_next(x, at))
        if (at[1] == channel) {
            sum += x->data[i];
            ++*count;
        }
    *mean = sum / *count;
    memset(at, 0, sizeof at);
    for (int64_t i = 0; i < x->count; i++, tensor_next(x, at))
        if (at[1] == channel)
            squares += (x->data[i] - *mean) * (x->data[i] - *mean);
    *variance = squares / *count;
}

static void normalize(const struct op_case *c, const struct tensor *in, struct tensor *out, bool training)
{
    double epsilon = op_float(c, "epsilon", 1e-5), momentum = op_float(c, "momentum", (double)0.9f), count;
    for (int64_t channel = 0; channel < in[1].count; channel++) {
        double mean = in[3].data[channel], variance = in[4].data[channel];
        out[1].data[channel] = mean;
        out[2].data[channel] = variance;
        if (training) {
            channel_statistics(&in[0], channel, &mean, &variance, &count);
            out[1].data[channel] = momentum * in[3].data[channel] + (1 - momentum) * mean;
            if (count > 1)
                out[2].data[channel] = momentum * in[4].data[channel] + (1 - momentum) * variance * count / (count - 1);
        }
        int64_t at[MI_MAX_RANK] = {0};
        for (int64_t i = 0; i < in[0].count; i++, tensor_next(&in[0], at))
            if (at[1] == channel)
                out[0].data[i] = (in[0].data[i] - mean) / sqrt(variance + epsilon) * in[1].data[channel] + in[2].data[channel];
    }
}

static void define_trained(const struct op_case *c, const struct tensor *in, struct tensor *out)
{
    normalize(c, in, out, true);
}

static void define_normalized(const struct op_case *c, const struct tensor *in, struct tensor *out)
{
    normalize(c, in, out, false);
}

/* ---- By name ---- */

static const struct { const char *name; op_reference *reference; } others[] = {
    {"Cast", define_cast},           {"Reshape", define_same_order},   {"Flatten", define_same_order},
    {"Squeeze", define_same_order},  {"Unsqueeze", define_same_order}, {"Transpose", define_transpose},
    {"Slice", define_slice},         {"Concat", define_concat},        {"Expand", define_expand},
    {"Pad", define_pad},             {"Gather", define_gather},        {"ReduceSum", define_reduce},
    {"ReduceMean", define_reduce},   {"ReduceMax", define_reduce},     {"ReduceMin", define_reduce},
    {"ReduceProd", define_reduce},   {"ArgMax", define_argmax},        {"Softmax", define_softmax},
    {"LogSoftmax", define_softmax},  {"MatMul", reference_matmul},     {"Gemm", reference_gemm},
    {"Conv", reference_conv},        {"MaxPool", reference_max_pool},  {"AveragePool", reference_average_pool},
    {"GlobalMaxPool", define_global_pool}, {"GlobalAveragePool", define_global_pool}};

op_reference *definition_of(const char *op, bool training)
{
    if (strcmp(op, "BatchNormalization") == 0)
        return training ? define_trained : define_normalized;
    if (strcmp(op, "Dropout") == 0 && !training)
        return define_same_order;
    for (size_t i = 0; i < MI_COUNT(others); i++)
        if (strcmp(others[i].name, op) == 0)
            return others[i].reference;
    for (size_t i = 0; i < MI_COUNT(elements); i++)
        if (strcmp(elements[i].name, op) == 0)
            return define_elements;
    return NULL;
}
