/* What a network has spelled: arguments that are refused. */
#include "api.h"

#include <mica/ctc.h>

#include <math.h>

static const float scores[6] = {0, 1, 2, 2, 1, 0};

static void greedy(void **state)
{
    int32_t labels[2];
    int64_t count = 7;
    (void)state;
    assert_int_equal(mica_ctc_greedy(NULL, 2, 3, 0, labels, &count), MICA_INVALID_ARGUMENT);
    assert_int_equal(mica_ctc_greedy(scores, -1, 3, 0, labels, &count), MICA_INVALID_ARGUMENT);
    assert_int_equal(mica_ctc_greedy(scores, 2, 0, 0, labels, &count), MICA_INVALID_ARGUMENT);
    assert_int_equal(mica_ctc_greedy(scores, 2, 3, 3, labels, &count), MICA_INVALID_ARGUMENT);
    assert_int_equal(mica_ctc_greedy(scores, 2, 3, -1, labels, &count), MICA_INVALID_ARGUMENT);
    assert_int_equal(mica_ctc_greedy(scores, 2, 3, 0, NULL, &count), MICA_INVALID_ARGUMENT);
    assert_int_equal(mica_ctc_greedy(scores, 2, 3, 0, labels, NULL), MICA_INVALID_ARGUMENT);
    assert_int_equal(mica_ctc_greedy(scores, INT64_MAX, INT32_MAX, 0, labels, &count), MICA_INVALID_ARGUMENT);
    assert_int_equal(count, 7);
    assert_int_equal(mica_ctc_greedy(NULL, 0, 3, 0, NULL, &count), MICA_OK);
    assert_int_equal(count, 0);
}

static void beam(void **state)
{
    int32_t labels[2];
    int64_t count = 7;
    double log_p = 7;
    (void)state;
    assert_int_equal(mica_ctc_beam(NULL, 2, 3, 0, 4, labels, &count, &log_p), MICA_INVALID_ARGUMENT);
    assert_int_equal(mica_ctc_beam(scores, 2, 3, 0, 0, labels, &count, &log_p), MICA_INVALID_ARGUMENT);
    assert_int_equal(mica_ctc_beam(scores, 2, 3, 5, 4, labels, &count, &log_p), MICA_INVALID_ARGUMENT);
    assert_int_equal(mica_ctc_beam(scores, 2, 3, 0, INT64_MAX, labels, &count, &log_p), MICA_OUT_OF_MEMORY);
    assert_int_equal(count, 7);
    assert_int_equal(mica_ctc_beam(NULL, 0, 3, 0, 4, NULL, &count, &log_p), MICA_OK);
    assert_int_equal(count, 0);
    assert_true(fabs(log_p) < 1e-12);
    assert_int_equal(mica_ctc_beam(scores, 2, 3, 0, 4, labels, &count, NULL), MICA_OK);
}

static void distance(void **state)
{
    const int32_t some[2] = {1, 2};
    (void)state;
    assert_int_equal(mica_edit_distance(NULL, 1, some, 2), -1);
    assert_int_equal(mica_edit_distance(some, 2, NULL, 1), -1);
    assert_int_equal(mica_edit_distance(some, -1, some, 2), -1);
    assert_int_equal(mica_edit_distance(some, 2, some, INT64_MAX), -1);
    assert_int_equal(mica_edit_distance(NULL, 0, NULL, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(greedy), cmocka_unit_test(beam), cmocka_unit_test(distance)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
