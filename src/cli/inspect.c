/* mica inspect: what a model is made of, and what runs on the device. */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

static int run(int argc, char **argv);

const struct cli_command cli_inspect = {
    "inspect", "show a model's layers, operators, kernels and memory",
    "Usage: mica inspect MODEL [--variables] [--plan] [--training] [--batch N] [--device D] [--json] [--debug]\n\n"
    "Shows the layers of a model, its parameters, and the launches and bytes of its plan.\n\n"
    "  MODEL       a saved model, or a job file (.json), whose network has its initial weights then\n"
    "  --variables also the parameters and statistics, by their names in files\n"
    "  --plan      also the graph, and every kernel with its source, layouts and engine\n"
    "  --training  the plan of a training step instead of prediction: the job's, or one of Adam\n"
    "  --batch     samples in a step (1)\n",
    run};

static const char *text_of(const cJSON *object, const char *key)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItem(object, key));
    return text ? text : "";
}

static double number_of(const cJSON *object, const char *key)
{
    const cJSON *item = cJSON_GetObjectItem(object, key);
    return cJSON_IsNumber(item) ? item->valuedouble : 0;
}

static void format_shape(const cJSON *shape, char *out, size_t size)
{
    size_t used = 0;
    const cJSON *dim;
    out[0] = 0;
    cJSON_ArrayForEach(dim, shape) {
        int more = used < size ? snprintf(out + used, size - used, "%s%.0f", used ? ", " : "", dim->valuedouble) : 0;
        used += more > 0 ? (size_t)more : 0;
    }
}

/* The outputs by their names, where there is more to say than that there is one. */
static void print_outputs(const cJSON *outputs)
{
    const cJSON *output;
    const char *before = "outputs: ";
    char shape[128];
    if (cJSON_GetArraySize(outputs) == 1 && !strcmp(text_of(cJSON_GetArrayItem(outputs, 0), "name"), "output"))
        return;
    cJSON_ArrayForEach(output, outputs) {
        format_shape(cJSON_GetObjectItem(output, "shape"), shape, sizeof shape);
        printf("%s%s (%s)", before, cli_show(text_of(output, "name")).text, shape);
        before = ", ";
    }
    if (cJSON_GetArraySize(outputs))
        putchar('\n');
}

/* A layer's type, or whose parameters it uses again: "dense", "dense_1, again". */
static void format_type(const cJSON *layer, char *out, size_t size)
{
    const char *again = text_of(layer, "layer");
    snprintf(out, size, "%.100s%s", *again ? cli_show(again).text : text_of(layer, "type"), *again ? ", again" : "");
}

static void print_layers(const cJSON *json)
{
    const cJSON *layer;
    char shape[128], type[128];
    printf("%-24s %-24s %-20s %12s\n", "layer", "type", "output", "parameters");
    cJSON_ArrayForEach(layer, cJSON_GetObjectItem(json, "layers")) {
        format_shape(cJSON_GetObjectItem(layer, "output_shape"), shape, sizeof shape);
        format_type(layer, type, sizeof type);
        printf("%-24s %-24s %-20s %12.0f\n", cli_show(text_of(layer, "name")).text, type, shape, number_of(layer, "parameters"));
    }
    print_outputs(cJSON_GetObjectItem(json, "outputs"));
    printf("%.0f parameters, %.0f operators, %.0f launches a step, %.0f peak bytes\n", number_of(json, "parameters"),
           number_of(json, "operators"), number_of(json, "launches"), number_of(json, "peak_bytes"));
}

/* What a file of the model holds, by PyTorch's names. */
static void print_variables(const cJSON *variables)
{
    const cJSON *variable, *dim;
    char shape[128];
    printf("\n%-40s %-24s %12s\n", "variable", "shape", "elements");
    cJSON_ArrayForEach(variable, variables) {
        double elements = 1;
        cJSON_ArrayForEach(dim, cJSON_GetObjectItem(variable, "shape"))
            elements *= dim->valuedouble;
        format_shape(cJSON_GetObjectItem(variable, "shape"), shape, sizeof shape);
        printf("%-40s %-24s %12.0f\n", cli_show(text_of(variable, "name")).text, shape, elements);
    }
}

/* The strings of a list on one line. */
static void print_list(const char *label, const cJSON *list)
{
    const cJSON *item;
    const char *before = label;
    cJSON_ArrayForEach(item, list) {
        printf("%s%s", before, cli_show(item->valuestring).text);
        before = ", ";
    }
    if (cJSON_GetArraySize(list))
        putchar('\n');
}

static void print_bytes(const cJSON *bytes)
{
    const cJSON *arena;
    printf("\nmemory\n");
    cJSON_ArrayForEach(arena, bytes)
        printf("  %-24s %14.0f bytes\n", cli_show(arena->string).text, arena->valuedouble);
}

static void print_kernels(const cJSON *kernels)
{
    const cJSON *kernel;
    int number = 0;
    printf("\nlaunches\n");
    cJSON_ArrayForEach(kernel, kernels) {
        const cJSON *turns = cJSON_GetObjectItem(kernel, "turns"), *rows = cJSON_GetObjectItem(kernel, "rows");
        printf("  %2d %-32s engine %s", ++number, cli_show(text_of(kernel, "kernel")).text, text_of(kernel, "engine"));
        if (rows)
            printf(", %.0f turns of %.0f samples an item", turns->valuedouble, rows->valuedouble);
        else if (turns)
            printf(", in each of %.0f turns", turns->valuedouble);
        putchar('\n');
        print_list("       computes ", cJSON_GetObjectItem(kernel, "nodes"));
        print_list("       stores   ", cJSON_GetObjectItem(kernel, "stores"));
    }
    number = 0;
    cJSON_ArrayForEach(kernel, kernels) {
        const char *source = text_of(kernel, "source");
        if (*source)
            printf("\n/* ---- launch %d ---- */\n%s", ++number, source);
        else
            printf("\n/* ---- launch %d: a call of CLBlast ---- */\n", ++number);
    }
}

static void print_plan(const cJSON *json)
{
    const cJSON *node, *plan = cJSON_GetObjectItem(json, "plan");
    printf("\ngraph\n");
    cJSON_ArrayForEach(node, cJSON_GetObjectItem(json, "graph"))
        printf("  %-24s %-24s %s\n", cli_show(text_of(node, "name")).text, text_of(node, "op"), text_of(node, "shape"));
    print_bytes(cJSON_GetObjectItem(plan, "bytes"));
    print_kernels(cJSON_GetObjectItem(plan, "kernels"));
}

/* The lines about the data: a saved model's own, or those of the data that a job opened. */
static void add_notes(cJSON *json, const mica_data *data)
{
    cJSON *list = cJSON_GetObjectItem(json, "data");
    for (int i = 0; list && i < mica_data_notes(data); i++)
        cJSON_AddItemToArray(list, cJSON_CreateString(mica_data_note(data, i)));
}

static int print_model(char *text, const mica_data *data, bool variables, bool plan, bool as_json)
{
    const cJSON *line;
    cJSON *json = cJSON_Parse(text);
    if (!json)
        return cli_fail(CLI_FAILED, "%s", mica_status_text(MICA_OUT_OF_MEMORY));
    add_notes(json, data);
    if (as_json) {
        if (!plan)
            cJSON_DeleteItemFromObject(json, "plan");
        return cli_print_json(json);
    }
    cJSON_ArrayForEach(line, cJSON_GetObjectItem(json, "data"))
        printf("%s\n", cli_show(line->valuestring).text);
    print_layers(json);
    if (variables)
        print_variables(cJSON_GetObjectItem(json, "variables"));
    if (plan)
        print_plan(json);
    cJSON_Delete(json);
    return CLI_OK;
}

static int run(int argc, char **argv)
{
    struct cli_common common = {0};
    const char *path = NULL, *batch = "1";
    bool variables = false, plan = false, training = false;
    const struct cli_option options[] = {{.name = "--variables", .flag = &variables}, {.name = "--plan", .flag = &plan},
                                         {.name = "--training", .flag = &training}, {.name = "--batch", .value = &batch}};
    int code = cli_parse(&cli_inspect, argc, argv, options, 4, &common, &path, 1, 1);
    if (code != CLI_OK || common.help)
        return code;
    int64_t n = 1;
    code = cli_batch(&cli_inspect, batch, &n);
    mica_device *device = code == CLI_OK ? cli_open_device(&common) : NULL;
    if (!device)
        return code == CLI_OK ? CLI_FAILED : code;
    struct cli_model opened;
    char *text = NULL;
    mica_inspect_desc desc = {.with_plan = true, .training = training, .batch = n};
    code = cli_open_model(device, path, &opened);
    desc.fit = mica_job_fit(opened.job); /* NULL: a saved model */
    if (code == CLI_OK && mica_model_inspect(opened.model, &desc, &text) != MICA_OK)
        code = cli_device_failed(device);
    if (code == CLI_OK)
        code = print_model(text, mica_job_data(opened.job), variables, plan, common.json);
    mica_free(text);
    cli_close_model(&opened);
    mica_device_destroy(device);
    return code;
}
