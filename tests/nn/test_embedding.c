/* Numbers of rows that other layers compute: what is no row is counted on the device, and told with the next result. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <mica/mica.h>

#include <string.h>

/* The activation makes a number of the input that the host does not know. */
static mica_model *looked_up(mica_device *device, const char *activation)
{
    mica_model *model = mica_model_create(device, NULL);
    mica_node *x = mica_input(model, NULL, MICA_SHAPE(2));
    x = mica_activation(x, &(mica_activation_desc){.type = activation});
    x = mica_embedding(x, &(mica_embedding_desc){.name = "rows", .input_dim = 5, .output_dim = 3});
    mica_output(model, NULL, mica_flatten(x, NULL));
    assert_int_equal(mica_model_status(model), MICA_OK);
    return model;
}

static void test_read(void **state)
{
    mica_device *device = mica_device_open(NULL);
    mica_model *model = looked_up(device, "relu6");
    mica_plan *plan = mica_compile(model, &(mica_plan_desc){.batch = 4});
    const float good[6] = {0, 4, 1, -3, 2, 2}, bad[6] = {0, 5, 1.5f, 3, 9, 4};
    float table[15], out[18];
    (void)state;
    assert_int_equal(mica_plan_write(plan, NULL, good, 6), MICA_OK);
    assert_int_equal(mica_plan_run(plan, 3), MICA_OK);
    assert_int_equal(mica_plan_read(plan, NULL, out, 18), MICA_OK);
    assert_int_equal(mica_model_read(model, "rows.weight", table, 15), MICA_OK);
    assert_memory_equal(out + 3, table + 12, 3 * sizeof *out); /* row 4 */
    assert_memory_equal(out + 9, table, 3 * sizeof *out);      /* relu6 of -3 */

    assert_int_equal(mica_plan_write(plan, NULL, bad, 6), MICA_OK);
    assert_int_equal(mica_plan_run(plan, 3), MICA_OK);
    assert_int_equal(mica_plan_read(plan, NULL, out, 18), MICA_DATA);
    assert_non_null(strstr(mica_device_error(device), "\"rows\": a number that the layers before it computed is none of its rows 0 to 4 (3 times)"));
    assert_non_null(strstr(mica_device_error(device), "rows 0 to 4"));
    mica_device_clear_error(device);

    assert_int_equal(mica_plan_write(plan, NULL, good, 6), MICA_OK); /* the next result is its own */
    assert_int_equal(mica_plan_run(plan, 3), MICA_OK);
    assert_int_equal(mica_plan_read(plan, NULL, out, 18), MICA_OK);
    assert_int_equal(mica_device_status(device), MICA_OK);
    mica_plan_destroy(plan);
    mica_model_destroy(model);
    mica_device_destroy(device);
}

static void test_training(void **state)
{
    mica_device *device = mica_device_open(NULL);
    mica_model *model = looked_up(device, "relu");
    float inputs[8] = {0, 1, 2, 3, 4, 7, 1, 2}, labels[24] = {0}, table[15];
    (void)state;
    mica_data *data = mica_arrays_open(device, &(mica_arrays_desc){
        .inputs = inputs, .samples = 4, .input_shape = MICA_SHAPE(2), .values = labels, .label_shape = MICA_SHAPE(6)});
    assert_int_equal(mica_fit(model, data, &(mica_fit_desc){.loss = "mse", .batch_size = 4}, NULL), MICA_DATA);
    assert_non_null(strstr(mica_device_error(device), "\"rows\": a number that the layers before it computed is none"));
    assert_int_equal(mica_model_read(model, "rows.weight", table, 15), MICA_OK);
    for (int i = 0; i < 15; i++) /* NaN would have spread over the table */
        assert_true(table[i] > -1 && table[i] < 1);
    mica_data_destroy(data);
    mica_model_destroy(model);
    mica_device_destroy(device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_read), cmocka_unit_test(test_training)};
    return cmocka_run_group_tests_name("embedding", tests, NULL, NULL);
}
