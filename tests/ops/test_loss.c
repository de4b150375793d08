#include "support/ops.h"

#include <math.h>
#include <string.h>

/* ---- Element by element ---- */

static double squared(const double *x) { return (x[0] - x[1]) * (x[0] - x[1]); }
static double log_probability(const double *x) { return log(fmin(fmax(x[0], 1e-7), 1 - 1e-7)); }
static double binary(const double *x) { return -x[1] * log(x[0]) - (1 - x[1]) * log(1 - x[0]); }
static double binary_logits(const double *x)
{
    return (x[0] > 0 ? x[0] : 0) - x[0] * x[1] + log1p(exp(-fabs(x[0])));
}

static void test_elements(void **state)
{
    const double edges[] = {0, 0.5};
    const struct op_case cases[] = {
        {"SquaredError", {IN("n 13"), IN("n 13")}, .map = squared},
        {"LogProbability", {IN_RANGE("n 13", 0.01, 0.99)}, .map = log_probability},
        {"LogProbability",
         {{.shape = "n 2", .low = 0.1, .high = 0.9, .first = edges, .firsts = 2}},
         .map = log_probability,
         .no_gradient = true},
        {"BinaryCrossEntropy", {IN_RANGE("n 13", 0.01, 0.99), IN_RANGE("n 13", 0, 1)}, .map = binary},
        {"BinaryCrossEntropyWithLogits",
         {IN_RANGE("n 13", -20, 20), IN_RANGE("n 13", 0, 1)},
         .map = binary_logits},
    };
    OP_CHECK_ALL(state, cases);
}

/* ---- Class labels ---- */

static double log_softmax_at(const struct tensor *x, int64_t inner, int64_t sample, int64_t k)
{
    int64_t classes = x->dim[1], base = sample / inner * classes * inner + sample % inner;
    double most = -(double)INFINITY, sum = 0;
    for (int64_t i = 0; i < classes; i++)
        most = fmax(most, x->data[base + i * inner]);
    for (int64_t i = 0; i < classes; i++)
        sum += exp(x->data[base + i * inner] - most);
    return x->data[base + k * inner] - most - log(sum);
}

static void reference_labels(const struct op_case *c, const struct tensor *in, struct tensor *out)
{
    const struct tensor *x = &in[0], *labels = &in[1];
    const char *reduction = NULL;
    bool ignores = false, softmax = c->op[0] == 'S';
    int64_t inner = 1, ignored = op_int(c, "ignore_index", 0);
    double sum = 0, count = 0;
    for (int i = 0; i < OP_ATTRIBUTES && c->attribute[i].name; i++) {
        ignores = ignores || strcmp(c->attribute[i].name, "ignore_index") == 0;
        if (strcmp(c->attribute[i].name, "reduction") == 0)
            reduction = c->attribute[i].s;
    }
    for (int i = 2; i < x->rank; i++)
        inner *= x->dim[i];
    for (int64_t i = 0; i < labels->count; i++) {
        int64_t k = (int64_t)labels->data[i], base = i / inner * x->dim[1] * inner + i % inner;
        bool counts = !ignores || k != ignored, exists = k >= 0 && k < x->dim[1];
        double loss = !counts   ? 0
                      : !exists ? (double)NAN
                      : softmax ? -log_softmax_at(x, inner, i, k)
                                : -x->data[base + k * inner];
        sum += loss;
        count += counts;
        if (reduction && strcmp(reduction, "none") == 0)
            out[0].data[i] = loss;
        for (int64_t j = 0; softmax && j < x->dim[1]; j++)
            out[1].data[base + j * inner] = log_softmax_at(x, inner, i, j);
    }
    if (!reduction || strcmp(reduction, "none") != 0)
        out[0].data[0] = reduction && strcmp(reduction, "sum") == 0 ? sum : sum / count;
}

#define LABELS(op, count, x, sizes, from, to, ...) \
    {op, {IN(x), INTEGERS(sizes, from, to)}, {__VA_ARGS__}, .reference = reference_labels, .outputs = (count)}
#define REDUCTION(name) MI_TEXT("reduction", name)

static void test_softmax_cross_entropy(void **state)
{
    const double labels[] = {1, 2, 0}; /* the only sample of n = 1 counts */
    const struct op_case cases[] = {
        LABELS("SoftmaxCrossEntropyLoss", 2, "n 10", "n", 0, 9, {0}),
        LABELS("SoftmaxCrossEntropyLoss", 2, "n 127", "n", 0, 126, REDUCTION("sum")),
        LABELS("SoftmaxCrossEntropyLoss", 2, "n 10", "n", 0, 9, REDUCTION("none")),
        LABELS("SoftmaxCrossEntropyLoss", 2, "n 5 3", "n 3", 0, 4, {0}),
        LABELS("SoftmaxCrossEntropyLoss", 2, "n 5 2 3", "n 2 3", 0, 4, REDUCTION("none")),
        {"SoftmaxCrossEntropyLoss",
         {IN("n 4"), {.shape = "n", .type = MI_INT32, .high = 3, .first = labels, .firsts = 3}},
         {MI_INT("ignore_index", 2)},
         .reference = reference_labels,
         .outputs = 2},
        LABELS("SoftmaxCrossEntropyLoss", 2, "n 4", "n", -1, 3, MI_INT("ignore_index", -1), REDUCTION("sum")),
    };
    OP_CHECK_ALL(state, cases);
}

static void test_likelihood(void **state)
{
    const struct op_case cases[] = {
        LABELS("NegativeLogLikelihoodLoss", 1, "n 10", "n", 0, 9, {0}),
        LABELS("NegativeLogLikelihoodLoss", 1, "n 5 3", "n 3", 0, 4, REDUCTION("none")),
        LABELS("NegativeLogLikelihoodLoss", 1, "n 5", "n", 1, 4, MI_INT("ignore_index", 9)),
    };
    OP_CHECK_ALL(state, cases);
}

static void test_label_outside(void **state)
{
    const double wild[] = {10, -1, 3};
    const struct op_case cases[] = {
        {"SoftmaxCrossEntropyLoss",
         {IN("n 10"), {.shape = "n", .type = MI_INT32, .high = 9, .first = wild, .firsts = 3}},
         {REDUCTION("none")},
         .reference = reference_labels,
         .outputs = 2,
         .no_gradient = true}};
    OP_CHECK_ALL(state, cases);
}

/* ---- Probabilities as targets ---- */

static void reference_categorical(const struct op_case *c, const struct tensor *in, struct tensor *out)
{
    int64_t classes = in[0].dim[in[0].rank - 1];
    for (int64_t i = 0; i < out->count; i++) {
        const double *x = in[0].data + i * classes, *t = in[1].data + i * classes;
        struct tensor row = {.rank = 2, .dim = {1, classes}, .data = in[0].data + i * classes};
        out->data[i] = 0;
        for (int64_t k = 0; k < classes; k++)
            out->data[i] -= t[k] * (op_int(c, "from_logits", 0) ? log_softmax_at(&row, 1, 0, k) : log(x[k]));
    }
}

static void test_categorical(void **state)
{
    const struct op_case cases[] = {
        {"CategoricalCrossEntropy",
         {IN("n 10"), IN_RANGE("n 10", 0, 1)},
         {MI_INT("from_logits", 1)},
         .reference = reference_categorical},
        {"CategoricalCrossEntropy",
         {IN("n 3 4"), IN_RANGE("n 3 4", 0, 1)},
         {MI_INT("from_logits", 1)},
         .reference = reference_categorical},
        {"CategoricalCrossEntropy",
         {IN_RANGE("n 10", 0.05, 0.9), IN_RANGE("n 10", 0, 1)},
         .reference = reference_categorical},
    };
    OP_CHECK_ALL(state, cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_elements),      cmocka_unit_test(test_softmax_cross_entropy),
        cmocka_unit_test(test_likelihood),    cmocka_unit_test(test_label_outside),
        cmocka_unit_test(test_categorical),
    };
    return cmocka_run_group_tests_name("loss", tests, op_devices_open, op_devices_close);
}
