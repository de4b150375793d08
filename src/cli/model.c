/* Models that commands look at. */
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool cli_is_job(const char *path)
{
    const char *ending = strrchr(path, '.');
    return ending && strcmp(ending, ".json") == 0;
}

int cli_open_model(mica_device *device, const char *path, struct cli_model *out)
{
    *out = (struct cli_model){NULL, NULL};
    if (cli_is_job(path)) {
        out->job = mica_job_open_model(device, path, NULL, 0);
        out->model = mica_job_model(out->job);
        return mica_job_status(out->job) == MICA_OK ? CLI_OK : cli_fail(CLI_FAILED, "%s", mica_job_error(out->job));
    }
    out->model = mica_model_load(device, path);
    return mica_model_status(out->model) == MICA_OK ? CLI_OK : cli_fail(CLI_FAILED, "%s", mica_model_error(out->model));
}

mica_model *cli_load_model(mica_device *device, const char *path)
{
    if (cli_is_job(path)) {
        cli_fail(CLI_FAILED, "%s: this is a job, a model is needed here; mica train makes one of it", path);
        return NULL;
    }
    mica_model *model = mica_model_load(device, path);
    if (mica_model_status(model) == MICA_OK)
        return model;
    cli_fail(CLI_FAILED, "%s", mica_model_error(model));
    mica_model_destroy(model);
    return NULL;
}

void cli_close_model(struct cli_model *model)
{
    if (model->job)
        mica_job_destroy(model->job);
    else
        mica_model_destroy(model->model);
}

int cli_batch(const struct cli_command *command, const char *text, int64_t *batch)
{
    char *end = NULL;
    *batch = strtoll(text, &end, 10);
    if (end == text || *end || *batch < 1)
        return cli_fail(CLI_USAGE, "%s: --batch %s: it must be a number from 1", command->name, text);
    return CLI_OK;
}

void cli_print_notes(const mica_data *data)
{
    for (int i = 0; i < mica_data_notes(data); i++)
        cli_say("%s", mica_data_note(data, i));
}
