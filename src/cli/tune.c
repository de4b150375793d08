/* mica tune: times engines for a model's products and convolutions, and keeps the fastest for this device. */
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>

static int run(int argc, char **argv);

const struct cli_command cli_tune = {
    "tune", "find the fastest kernels for a model on this device",
    "Usage: mica tune [MODEL] [--batch N] [--training] [--budget SECONDS] [--save] [--device D] [--json] [--debug]\n"
    "       mica tune --clblast [--budget SECONDS] [--device D] [--json]\n\n"
    "Times the engines that can do each product and convolution of a model, checks what they compute, and keeps the\n"
    "fastest in a text file for this device and driver, which later runs read.\n\n"
    "  MODEL       a saved model, or a job file (.json); a small convolution network where there is none\n"
    "  --batch     samples in a step (1); a problem is tuned for its batch\n"
    "  --training  the step of a training instead of prediction\n"
    "  --budget    begin no candidate later than this (60 seconds)\n"
    "  --save      write what was found into MODEL too, which keeps the kernels that it was saved with\n"
    "  --clblast   search for parameters of CLBlast's products instead, for this device; each candidate compiles for\n"
    "              seconds\n",
    run};

static const char *const usual =
    "{\"input_shape\": [64, 56, 56], \"layers\": ["
    "{\"type\": \"conv2d\", \"filters\": 64, \"kernel_size\": 3, \"padding\": 1},"
    "{\"type\": \"conv2d\", \"filters\": 128, \"kernel_size\": 3, \"padding\": 1, \"strides\": 2},"
    "{\"type\": \"conv2d\", \"filters\": 256, \"kernel_size\": 1},"
    "{\"type\": \"global_average_pooling\"}, {\"type\": \"dense\", \"units\": 1000}]}";

static int open_model(mica_device *device, const char *path, struct cli_model *out)
{
    if (path)
        return cli_open_model(device, path, out);
    *out = (struct cli_model){NULL, mica_model_create(device, NULL)};
    if (mica_model_add_json(out->model, usual) == MICA_OK)
        return CLI_OK;
    return cli_fail(CLI_FAILED, "%s", mica_model_error(out->model));
}

static int tune_clblast(mica_device *device, double seconds, bool json)
{
    mica_tune_result result;
    double gain = 0;
    if (mica_tune_clblast(device, seconds, &gain, &result) != MICA_OK)
        return cli_device_failed(device);
    if (!json && gain > 0)
        printf("%d candidates timed: CLBlast's products are %.2f times faster; kept in %s\n", result.tried, gain,
               *result.path ? cli_show(result.path).text : "no file");
    else if (!json)
        printf("%d candidates timed, none better than what CLBlast has\n", result.tried);
    if (!json)
        return CLI_OK;
    cJSON *object = cJSON_CreateObject();
    cJSON_AddNumberToObject(object, "tried", result.tried);
    cJSON_AddNumberToObject(object, "gain", gain);
    cJSON_AddStringToObject(object, "path", result.path);
    return cli_print_json(object);
}

static int print_result(const mica_tune_result *result, bool json)
{
    if (!json) {
        printf("%d candidates timed, %d problems run better than by the rules; kept in %s\n", result->tried, result->changed,
               *result->path ? cli_show(result->path).text : "no file");
        return CLI_OK;
    }
    cJSON *object = cJSON_CreateObject();
    cJSON_AddNumberToObject(object, "tried", result->tried);
    cJSON_AddNumberToObject(object, "changed", result->changed);
    cJSON_AddStringToObject(object, "path", result->path);
    return cli_print_json(object);
}

static int tune(mica_device *device, const char *path, const mica_tune_desc *desc, bool save, bool json)
{
    struct cli_model tuning;
    mica_tune_result result;
    int code = open_model(device, path, &tuning);
    if (code == CLI_OK && mica_tune(tuning.model, desc, &result) != MICA_OK)
        code = cli_device_failed(device);
    if (code == CLI_OK && save && mica_model_save(tuning.model, path) != MICA_OK)
        code = cli_device_failed(device);
    if (code == CLI_OK)
        code = print_result(&result, json);
    cli_close_model(&tuning);
    return code;
}

static int run(int argc, char **argv)
{
    struct cli_common common = {0};
    const char *path = NULL, *batch = "1", *budget = "60";
    bool training = false, save = false, clblast = false;
    const struct cli_option options[] = {{.name = "--batch", .value = &batch},
                                         {.name = "--budget", .value = &budget},
                                         {.name = "--training", .flag = &training},
                                         {.name = "--save", .flag = &save},
                                         {.name = "--clblast", .flag = &clblast}};
    int code = cli_parse(&cli_tune, argc, argv, options, 5, &common, &path, 0, 1);
    if (code != CLI_OK || common.help)
        return code;
    char *end = NULL;
    mica_tune_desc desc = {.training = training};
    code = cli_batch(&cli_tune, batch, &desc.batch);
    if (code != CLI_OK)
        return code;
    desc.seconds = strtod(budget, &end);
    if (end == budget || *end || !(desc.seconds > 0 && desc.seconds < 1e6))
        return cli_fail(CLI_USAGE, "tune: --budget %s: it must be a number of seconds above 0", budget);
    if (save && (!path || cli_is_job(path)))
        return cli_fail(CLI_USAGE, "tune: --save needs a saved model");
    if (clblast && (path || training || save))
        return cli_fail(CLI_USAGE, "tune: --clblast tunes no model: it goes with --budget alone");
    mica_device *device = cli_open_device(&common);
    if (!device)
        return CLI_FAILED;
    code = clblast ? tune_clblast(device, desc.seconds, common.json) : tune(device, path, &desc, save, common.json);
    mica_device_destroy(device);
    return code;
}
