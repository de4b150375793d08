/* mica evaluate: a model's loss and accuracy, and requirements on them. */
#include "cli/cli.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int run(int argc, char **argv);

const struct cli_command cli_evaluate = {
    "evaluate", "measure a model on data, and hold it to requirements",
    "Usage: mica evaluate MODEL --data SPEC.json [--require 'accuracy>=0.97']... [--device D] [--json] [--debug]\n\n"
    "Measures the model on the test part of the data, or on all of it where there are no parts.\n\n"
    "  --data     a JSON file {\"format\": ...}, or a job file, whose \"data\" is taken\n"
    "  --require  accuracy or loss, one of >= <= > <, and a number; unmet: exit status 3\n",
    run};

struct requirement {
    const char *text;
    bool loss, less, strict;
    double bound;
};

static int parse_requirement(const char *text, struct requirement *out)
{
    *out = (struct requirement){.text = text};
    const char *at = text;
    if (strncmp(at, "accuracy", 8) == 0)
        at += 8;
    else if (strncmp(at, "loss", 4) == 0)
        at += 4;
    else
        return cli_fail(CLI_USAGE, "--require %s: it begins with accuracy or loss", text);
    out->loss = text[0] == 'l';
    at += strspn(at, " ");
    if (*at != '<' && *at != '>')
        return cli_fail(CLI_USAGE, "--require %s: >=, <=, > or < is missing", text);
    out->less = *at++ == '<';
    out->strict = *at != '=';
    at += !out->strict;
    char *end = NULL;
    out->bound = strtod(at, &end);
    if (end == at || *end || !isfinite(out->bound))
        return cli_fail(CLI_USAGE, "--require %s: it ends with a number", text);
    return CLI_OK;
}

static bool is_met(const struct requirement *r, const mica_result *result)
{
    /* A bound is read as the float that it is nearest to, so that 0.97 is met by 0.97. */
    float value = r->loss ? result->loss : result->accuracy, bound = (float)r->bound;
    if (r->less)
        return r->strict ? value < bound : value <= bound;
    return r->strict ? value > bound : value >= bound;
}

/* The test part; all of it where there is but one. */
static int choose_part(const mica_data *data, mica_part *part)
{
    int64_t train = mica_data_count(data, MICA_TRAIN), validation = mica_data_count(data, MICA_VALIDATION);
    if (mica_data_count(data, MICA_TEST) > 0)
        *part = MICA_TEST;
    else if (validation == 0)
        *part = MICA_TRAIN;
    else if (train == 0)
        *part = MICA_VALIDATION;
    else
        return cli_fail(CLI_FAILED, "the data have training and validation parts, but no test part");
    return CLI_OK;
}

static int print_result(const mica_result *result, const struct requirement *requirements, int count, bool as_json)
{
    for (int i = 0; i < count; i++)
        if (!is_met(&requirements[i], result))
            return cli_fail(CLI_UNMET, "required: %s; the %s is %.6g", requirements[i].text,
                            requirements[i].loss ? "loss" : "accuracy",
                            (double)(requirements[i].loss ? result->loss : result->accuracy));
    if (!isfinite(result->loss))
        return cli_fail(CLI_FAILED, "the loss is %g, which is no number", (double)result->loss);
    if (as_json) {
        cJSON *json = cJSON_CreateObject();
        cli_add_float(json, "loss", result->loss);
        cli_add_float(json, "accuracy", result->accuracy);
        cJSON_AddNumberToObject(json, "samples", (double)result->samples);
        return cli_print_json(json);
    }
    if (isnan(result->accuracy))
        printf("loss %.6g on %lld samples\n", (double)result->loss, (long long)result->samples);
    else
        printf("loss %.6g, accuracy %.6g on %lld samples\n", (double)result->loss, (double)result->accuracy,
               (long long)result->samples);
    return CLI_OK;
}

static int evaluate(mica_device *device, const char *path, const char *spec, mica_result *result)
{
    mica_part part = MICA_TEST;
    mica_model *model = cli_load_model(device, path);
    if (!model)
        return CLI_FAILED;
    mica_data *data = mica_data_open_spec(device, spec, model);
    int code = CLI_OK;
    cli_print_notes(data);
    if (mica_data_status(data) != MICA_OK)
        code = cli_fail(CLI_FAILED, "%s", mica_data_error(data));
    else if ((code = choose_part(data, &part)) == CLI_OK &&
             mica_evaluate(model, data, part, NULL, 0, result) != MICA_OK)
        code = cli_device_failed(device);
    mica_data_destroy(data);
    mica_model_destroy(model);
    return code;
}

static int run(int argc, char **argv)
{
    struct cli_common common = {0};
    struct cli_list require = {.count = 0};
    struct requirement requirements[CLI_MOST_VALUES];
    const char *path = NULL, *spec = NULL;
    const struct cli_option options[] = {{.name = "--data", .value = &spec}, {.name = "--require", .list = &require}};
    int code = cli_parse(&cli_evaluate, argc, argv, options, 2, &common, &path, 1, 1);
    if (code != CLI_OK || common.help)
        return code;
    if (!spec)
        return cli_fail(CLI_USAGE, "evaluate: --data SPEC.json is missing");
    for (int i = 0; i < require.count; i++)
        if ((code = parse_requirement(require.values[i], &requirements[i])) != CLI_OK)
            return code;
    mica_device *device = cli_open_device(&common);
    if (!device)
        return CLI_FAILED;
    mica_result result = {0};
    code = evaluate(device, path, spec, &result);
    mica_device_destroy(device);
    return code == CLI_OK ? print_result(&result, requirements, require.count, common.json) : code;
}
