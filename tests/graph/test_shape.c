/* Shapes whose dimensions are affine in the batch. */
#include "support/network.h"

static struct mi_dim dim(int64_t a, int64_t b)
{
    return (struct mi_dim){a, b};
}

static void test_dims(void **state)
{
    (void)state;
    assert_true(mi_dim_equal(mi_batch(), dim(1, 0)));
    assert_false(mi_dim_equal(mi_batch(), mi_fixed(1)));
    assert_true(mi_dim_is(mi_fixed(7), 7));
    assert_false(mi_dim_is(dim(1, 7), 7));
    assert_int_equal(mi_dim_at(dim(2, 3), 5), 13);
    assert_int_equal(mi_dim_at(dim(2, -1), 0), -1);
}

static void test_counts(void **state)
{
    static const struct {
        struct mi_shape shape;
        int64_t n, count;
    } rows[] = {
        {{0}, 5, 1},
        {{.rank = 1, .dim = {{1, 0}}}, 5, 5},
        {{.rank = 2, .dim = {{1, 0}, {0, 3}}}, 0, 0},
        {{.rank = 2, .dim = {{2, 1}, {0, 3}}}, 5, 33},
        {{.rank = 2, .dim = {{1, 0}, {1, 0}}}, 5, 25},
        {{.rank = 1, .dim = {{1, -6}}}, 5, -1},                             /* less than nothing */
        {{.rank = 2, .dim = {{1, 0}, {0, (int64_t)1 << 60}}}, 16, -1},      /* too many */
        {{.rank = 3, .dim = {{0, (int64_t)1 << 40}, {0, (int64_t)1 << 40}, {0, 0}}}, 1, -1},
        {{.rank = 2, .dim = {{0, 0}, {0, INT64_MAX}}}, 1, 0},
    };
    (void)state;
    for (size_t i = 0; i < MI_COUNT(rows); i++)
        if (mi_shape_count(&rows[i].shape, rows[i].n) != rows[i].count)
            fail_msg("row %zu: %lld elements, expected %lld", i, (long long)mi_shape_count(&rows[i].shape, rows[i].n),
                     (long long)rows[i].count);
}

static void test_products(void **state)
{
    struct mi_shape shape = {.rank = 4, .dim = {{2, 1}, {0, 3}, {0, 4}, {1, 0}}};
    struct mi_dim product;
    (void)state;
    assert_true(mi_shape_product(&shape, 0, 3, &product));
    assert_true(mi_dim_equal(product, dim(24, 12)));
    assert_true(mi_shape_product(&shape, 1, 4, &product));
    assert_true(mi_dim_equal(product, dim(12, 0)));
    assert_true(mi_shape_product(&shape, 2, 2, &product));
    assert_true(mi_dim_is(product, 1));
    assert_false(mi_shape_product(&shape, 0, 4, &product)); /* quadratic in n */
}

static void test_broadcasting(void **state)
{
    static const struct {
        const char *x, *y, *out; /* NULL: does not fit */
    } rows[] = {
        {"", "", ""},         {"n 3", "", "n 3"},     {"n 3", "3", "n 3"},   {"n 1", "1 4", "n 4"}, {"2 1 4", "n 1", "2 n 4"},
        {"n 3", "n 3", "n 3"}, {"n 3", "4", NULL},     {"n", "3", NULL},     {"3", "n", NULL},      {"5 1", "1 n 1 7", "1 n 5 7"},
        {"0 3", "1 3", "0 3"}, {"n 0", "n 1", "n 0"},
    };
    (void)state;
    for (size_t i = 0; i < MI_COUNT(rows); i++) {
        struct mi_shape x = network_shape(rows[i].x), y = network_shape(rows[i].y), got, expected, back;
        bool fits = mi_shape_broadcast(&x, &y, &got);
        if (fits != (rows[i].out != NULL) || mi_shape_broadcast(&y, &x, &back) != fits)
            fail_msg("(%s) with (%s)", rows[i].x, rows[i].y);
        if (!fits)
            continue;
        expected = network_shape(rows[i].out);
        assert_true(mi_shape_equal(&got, &expected) && mi_shape_equal(&back, &expected));
    }
}

static void test_texts(void **state)
{
    struct mi_arena arena = {0};
    struct mi_shape shape = {.rank = 5, .dim = {{1, 0}, {2, 0}, {2, 3}, {0, 28}, {1, -1}}}, scalar = {0};
    (void)state;
    assert_string_equal(mi_shape_text(&arena, &shape), "(n, (2*n), (2*n + 3), 28, (1*n + -1))");
    assert_string_equal(mi_shape_text(&arena, &scalar), "()");
    mi_arena_destroy(&arena);
}

static void test_equality(void **state)
{
    struct mi_shape x = network_shape("n 3"), y = network_shape("n 3 1"), z = network_shape("n 4");
    (void)state;
    assert_true(mi_shape_equal(&x, &x));
    assert_false(mi_shape_equal(&x, &y) || mi_shape_equal(&x, &z));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dims),         cmocka_unit_test(test_counts), cmocka_unit_test(test_products),
        cmocka_unit_test(test_broadcasting), cmocka_unit_test(test_texts),  cmocka_unit_test(test_equality),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
