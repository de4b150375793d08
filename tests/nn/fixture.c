#include "nn/fixture.h"

#include <stdlib.h>
#include <string.h>

int fixture_begin(void **state)
{
    struct fixture *f = mi_new(1, sizeof *f);
    if (!f)
        return 1;
    f->device.context = (cl_context)(void *)f; /* not NULL: it is open */
    f->model = mica_model_create(&f->device, NULL);
    *state = f;
    return !f->model;
}

int fixture_end(void **state)
{
    fixture_close(*state);
    return 0;
}

static struct fixture *begin(void)
{
    void *state = NULL;
    assert_int_equal(fixture_begin(&state), 0);
    return state;
}

struct fixture *fixture_open(const char *json)
{
    struct fixture *f = begin();
    if (mica_model_add_json(f->model, json) != MICA_OK)
        fail_msg("%s: %s", json, mica_model_error(f->model));
    return f;
}

void fixture_close(struct fixture *f)
{
    mica_model_destroy(f->model);
    free(f);
}

void fixture_refuses(const struct mistake *mistakes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct fixture *f = begin();
        f->device.info.memory_bytes = (uint64_t)1 << 30;
        mica_status status = mica_model_add_json(f->model, mistakes[i].json);
        const char *error = mica_model_error(f->model);
        if (status == MICA_OK || status != mica_model_status(f->model) || !strstr(error, mistakes[i].says) || strchr(error, '\n'))
            fail_msg("%s: \"%s\", not \"%s\"", mistakes[i].json, error, mistakes[i].says);
        assert_string_equal(f->device.error.text, error);
        fixture_close(f);
    }
}

void fixture_has_shape(const mica_node *node, mica_shape shape)
{
    assert_non_null(node);
    mica_shape got = mica_node_shape(node);
    assert_int_equal(got.rank, shape.rank);
    for (int i = 0; i < shape.rank; i++)
        assert_int_equal(got.dim[i], shape.dim[i]);
}

struct mi_variable *fixture_has_variable(struct fixture *f, const char *name, mica_shape shape)
{
    struct mi_variable *variable = mi_variable_find(&f->model->variables, name);
    if (!variable)
        fail_msg("there is no variable \"%s\"", name);
    assert_int_equal(variable->shape.rank, shape.rank);
    for (int i = 0; i < shape.rank; i++)
        assert_true(mi_dim_is(variable->shape.dim[i], shape.dim[i]));
    return variable;
}

void fixture_round_trip(struct fixture *f)
{
    cJSON *once = mi_model_describe(f->model);
    char *text = cJSON_PrintUnformatted(once);
    struct fixture *again = fixture_open(text);
    cJSON *twice = mi_model_describe(again->model);
    if (!cJSON_Compare(once, twice, true))
        fail_msg("%s is not the same when it is read again", text);
    assert_int_equal(mica_model_variable_count(again->model), mica_model_variable_count(f->model));
    assert_int_equal(mica_model_parameter_count(again->model), mica_model_parameter_count(f->model));
    cJSON_Delete(once);
    cJSON_Delete(twice);
    cJSON_free(text);
    fixture_close(again);
}

void fixture_round_trip_of(const char *json)
{
    struct fixture *f = fixture_open(json);
    fixture_round_trip(f);
    fixture_close(f);
}
