/* mica evaluate: a model's loss and metrics, and requirements on them. */
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
    "  --require  loss, accuracy or another metric, one of >= <= > <, and a number; unmet: exit status 3\n",
    run};

enum { MOST_NAME = 100 };

struct requirement {
    const char *text;
    char name[MOST_NAME];
    bool less, strict;
    double bound;
};

static int parse_requirement(const char *text, struct requirement *out)
{
    *out = (struct requirement){.text = text};
    size_t length = strcspn(text, " <>=");
    const char *at = text + length;
    if (length == 0 || length >= MOST_NAME)
        return cli_fail(CLI_USAGE, "--require %s: it begins with a metric, such as accuracy, or loss", cli_show(text).text);
    memcpy(out->name, text, length);
    at += strspn(at, " ");
    if (*at != '<' && *at != '>')
        return cli_fail(CLI_USAGE, "--require %s: >=, <=, > or < is missing", cli_show(text).text);
    out->less = *at++ == '<';
    out->strict = *at != '=';
    at += !out->strict;
    char *end = NULL;
    out->bound = strtod(at, &end);
    if (end == at || *end || !isfinite(out->bound))
        return cli_fail(CLI_USAGE, "--require %s: it ends with a number", cli_show(text).text);
    return CLI_OK;
}

static bool is_met(const struct requirement *r, double score)
{
    /* A bound is read as the float that it is nearest to, so that 0.97 is met by 0.97. */
    float value = (float)score, bound = (float)r->bound;
    if (r->less)
        return r->strict ? value < bound : value <= bound;
    return r->strict ? value > bound : value >= bound;
}

static int unknown_score(const struct requirement *r, const mica_scores *scores)
{
    char names[400] = "";
    size_t used = 0;
    for (int i = 0; i < mica_scores_count(scores) && used < sizeof names; i++)
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "", mica_scores_name(scores, i));
    return cli_fail(CLI_USAGE, "--require %s: there is no %s of this model: there are %s", cli_show(r->text).text,
                    cli_show(r->name).text, names);
}

static int know_requirements(const struct requirement *requirements, int count, const mica_scores *scores)
{
    for (int i = 0; i < count; i++) {
        const struct requirement *r = &requirements[i];
        bool known = false;
        int parts = 0;
        for (int k = 0; k < mica_scores_count(scores); k++)
            known = known || strcmp(mica_scores_name(scores, k), r->name) == 0;
        if (!known)
            return unknown_score(r, scores);
        if (mica_scores_parts(scores, r->name, &parts) && isnan(mica_scores_get(scores, r->name)))
            return cli_fail(CLI_USAGE, "--require %s: that is a table of %d counts, not one number", cli_show(r->text).text, parts);
    }
    return CLI_OK;
}

/* The first that is unmet; the scores have been printed then. */
static int check_requirements(const struct requirement *requirements, int count, const mica_scores *scores)
{
    for (int i = 0; i < count; i++) {
        const struct requirement *r = &requirements[i];
        double value = mica_scores_get(scores, r->name);
        if (!is_met(r, value))
            return cli_fail(CLI_UNMET, "required: %s; the %s is %.6g", cli_show(r->text).text, r->name, value);
    }
    return CLI_OK;
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

static int print_scores(const mica_model *model, const mica_scores *scores, int64_t samples, bool as_json)
{
    double loss = mica_scores_get(scores, "loss");
    if (!isfinite(loss))
        return cli_fail(CLI_FAILED, "the loss is %g, which is no number", loss);
    if (as_json) {
        cJSON *json = cJSON_CreateObject();
        cli_add_scores(json, scores);
        cJSON_AddNumberToObject(json, "samples", (double)samples);
        return cli_print_json(json);
    }
    cli_print_scores(stdout, scores, 6);
    printf(" on %lld samples\n", (long long)samples);
    cli_print_matrices(stdout, model, scores);
    return CLI_OK;
}

/* What was measured, and of how many samples. */
struct evaluation {
    mica_model *model;
    mica_scores *scores;
    int64_t samples;
};

static int evaluate(mica_device *device, const char *path, const char *spec, struct evaluation *out)
{
    mica_part part = MICA_TEST;
    mica_model *model = out->model = cli_load_model(device, path);
    if (!model)
        return CLI_FAILED;
    mica_data *data = mica_data_open_spec(device, spec, model);
    int code = CLI_OK;
    cli_print_notes(data);
    if (mica_data_status(data) != MICA_OK)
        code = cli_fail(CLI_FAILED, "%s", mica_data_error(data));
    else if ((code = choose_part(data, &part)) == CLI_OK &&
             mica_evaluate(model, data, part, NULL, 0, &out->scores) != MICA_OK)
        code = cli_device_failed(device);
    out->samples = mica_data_count(data, part);
    mica_data_destroy(data);
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
    struct evaluation done = {0};
    code = evaluate(device, path, spec, &done);
    if (code == CLI_OK)
        code = know_requirements(requirements, require.count, done.scores);
    if (code == CLI_OK)
        code = print_scores(done.model, done.scores, done.samples, common.json);
    if (code == CLI_OK)
        code = check_requirements(requirements, require.count, done.scores);
    mica_scores_destroy(done.scores);
    mica_model_destroy(done.model);
    mica_device_destroy(device);
    return code;
}
