/* mica bench: how fast kernels and models run on a device. */
#include "cli/bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int run(int argc, char **argv);

const struct cli_command cli_bench = {
    "bench", "measure kernels and models on a device",
    "Usage: mica bench KIND ... [--engine E] [--variant K] [--batch B] [--seconds S] [--no-roof] [--device D] [--json]\n\n"
    "  mica bench gemm M N K [--transpose nn|nt|tn|tt] [--constant]   (M, K) by (K, N)\n"
    "  mica bench conv C H W FILTERS KERNEL STRIDE [--groups G] [--padding P] [--dilation D]\n"
    "                  [--pass forward|data|weights]\n"
    "  mica bench op NAME SHAPE... [--attribute KEY=VALUE]... [--training] [--gradient]\n"
    "  mica bench memory                                             the device's roofs\n"
    "  mica bench model JOB.json [--mode inference|training|generation] [--profile] [--check]\n"
    "                  [--start] [--set KEY.PATH=VALUE]...\n\n"
    "Prints the median time with its spread, GFLOP/s, GB/s, the share of what the device can do at most, peak\n"
    "bytes, and the largest error against a reference, as a fraction of its largest magnitude. A kernel's time is\n"
    "that within a queue of many, a model's that of whole steps. A job's data and weights are not opened.\n\n"
    "  --engine     who multiplies: winograd, direct, direct_weight, depthwise, depthwise_weight, gemm, tile,\n"
    "               clblast, im2col, col2im, nest\n"
    "  --variant    which of the engine's ways, from 0\n"
    "  --batch      samples; of gemm, independent products\n"
    "  --seconds    to spend on each median, roughly (1)\n"
    "  --no-roof    do not measure the device's peaks\n"
    "  --transpose  which operands lie transposed in memory\n"
    "  --constant   B is a weight: what is packed of it is packed once\n"
    "  --padding    on every side (half the kernel)\n"
    "  SHAPE        8x64x56x56; n is the batch; :int32 behind it makes whole numbers\n"
    "  --attribute  kernel_shape=3,3; a list of one number ends in a comma: axes=1,\n"
    "  --profile    also the time of every kernel of a step\n"
    "  --check      inference: the error of one sample against plain loops; slow\n"
    "  --start      also the seconds to the first result, with nothing cached and in a second start\n",
    run};

enum { MOST_WORDS = 16 };

/* ---- Numbers ---- */

static bool read_number(const char *what, const char *text, int64_t least, int64_t *out)
{
    char *end = NULL;
    long long value = strtoll(text, &end, 10);
    if (end == text || *end || value < least || value > INT32_MAX) {
        cli_fail(CLI_USAGE, "bench: %s is \"%s\", it must be a number from %lld", what, text, (long long)least);
        return false;
    }
    *out = value;
    return true;
}

static bool read_common(const struct cli_bench_options *options, mica_bench_desc *desc)
{
    int64_t variant = 0;
    char *end = NULL;
    *desc = (mica_bench_desc){.engine = options->engine, .no_roof = options->no_roof};
    if (options->batch && !read_number("--batch", options->batch, 1, &desc->batch))
        return false;
    if (options->variant && !read_number("--variant", options->variant, 0, &variant))
        return false;
    desc->variant = (int)variant;
    if (options->seconds) {
        desc->seconds = strtod(options->seconds, &end);
        if (end == options->seconds || *end || !(desc->seconds > 0 && desc->seconds <= 3600)) {
            cli_fail(CLI_USAGE, "bench: --seconds is \"%s\", it must be a number above 0", options->seconds);
            return false;
        }
    }
    return true;
}

/* ---- Output ---- */

static void add_number(cJSON *object, const char *key, double value)
{
    if (isnan(value))
        cJSON_AddNullToObject(object, key);
    else
        cJSON_AddItemToObject(object, key, cli_float((float)value));
}

static cJSON *result_json(const mica_bench_result *result)
{
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "name", result->name);
    cJSON_AddStringToObject(json, "engine", result->engine);
    add_number(json, "median_ms", result->median_ms);
    add_number(json, "min_ms", result->min_ms);
    add_number(json, "max_ms", result->max_ms);
    add_number(json, "gflops", result->gflops);
    add_number(json, "gbytes_per_second", result->gbytes_per_second);
    add_number(json, "roof_share", result->roof_share);
    cJSON_AddNumberToObject(json, "peak_bytes", (double)result->peak_bytes);
    add_number(json, "error", result->error);
    cJSON_AddNumberToObject(json, "launches", result->launches);
    cJSON_AddNumberToObject(json, "runs", result->runs);
    cJSON_AddNumberToObject(json, "launches_a_run", result->launches_a_run);
    if (!isnan(result->start_seconds))
        add_number(json, "start_seconds", result->start_seconds);
    return json;
}

static cJSON *kernel_json(const mica_bench_kernel *kernel)
{
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "name", kernel->name);
    cJSON_AddStringToObject(json, "engine", kernel->engine);
    cJSON_AddNumberToObject(json, "launches", kernel->launches);
    add_number(json, "ms", kernel->ms);
    add_number(json, "share", kernel->share);
    add_number(json, "gflops", kernel->gflops);
    add_number(json, "gbytes_per_second", kernel->gbytes_per_second);
    return json;
}

static int print_json(const mica_bench *bench, const mica_device *device, const struct cli_start *start)
{
    cJSON *json = cJSON_CreateObject(), *list = cJSON_AddArrayToObject(json, "results");
    for (int i = 0; i < mica_bench_count(bench); i++) {
        cJSON *result = result_json(mica_bench_get(bench, i));
        if (start->measured) {
            add_number(result, "cold_seconds", start->cold);
            add_number(result, "warm_seconds", start->warm);
        }
        cJSON_AddItemToArray(list, result);
    }
    list = mica_bench_kernel_count(bench) ? cJSON_AddArrayToObject(json, "kernels") : NULL;
    for (int i = 0; list && i < mica_bench_kernel_count(bench); i++)
        cJSON_AddItemToArray(list, kernel_json(mica_bench_get_kernel(bench, i)));
    cJSON_AddStringToObject(json, "device", mica_device_get_info(device)->name);
    return cli_print_json(json);
}

static void print_value(double value, const char *unit)
{
    if (!isnan(value))
        printf(", %.4g %s", value, unit);
}

static void print_result(const mica_bench_result *result)
{
    printf("%s%s%s\n  %.4g ms (%.4g to %.4g)", cli_show(result->name).text, *result->engine ? ", engine " : "", result->engine,
           result->median_ms, result->min_ms, result->max_ms);
    print_value(result->gflops, "GFLOP/s");
    print_value(result->gbytes_per_second, "GB/s");
    print_value(100 * result->roof_share, "% of the roof");
    putchar('\n');
    printf("  %d launch%s, peak %.4g MiB", result->launches, result->launches == 1 ? "" : "es",
           (double)result->peak_bytes / 1048576);
    if (!isnan(result->error))
        printf(", error %.2g", result->error);
    if (!isnan(result->start_seconds))
        printf(", first result after %.3g s", result->start_seconds);
    putchar('\n');
}

static void print_kernels(const mica_bench *bench)
{
    double sum = 0;
    int launches = 0;
    if (mica_bench_kernel_count(bench))
        printf("\n%9s %6s %4s %9s %7s  %s\n", "ms", "share", "", "GFLOP/s", "GB/s", "kernel");
    for (int i = 0; i < mica_bench_kernel_count(bench); i++) {
        const mica_bench_kernel *kernel = mica_bench_get_kernel(bench, i);
        sum += kernel->ms;
        launches += kernel->launches;
        printf("%9.4f %5.1f%% %3dx ", kernel->ms, 100 * kernel->share, kernel->launches);
        if (isnan(kernel->gflops))
            printf("%9s", "");
        else
            printf("%9.4g", kernel->gflops);
        printf(" %7.3g  %s, %s\n", kernel->gbytes_per_second, cli_show(kernel->name).text, kernel->engine);
    }
    if (launches)
        printf("%9.4f ms in %d launches\n", sum, launches);
}

/* Prints what was found, or why nothing was, and destroys it. */
static int print_bench(mica_bench *bench, const mica_device *device, const struct cli_start *start, bool as_json)
{
    int code = CLI_OK;
    if (mica_bench_status(bench) != MICA_OK) {
        code = cli_fail(CLI_FAILED, "%s", mica_bench_error(bench));
    } else if (as_json) {
        code = print_json(bench, device, start);
    } else {
        printf("device %s\n", cli_show(mica_device_get_info(device)->name).text);
        for (int i = 0; i < mica_bench_count(bench); i++)
            print_result(mica_bench_get(bench, i));
        if (start->measured)
            printf("  start to first result: %.3g s with nothing cached, then %.3g s\n", start->cold, start->warm);
        print_kernels(bench);
    }
    mica_bench_destroy(bench);
    return code;
}

/* ---- Kinds: each reads its words and measures; NULL after saying what is wrong ---- */

/* Whether there are as many words as `names`, all of them numbers. */
static bool read_words(const struct cli_request *request, const char *const *names, int64_t *const *values, int count)
{
    if (request->count != count) {
        cli_fail(CLI_USAGE, "bench: %d sizes, there must be %d; see mica bench --help", request->count, count);
        return false;
    }
    for (int i = 0; i < count; i++)
        if (!read_number(names[i], request->words[i], 1, values[i]))
            return false;
    return true;
}

static bool bench_gemm(mica_device *device, const struct cli_request *request, mica_bench **out)
{
    static const char *const names[] = {"M", "N", "K"}, *const transposes[] = {"nn", "nt", "tn", "tt", NULL};
    mica_bench_gemm_desc desc = {.constant_b = request->options->constant, .common = request->common};
    int transpose = request->options->transpose ? cli_bench_word("--transpose", request->options->transpose, transposes) : 0;
    if (transpose < 0 || !read_words(request, names, (int64_t *const[]){&desc.m, &desc.n, &desc.k}, 3))
        return false;
    desc.transpose_a = transpose >= 2;
    desc.transpose_b = transpose % 2 == 1;
    *out = device ? mica_bench_gemm(device, &desc) : NULL;
    return true;
}

static bool bench_conv(mica_device *device, const struct cli_request *request, mica_bench **out)
{
    static const char *const names[] = {"C", "H", "W", "FILTERS", "KERNEL", "STRIDE"};
    static const char *const passes[] = {"forward", "data", "weights", NULL};
    const struct cli_bench_options *options = request->options;
    mica_bench_conv_desc desc = {.common = request->common};
    int pass = options->pass ? cli_bench_word("--pass", options->pass, passes) : 0;
    if (pass < 0 || !read_words(request, names, (int64_t *const[]){&desc.channels, &desc.height, &desc.width, &desc.filters,
                                                                   &desc.kernel, &desc.stride}, 6))
        return false;
    desc.pass = (mica_bench_pass)pass;
    if ((options->groups && !read_number("--groups", options->groups, 1, &desc.groups)) ||
        (options->padding && !read_number("--padding", options->padding, 0, &desc.padding)) ||
        (options->dilation && !read_number("--dilation", options->dilation, 1, &desc.dilation)))
        return false;
    if (options->padding && !desc.padding)
        desc.padding = -1;
    *out = device ? mica_bench_conv(device, &desc) : NULL;
    return true;
}

static bool bench_op(mica_device *device, const struct cli_request *request, mica_bench **out)
{
    const struct cli_bench_options *options = request->options;
    if (request->count < 2) {
        cli_fail(CLI_USAGE, "bench: op needs a name and the shapes of its inputs; see mica bench --help");
        return false;
    }
    const mica_bench_op_desc desc = {.name = request->words[0], .shapes = request->words + 1,
                                     .shape_count = request->count - 1, .attributes = options->attributes.values,
                                     .attribute_count = options->attributes.count, .training = options->training,
                                     .gradient = options->gradient, .common = request->common};
    *out = device ? mica_bench_op(device, &desc) : NULL;
    return true;
}

static bool bench_memory(mica_device *device, const struct cli_request *request, mica_bench **out)
{
    if (!read_words(request, NULL, NULL, 0))
        return false;
    *out = device ? mica_bench_memory(device, &request->common) : NULL;
    return true;
}

/* ---- The command ---- */

static const char *const kinds[] = {"gemm", "conv", "op", "memory", "model", NULL};
static bool (*const measure[])(mica_device *device, const struct cli_request *request, mica_bench **out) = {
    bench_gemm, bench_conv, bench_op, bench_memory, cli_bench_model};

/* The words are checked before a device is opened. */
static int bench(const struct cli_common *common, int kind, const struct cli_request *request)
{
    mica_bench *found = NULL;
    struct cli_start start = {.measured = false};
    if (!measure[kind](NULL, request, &found))
        return CLI_USAGE;
    if (request->options->start && !cli_bench_start(common, request, &start))
        return CLI_FAILED;
    struct cli_common plain = *common; /* the rules are measured, unless another way is asked for */
    plain.tuning = getenv("MICA_TUNING") ? MICA_TUNING_DEFAULT : MICA_TUNING_OFF;
    mica_device *device = cli_open_device(&plain);
    if (!device)
        return CLI_FAILED;
    measure[kind](device, request, &found);
    int code = print_bench(found, device, &start, common->json);
    mica_device_destroy(device);
    return code;
}

static int run(int argc, char **argv)
{
    struct cli_common common = {0};
    struct cli_bench_options given = {0};
    struct cli_request request = {.options = &given};
    const char *words[MOST_WORDS] = {NULL};
    const struct cli_option options[] = {
        {.name = "--engine", .value = &given.engine}, {.name = "--variant", .value = &given.variant},
        {.name = "--batch", .value = &given.batch}, {.name = "--seconds", .value = &given.seconds},
        {.name = "--transpose", .value = &given.transpose}, {.name = "--groups", .value = &given.groups},
        {.name = "--padding", .value = &given.padding}, {.name = "--dilation", .value = &given.dilation},
        {.name = "--pass", .value = &given.pass}, {.name = "--no-roof", .flag = &given.no_roof},
        {.name = "--constant", .flag = &given.constant}, {.name = "--training", .flag = &given.training},
        {.name = "--gradient", .flag = &given.gradient}, {.name = "--attribute", .list = &given.attributes},
        {.name = "--set", .list = &given.sets}, {.name = "--mode", .value = &given.mode},
        {.name = "--profile", .flag = &given.profile}, {.name = "--check", .flag = &given.check},
        {.name = "--start", .flag = &given.start}};
    int count = (int)(sizeof options / sizeof *options);
    int code = cli_parse(&cli_bench, argc, argv, options, count, &common, words, 1, MOST_WORDS);
    if (code != CLI_OK || common.help)
        return code;
    int kind = cli_bench_word("KIND", words[0], kinds);
    if (kind < 0 || !read_common(&given, &request.common))
        return CLI_USAGE;
    if (given.start && strcmp(kinds[kind], "model") != 0)
        return cli_fail(CLI_USAGE, "bench: --start is for models");
    request.words = words + 1;
    while (request.count + 1 < MOST_WORDS && words[request.count + 1])
        request.count++;
    return bench(&common, kind, &request);
}
