/* mica train: a job file into a model file. */
#if !defined(_POSIX_C_SOURCE)
#define _POSIX_C_SOURCE 200809L
#endif
#include "cli/progress.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int run(int argc, char **argv);

const struct cli_command cli_train = {
    "train", "train the network of a job file and save it",
    "Usage: mica train JOB.json [--set KEY.PATH=VALUE]... [--out MODEL.safetensors] [--run FOLDER]\n"
    "                  [--resume | --resume-from FILE] [--device D] [--json] [--quiet] [--debug]\n\n"
    "Trains the network that the job describes on its data, tests it on the test part, and saves it\n"
    "(by default as JOB.safetensors in the current folder, or as model.safetensors in that of its run).\n\n"
    "  --set     changes the job: --set epochs=10 --set optimizer.learning_rate=0.01 --set model.layers.0.units=64\n"
    "  --out     the file of the trained model\n"
    "  --run     a folder that keeps the run: job.json, run.json, log.csv, best.safetensors, last.safetensors\n"
    "  --resume  goes on with the run of the folder that --run or the job names, as if it had never stopped\n"
    "  --resume-from FILE   goes on from another file of a training\n"
    "  --device  gpu, cpu, 1:0, or a part of the name; otherwise MICA_DEVICE or the best\n"
    "  --json    one JSON object on standard output\n"
    "  --quiet   nothing but errors\n"
    "  --debug   every tensor in a buffer of its own, poisoned with NaN, and a wait after each launch\n\n"
    "Ctrl-C and SIGTERM finish the step and save what is there (exit status 130 and 143); a second one ends it at once.\n"
    "A run can then be resumed.\n",
    run};

static void print_start(mica_job *job, const mica_device *device)
{
    const mica_device_info *info = mica_device_get_info(device);
    const mica_data *data = mica_job_data(job);
    for (int i = 0; i < mica_job_notes(job); i++)
        cli_note("%s", mica_job_note(job, i));
    cli_say("device %s: %s (%s)", info->id, cli_show(info->name).text, cli_show(info->platform).text);
    long long train = (long long)mica_data_count(data, MICA_TRAIN), held = 0;
    if (mica_job_fit(job)->validation_split > 0) /* the fit will hold them out */
        held = (long long)ceil(((double)mica_job_fit(job)->validation_split - 1e-7) * (double)train);
    cli_print_notes(data);
    cli_say("%lld parameters, %lld training, %lld validation and %lld test samples",
            (long long)mica_model_parameter_count(mica_job_model(job)), train - held,
            held + (long long)mica_data_count(data, MICA_VALIDATION), (long long)mica_data_count(data, MICA_TEST));
    cli_note_unused_gpu(device);
}

/* ---- Result ---- */

static cJSON *epoch_json(const mica_progress *epoch)
{
    cJSON *json = cJSON_CreateObject();
    cJSON_AddNumberToObject(json, "epoch", epoch->epoch);
    cli_add_scores(json, epoch->scores);
    cJSON_AddNumberToObject(json, "learning_rate", (double)epoch->learning_rate);
    cJSON_AddNumberToObject(json, "seconds", epoch->seconds);
    if (epoch->seconds > 0)
        cJSON_AddNumberToObject(json, "samples_per_second", (double)epoch->samples / epoch->seconds);
    return json;
}

static int print_result(mica_job *job, const mica_device *device, const mica_history *history, const mica_scores *test,
                        const char *out, bool as_json)
{
    long long samples = (long long)mica_data_count(mica_job_data(job), MICA_TEST);
    if (!as_json) {
        if (test && !cli_is_quiet()) {
            printf("test: ");
            cli_print_scores(stdout, test, 4);
            printf(" on %lld samples\n", samples);
        }
        if (!cli_is_quiet())
            printf("saved %s\n", cli_show(out).text);
        return CLI_OK;
    }
    cJSON *json = cJSON_CreateObject(), *epochs = cJSON_AddArrayToObject(json, "epochs");
    for (int i = 0; i < mica_history_epochs(history); i++)
        cJSON_AddItemToArray(epochs, epoch_json(mica_history_epoch(history, i)));
    if (test) {
        cJSON *item = cJSON_AddObjectToObject(json, "test");
        cli_add_scores(item, test);
        cJSON_AddNumberToObject(item, "samples", (double)samples);
    }
    cJSON_AddStringToObject(json, "device", mica_device_get_info(device)->name);
    cJSON_AddStringToObject(json, "model", out);
    cJSON_AddNumberToObject(json, "parameters", (double)mica_model_parameter_count(mica_job_model(job)));
    cJSON_AddNumberToObject(json, "peak_bytes", (double)mica_history_peak_bytes(history));
    cJSON_AddNumberToObject(json, "compile_seconds", mica_history_compile_seconds(history));
    return cli_print_json(json);
}

/* ---- The command ---- */

/* "path/to/digits.json" -> "digits.safetensors"; the caller frees it. */
static char *default_out(const char *job)
{
    const char *slash = strrchr(job, '/'), *base = slash ? slash + 1 : job;
    size_t length = strlen(base);
    if (length > 5 && strcmp(base + length - 5, ".json") == 0)
        length -= 5;
    size_t size = length + sizeof ".safetensors";
    char *out = malloc(size);
    if (out)
        snprintf(out, size, "%.*s.safetensors", (int)length, base);
    return out;
}

/* A signal asked for it. `saved` NULL: there was nothing to save. */
static int stopped(mica_job *job, const struct cli_progress *progress, const char *saved)
{
    int number = cli_caught_signal(), epochs = mica_job_fit(job)->epochs, done = progress->done;
    if (saved && mica_job_run_folder(job))
        return cli_fail(128 + number, "stopped by %s after %d of %d epochs, saved %s/last.safetensors; the same command with "
                        "--resume goes on from there", cli_signal_name(number), done, epochs ? epochs : 1,
                        mica_job_run_folder(job));
    if (!saved)
        return cli_fail(128 + number, "stopped by %s before the first step, nothing is saved", cli_signal_name(number));
    return cli_fail(128 + number, "stopped by %s after %d of %d epochs, saved %s", cli_signal_name(number), done,
                    epochs ? epochs : 1, saved);
}

/* Saves what was trained, says how it went, and returns the exit status. */
static int finish(mica_job *job, mica_device *device, mica_status status, const struct cli_progress *progress,
                  const mica_history *history, const mica_scores *test, const char *out, bool as_json)
{
    double loss = test ? mica_scores_get(test, "loss") : 0;
    bool kept = status == MICA_CANCELLED && mica_job_run_folder(job); /* its run has it */
    if ((status != MICA_OK && status != MICA_CANCELLED) || (!kept && mica_model_save(mica_job_model(job), out) != MICA_OK))
        return cli_device_failed(device);
    if (cli_caught_signal())
        return stopped(job, progress, out);
    if (!isfinite(loss))
        return cli_fail(CLI_FAILED, "the loss on the test part is %g, which is no number; saved %s", loss, out);
    return print_result(job, device, history, test, out, as_json);
}

/* What was trained is not lost with its test. */
static int untested(mica_job *job, mica_device *device, const char *out)
{
    char why[512];
    snprintf(why, sizeof why, "%s", mica_device_error(device));
    mica_device_clear_error(device);
    if (mica_model_save(mica_job_model(job), out) != MICA_OK)
        return cli_device_failed(device);
    return cli_fail(CLI_FAILED, "the test part: %s; saved %s", why, out);
}

/* Tests what was trained, where there is a test part. */
static int test_and_finish(mica_job *job, mica_device *device, mica_status status, const struct cli_progress *progress,
                           const mica_history *history, const char *out, bool as_json)
{
    mica_scores *test = NULL;
    const mica_fit_desc *fit = mica_job_fit(job);
    if (status == MICA_CANCELLED && !progress->stepped)
        return stopped(job, progress, NULL);
    if (status == MICA_OK && mica_data_count(mica_job_data(job), MICA_TEST) > 0 &&
        mica_evaluate(mica_job_model(job), mica_job_data(job), MICA_TEST, fit->objectives, fit->objective_count, &test) != MICA_OK)
        return untested(job, device, out);
    int code = finish(job, device, status, progress, history, test, out, as_json);
    mica_scores_destroy(test);
    return code;
}

static int train(mica_job *job, mica_device *device, const char *out, bool as_json)
{
    mica_history *history = NULL;
    if (mica_job_status(job) != MICA_OK)
        return cli_fail(CLI_FAILED, "%s", mica_job_error(job));
    print_start(job, device);
    struct cli_progress progress = {.log_every = mica_job_log_every(job), .changes = mica_job_fit(job)->schedule != NULL};
    const mica_callback callback = cli_progress(&progress);
    if (mica_job_add_callback(job, &callback) != MICA_OK)
        return cli_device_failed(device);
    cli_catch_signals();
    mica_status status = mica_job_run(job, &history);
    int code = test_and_finish(job, device, status, &progress, history, out, as_json);
    mica_history_destroy(history);
    return code;
}

/* What the command line says. */
struct asked {
    const char *path, *out, *run, *from;
    bool resume, quiet;
    struct cli_common common;
    struct cli_list sets;
};

/* "run=" and the folder, from the current one on, as a setting of the job; the caller frees it. */
static char *run_setting(const char *run)
{
    char here[4096] = "", *setting = NULL;
    if (*run != '/' && !getcwd(here, sizeof here))
        return NULL;
    size_t size = strlen(here) + strlen(run) + 2;
    char *path = malloc(size);
    if (path)
        snprintf(path, size, "%s%s%s", here, *here ? "/" : "", run);
    cJSON *json = path ? cJSON_CreateString(path) : NULL;
    char *text = json ? cJSON_PrintUnformatted(json) : NULL;
    if (text && (setting = malloc(strlen(text) + 5)) != NULL)
        snprintf(setting, strlen(text) + 5, "run=%s", text);
    cJSON_free(text);
    cJSON_Delete(json);
    free(path);
    return setting;
}

/* The file in a folder; the caller frees it. */
static char *file_in(const char *folder, const char *name)
{
    size_t size = strlen(folder) + strlen(name) + 2;
    char *path = malloc(size);
    if (path)
        snprintf(path, size, "%s/%s", folder, name);
    return path;
}

/* Trains a job that is open, into the file that is asked for, or that belongs to it. */
static int train_into(mica_job *job, mica_device *device, const struct asked *asked)
{
    const char *run = mica_job_run_folder(job);
    if (mica_job_status(job) != MICA_OK)
        return cli_fail(CLI_FAILED, "%s", mica_job_error(job));
    if (asked->resume && !run)
        return cli_fail(CLI_USAGE, "train: --resume goes on with a run, whose folder --run or \"run\" in the job names; "
                        "--resume-from names a file");
    char *out = asked->out ? NULL : run ? file_in(run, "model.safetensors") : default_out(asked->path);
    char *last = asked->resume ? file_in(run, "last.safetensors") : NULL;
    if ((!asked->out && !out) || (asked->resume && !last)) {
        free(out);
        free(last);
        return cli_fail(CLI_FAILED, "%s", mica_status_text(MICA_OUT_OF_MEMORY));
    }
    mica_job_fit(job)->resume = asked->from ? asked->from : last;
    int code = out && !run ? cli_check_output(device, out, &asked->path, 1) : CLI_OK;
    if (code == CLI_OK)
        code = train(job, device, asked->out ? asked->out : out, asked->common.json);
    free(out);
    free(last);
    return code;
}

static int open_and_train(struct asked *asked)
{
    char *run = asked->run ? run_setting(asked->run) : NULL;
    if (asked->run && (!run || asked->sets.count == CLI_MOST_VALUES)) {
        free(run);
        return cli_fail(CLI_FAILED, "%s", mica_status_text(MICA_OUT_OF_MEMORY));
    }
    if (run)
        asked->sets.values[asked->sets.count++] = run;
    mica_device *device = cli_open_device(&asked->common);
    int code = device ? CLI_OK : CLI_FAILED;
    if (device && asked->out) /* not found bad after the training */
        code = cli_check_output(device, asked->out, &asked->path, 1);
    if (code == CLI_OK) {
        mica_job *job = mica_job_open(device, asked->path, asked->sets.values, asked->sets.count);
        code = train_into(job, device, asked);
        mica_job_destroy(job);
    }
    mica_device_destroy(device);
    free(run);
    return code;
}

static int run(int argc, char **argv)
{
    struct asked asked = {.path = NULL};
    const struct cli_option options[] = {
        {.name = "--set", .list = &asked.sets}, {.name = "--out", .value = &asked.out}, {.name = "--run", .value = &asked.run},
        {.name = "--resume", .flag = &asked.resume}, {.name = "--resume-from", .value = &asked.from},
        {.name = "--quiet", .flag = &asked.quiet}};
    int code = cli_parse(&cli_train, argc, argv, options, 6, &asked.common, &asked.path, 1, 1);
    if (code != CLI_OK || asked.common.help)
        return code;
    if (asked.out && !*asked.out)
        return cli_fail(CLI_USAGE, "train: --out is empty, it must name a file");
    if (asked.run && !*asked.run)
        return cli_fail(CLI_USAGE, "train: --run is empty, it must name a folder");
    if (asked.resume && asked.from)
        return cli_fail(CLI_USAGE, "train: --resume stands beside --resume-from: give one of them");
    if (asked.quiet)
        cli_be_quiet();
    return open_and_train(&asked);
}
