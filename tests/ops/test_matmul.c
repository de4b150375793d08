#include "support/reference.h"

#define TRANS_A MI_INT("transA", 1)
#define TRANS_B MI_INT("transB", 1)
#define MATMUL(a, b, ...) {"MatMul", {IN(a), IN(b)}, {__VA_ARGS__}, .reference = reference_matmul}
#define GEMM(a, b, ...) {"Gemm", {IN(a), IN(b)}, {__VA_ARGS__}, .reference = reference_gemm}

/* Every engine; what follows is computed by the one that is chosen. */
static void test_engines(void **state)
{
    struct op_case cases[] = {
        MATMUL("n 127", "64 127", TRANS_B),
        MATMUL("n 33", "n 20", TRANS_A),
        {"Gemm", {IN("n 13"), IN("13 7"), IN("7")}, .reference = reference_gemm},
        MATMUL("16 n", "5 16", TRANS_A, TRANS_B),
        MATMUL("n 5 13", "n 13 3", {0}),
    };
    for (size_t i = 0; i < MI_COUNT(cases); i++) {
        cases[i].engines = true;
        cases[i].clblast = i < 3;
    }
    OP_CHECK_ALL(state, cases);
}

static void test_matrices(void **state)
{
    const struct op_case cases[] = {
        MATMUL("n 13", "13 7", {0}), MATMUL("n 33", "n 5", TRANS_A), MATMUL("17 n", "n 20", {0}),
        MATMUL("n 1", "1 1", {0}),   MATMUL("n 0", "0 3", {0}),
    };
    OP_CHECK_ALL(state, cases);
}

static void test_batches(void **state)
{
    const struct op_case cases[] = {
        MATMUL("n 5 13", "13 7", {0}),
        MATMUL("n 2 5 4", "2 4 3", {0}),
        MATMUL("3 1 5 4", "n 4 6", {0}),
        MATMUL("n 13 5", "n 3 13", TRANS_A, TRANS_B),
        MATMUL("n 4 5", "7 5", TRANS_B),
    };
    OP_CHECK_ALL(state, cases);
}

static void test_vectors(void **state)
{
    const struct op_case cases[] = {
        MATMUL("13", "13", {0}),     MATMUL("n 13", "13", {0}),
        MATMUL("13", "13 n", {0}),   {"MatMul", {IN("13"), IN("13 n")}, .reference = reference_matmul, .batch = 4},
        MATMUL("13", "n 13 3", {0}), MATMUL("n 3 13", "13", {0}),
    };
    OP_CHECK_ALL(state, cases);
}

static void test_gemm(void **state)
{
    const struct op_case cases[] = {
        GEMM("n 13", "13 7", {0}),
        GEMM("n 13", "7 13", TRANS_B, MI_REAL("alpha", 0.5f)),
        GEMM("13 n", "13 7", TRANS_A),
        {"Gemm", {IN("n 13"), IN("13 7"), IN("n 1")}, {MI_REAL("beta", 2.0f)}, .reference = reference_gemm},
        {"Gemm", {IN("13 n"), IN("7 13"), IN("")}, {TRANS_A, TRANS_B}, .reference = reference_gemm},
    };
    OP_CHECK_ALL(state, cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_engines),
        cmocka_unit_test(test_matrices),
        cmocka_unit_test(test_batches),
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_gemm),
    };
    return cmocka_run_group_tests_name("matmul", tests, op_devices_open, op_devices_close);
}
