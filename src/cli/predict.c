/* mica predict: the network's answers to raw inputs. */
#include "cli/cli.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int run(int argc, char **argv);

const struct cli_command cli_predict = {
    "predict", "classify or regress raw inputs from a file",
    "Usage: mica predict MODEL --input FILE [--of OUTPUT] [--output FILE] [--top K] [--device D] [--json] [--debug]\n\n"
    "Reads raw inputs as the training data had them, and prints the K best classes of each, or its values.\n\n"
    "  --input   .npy, .csv or IDX, also .gz; of texts also .txt, a line each; of several inputs a .json file,\n"
    "            {\"format\": ...} or a job, whose inputs are read\n"
    "  --of      which output, where the model has several (the first)\n"
    "  --output  also writes the network's own outputs: a .npy of float32, or a .csv with a line of names\n"
    "  --top     how many classes, best first (1)\n",
    run};

struct task {
    mica_device *device;
    mica_model *model;
    mica_data *inputs;
    const char *of;          /* the output that is asked for; NULL: the first */
    int64_t n;
    mica_shape output;       /* of a sample */
    size_t outputs;          /* elements of it */
    bool classifies;
    int classes, top;
    cJSON *names;            /* of the classes, in their order */
};

/* The output that is asked for, as the model's description has it; NULL: there is none of that name. */
static const cJSON *find_output(const cJSON *json, const char *name)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, cJSON_GetObjectItem(json, "outputs"))
        if (!name || strcmp(cJSON_GetStringValue(cJSON_GetObjectItem(item, "name")), name) == 0)
            return item;
    return NULL;
}

/* What the model's own description says about its task and the output. */
static int understand(struct task *task)
{
    char *text = NULL;
    if (mica_model_inspect(task->model, NULL, &text) != MICA_OK)
        return cli_device_failed(task->device);
    cJSON *json = cJSON_Parse(text);
    mica_free(text);
    const cJSON *output = find_output(json, task->of), *dim;
    const char *kind = cJSON_GetStringValue(cJSON_GetObjectItem(output, "task"));
    task->classifies = kind && strcmp(kind, "classification") == 0;
    task->outputs = 1;
    cJSON_ArrayForEach(dim, cJSON_GetObjectItem(output, "shape")) {
        task->output.dim[task->output.rank++] = (int64_t)dim->valuedouble;
        task->outputs *= (size_t)dim->valuedouble;
    }
    task->classes = task->outputs == 1 ? 2 : (int)task->outputs;
    task->classifies = task->classifies && task->output.rank <= 1;
    task->names = cJSON_Duplicate(cJSON_GetObjectItem(output, "classes"), true);
    cJSON_Delete(json);
    return CLI_OK;
}

/* ---- Dates ---- */

/* What answer i is of: the date that it tells of a series, else its number. */
static const char *name_of(const struct task *task, int64_t i, char *text, size_t size)
{
    if (mica_data_date(task->inputs, MICA_TRAIN, i, text, size) != MICA_OK || !*text)
        snprintf(text, size, "%lld", (long long)i);
    return text;
}

static void add_index(const struct task *task, cJSON *item, int64_t i)
{
    char date[64];
    cJSON_AddNumberToObject(item, "index", (double)i);
    if (mica_data_date(task->inputs, MICA_TRAIN, i, date, sizeof date) == MICA_OK && *date)
        cJSON_AddStringToObject(item, "date", date);
}

/* ---- Classes ---- */

static cJSON *answer_json(const mica_answer *answer)
{
    cJSON *json = cJSON_CreateObject();
    cJSON_AddNumberToObject(json, "class", answer->class_index);
    cJSON_AddStringToObject(json, "label", answer->label);
    cli_add_float(json, "score", answer->score);
    return json;
}

static void show_classes(const struct task *task, const mica_answer *answers, cJSON *list)
{
    char name[64];
    for (int64_t i = 0; i < task->n; i++) {
        const mica_answer *of = answers + (size_t)i * (size_t)task->top;
        if (list) {
            cJSON *item = cJSON_CreateObject(), *top;
            add_index(task, item, i);
            top = cJSON_AddArrayToObject(item, "top");
            for (int k = 0; k < task->top; k++)
                cJSON_AddItemToArray(top, answer_json(&of[k]));
            cJSON_AddItemToArray(list, item);
            continue;
        }
        printf("%s:", name_of(task, i, name, sizeof name));
        for (int k = 0; k < task->top; k++)
            printf("%s %s (%.4f)", k ? "," : "", cli_show(of[k].label).text, (double)of[k].score);
        putchar('\n');
    }
}

/* ---- Values ---- */

static void show_values(const struct task *task, const float *outputs, cJSON *list)
{
    char name[64];
    for (int64_t i = 0; i < task->n; i++) {
        const float *of = outputs + (size_t)i * task->outputs;
        cJSON *item = list ? cJSON_CreateObject() : NULL, *values = NULL;
        if (list) {
            add_index(task, item, i);
            values = cJSON_AddArrayToObject(item, "values");
        } else {
            printf("%s:", name_of(task, i, name, sizeof name));
        }
        for (size_t k = 0; k < task->outputs; k++) {
            if (list)
                cJSON_AddItemToArray(values, cli_float(of[k]));
            else
                printf(" %.6g", (double)of[k]);
        }
        if (list)
            cJSON_AddItemToArray(list, item);
        else
            putchar('\n');
    }
}

/* ---- The outputs as a file ---- */

static bool ends_in(const char *path, const char *ending)
{
    const char *slash = strrchr(path, '/'), *dot = strrchr(slash ? slash : path, '.');
    return dot && strcmp(dot, ending) == 0;
}

/* Columns have the names of the classes where there is one for each. */
static mica_status write_csv(const struct task *task, const char *path, const float *outputs)
{
    bool named = task->outputs > 1 && cJSON_GetArraySize(task->names) == (int)task->outputs;
    const char **names = named ? calloc(task->outputs, sizeof *names) : NULL;
    const cJSON *item;
    size_t i = 0;
    if (named && !names)
        return MICA_OUT_OF_MEMORY;
    if (names)
        cJSON_ArrayForEach(item, task->names)
            names[i++] = item->valuestring;
    mica_status status = mica_write_csv(task->device, path, names, outputs, (int64_t)task->outputs, task->n);
    free(names);
    return status;
}

static mica_status write_outputs(const struct task *task, const char *path, const float *outputs)
{
    return ends_in(path, ".csv") ? write_csv(task, path, outputs)
                                 : mica_write_npy(task->device, path, outputs, task->output, task->n);
}

/* ---- The command ---- */

/* An answer that is no number is none: of outputs where there are no answers. */
static int check_numbers(const struct task *task, const float *outputs, const mica_answer *answers)
{
    size_t each = task->classifies ? (size_t)task->top : task->outputs, count = each * (size_t)task->n;
    for (size_t i = 0; i < count; i++) {
        float value = task->classifies ? answers[i].score : outputs[i];
        if (!isfinite(value))
            return cli_fail(CLI_FAILED, "sample %zu: the network's output is %g, which is no number", i / each, (double)value);
    }
    return CLI_OK;
}

static int answer(struct task *task, const char *output, bool as_json)
{
    size_t count = (size_t)task->n * task->outputs;
    float *outputs = calloc(count ? count : 1, sizeof *outputs);
    mica_answer *answers = calloc((size_t)task->n * (size_t)task->top + 1, sizeof *answers);
    cJSON *json = as_json ? cJSON_CreateObject() : NULL;
    cJSON *list = as_json ? cJSON_AddArrayToObject(json, "predictions") : NULL;
    mica_status status = outputs && answers ? MICA_OK : MICA_OUT_OF_MEMORY;
    if (status == MICA_OK && (output || !task->classifies))
        status = mica_predict_data(task->model, task->inputs, MICA_TRAIN, task->of, outputs, count);
    if (status == MICA_OK && task->classifies)
        status = mica_classify_data(task->model, task->inputs, MICA_TRAIN, task->of, task->top, answers);
    int code = status == MICA_OK ? check_numbers(task, outputs, answers) : CLI_FAILED;
    if (code == CLI_OK && output)
        status = write_outputs(task, output, outputs);
    if (status != MICA_OK)
        code = cli_device_failed(task->device);
    if (code == CLI_OK && task->classifies)
        show_classes(task, answers, list);
    else if (code == CLI_OK)
        show_values(task, outputs, list);
    free(outputs);
    free(answers);
    if (code == CLI_OK && as_json)
        return cli_print_json(json);
    cJSON_Delete(json);
    return code;
}

static int predict(mica_device *device, const char *path, const char *input, const char *of, const char *output, int top,
                   bool as_json)
{
    struct task task = {.device = device, .model = cli_load_model(device, path), .of = of};
    int code;
    if (!task.model)
        return CLI_FAILED;
    task.inputs = mica_data_open_inputs(device, input, task.model);
    if (mica_data_status(task.inputs) != MICA_OK) {
        code = cli_fail(CLI_FAILED, "%s", mica_data_error(task.inputs));
    } else if ((code = understand(&task)) == CLI_OK) {
        task.n = mica_data_count(task.inputs, MICA_TRAIN);
        task.top = top < task.classes ? top : task.classes;
        code = answer(&task, output, as_json);
    }
    mica_data_destroy(task.inputs);
    cJSON_Delete(task.names);
    mica_model_destroy(task.model);
    return code;
}

static int run(int argc, char **argv)
{
    struct cli_common common = {0};
    const char *path = NULL, *input = NULL, *of = NULL, *output = NULL, *top = "1";
    const struct cli_option options[] = {{.name = "--input", .value = &input}, {.name = "--output", .value = &output},
                                         {.name = "--top", .value = &top}, {.name = "--of", .value = &of}};
    int code = cli_parse(&cli_predict, argc, argv, options, 4, &common, &path, 1, 1);
    if (code != CLI_OK || common.help)
        return code;
    char *end = NULL;
    long count = strtol(top, &end, 10);
    if (end == top || *end || count < 1 || count > 1000000)
        return cli_fail(CLI_USAGE, "predict: --top %s: it must be a number from 1 to 1000000", top);
    if (!input)
        return cli_fail(CLI_USAGE, "predict: --input FILE is missing");
    if (output && !ends_in(output, ".npy") && !ends_in(output, ".csv") && strncmp(output, "/dev/", 5) != 0)
        return cli_fail(CLI_USAGE, "predict: --output %s: it must end in .npy or .csv", output);
    mica_device *device = cli_open_device(&common);
    if (!device)
        return CLI_FAILED;
    if (output)
        code = cli_check_output(device, output, (const char *const[]){path, input}, 2);
    if (code == CLI_OK)
        code = predict(device, path, input, of, output, (int)count, common.json);
    mica_device_destroy(device);
    return code;
}
