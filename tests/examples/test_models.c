/* The networks of examples/models are well known: as many parameters and classes as elsewhere. Nothing is compiled, and
 * no value is drawn. */
#include "nn/model.h"
#include "support/network.h"
#include "job/job.h"

#include <stdio.h>

static const struct {
    const char *name;
    int64_t parameters, outputs;
    int variables;               /* parameters and running statistics */
    uint64_t largest;            /* elements of the largest, where a small device refuses it; 0: none does */
    int places;                  /* so many outputs at each of these; 0: at none */
} nets[] = {
    {"mlp", 669706, 10, 6, 0, 0},
    {"lenet", 121930, 10, 8, 0, 0},
    {"resnet20", 269722, 10, 97, 0, 0},
    {"resnet18", 11689512, 1000, 102, 0, 0},
    {"resnet50", 25557032, 1000, 267, 0, 0},
    {"mobilenet_v2", 3504872, 1000, 262, 0, 0},
    {"vgg16", 138357544, 1000, 32, 102760448, 0},
    {"transformer", 3175488, 64, 50, 0, 0},
    {"gpt", 10796610, 66, 78, 0, 256},
};

static void test_models(void **state)
{
    for (size_t i = 0; i < MI_COUNT(nets); i++) {
        const mica_device *device = *state;
        struct mi_error error = {0};
        cJSON *json = NULL;
        char path[512];
        snprintf(path, sizeof path, "%s/examples/models/%s.json", MICA_SOURCE_DIR, nets[i].name);
        if (mi_json_file(&error, path, &json) != MICA_OK)
            fail_msg("%s", error.text);
        mica_model *model = mica_model_create(*state, NULL);
        model->loading = true;
        model->room = UINT64_MAX;
        bool fits = nets[i].largest <= device->info.largest_allocation_bytes / sizeof(float);
        if ((mi_model_add_layers(model, cJSON_GetObjectItem(json, "model"), "model", NULL) == MICA_OK) != fits)
            fail_msg("%s: %s", path, fits ? mica_model_error(model) : "no allocation holds its largest weight");
        if (!fits) {
            mica_model_destroy(model);
            cJSON_Delete(json);
            continue;
        }
        mica_shape output = mica_node_shape(mi_model_output(model->graph, NULL));
        print_message("  %s\n", nets[i].name);
        assert_int_equal(mica_model_parameter_count(model), nets[i].parameters);
        assert_int_equal(mica_model_variable_count(model), nets[i].variables);
        assert_int_equal(output.rank, nets[i].places ? 2 : 1);
        assert_int_equal(output.dim[0], nets[i].outputs);
        assert_true(!nets[i].places || output.dim[1] == nets[i].places);
        mica_model_destroy(model);
        cJSON_Delete(json);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_models)};
    return cmocka_run_group_tests_name("models", tests, open_device, close_device);
}
