/* mica generate: goes on with a text, as a model was trained on one. */
#if !defined(_POSIX_C_SOURCE)
#define _POSIX_C_SOURCE 200809L
#endif
#include "cli/cli.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int run(int argc, char **argv);

const struct cli_command cli_generate = {
    "generate", "continue a text with a model that was trained on one",
    "Usage: mica generate MODEL --prompt TEXT --tokens N [--temperature T] [--top-k K] [--top-p P] [--seed S]\n"
    "                     [--device D] [--json] [--debug]\n\n"
    "Prints what the model adds to the prompt, and nothing else, as it comes. --json: {\"text\": ..., \"tokens\": how many}.\n\n"
    "  --prompt       the text to go on with; at least one character, or word\n"
    "  --tokens       how many characters, or words, are added\n"
    "  --temperature  below 1 what is probable becomes more so; 0 always takes the most probable (1)\n"
    "  --top-k        draws from the K most probable alone\n"
    "  --top-p        draws from the fewest that together have the probability P\n"
    "  --seed         of what is drawn (0)\n",
    run};

/* What has come so far, where it is printed at the end. */
struct collected {
    char *text;
    size_t size, room;
    bool as_json, failed;
};

static bool append(struct collected *out, const char *text)
{
    size_t length = strlen(text);
    if (out->size + length + 1 > out->room) {
        size_t room = 2 * (out->size + length + 1);
        char *more = realloc(out->text, room);
        if (!more)
            return false;
        out->text = more;
        out->room = room;
    }
    memcpy(out->text + out->size, text, length + 1);
    out->size += length;
    return true;
}

static bool take(void *user, const char *text, int32_t token)
{
    struct collected *out = user;
    (void)token;
    if (out->as_json)
        out->failed = !append(out, text);
    else
        out->failed = fputs(text, stdout) < 0 || fflush(stdout) != 0;
    return !out->failed;
}

static void show_note(void *user, const char *line)
{
    (void)user;
    cli_note("%s", line);
}

static int print_json(const struct collected *out, int64_t tokens)
{
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "text", out->text ? out->text : "");
    cJSON_AddNumberToObject(json, "tokens", (double)tokens);
    return cli_print_json(json);
}

static int generate(mica_device *device, const char *path, const char *prompt, mica_generate_desc *desc, bool as_json)
{
    struct collected out = {.as_json = as_json};
    mica_model *model = cli_load_model(device, path);
    int code = model ? CLI_OK : CLI_FAILED;
    desc->on_token = take;
    desc->note = show_note;
    desc->user = &out;
    if (model && mica_generate(model, prompt, desc) != MICA_OK)
        code = out.failed ? cli_fail(CLI_FAILED, as_json ? "out of memory" : "standard output cannot be written")
                          : cli_device_failed(device);
    if (code == CLI_OK && as_json)
        code = print_json(&out, desc->tokens);
    else if (code == CLI_OK && isatty(STDOUT_FILENO))
        putchar('\n');
    free(out.text);
    mica_model_destroy(model);
    return code;
}

/* ---- Options ---- */

static int read_whole(const char *name, const char *text, double least, double most, int64_t *out)
{
    char *end = NULL;
    double value = text ? strtod(text, &end) : 0;
    if (!text)
        return CLI_OK;
    if (end == text || *end || !(value >= least && value <= most) || floor(value) != value)
        return cli_fail(CLI_USAGE, "generate: %s %s: it must be a whole number from %.0f to %.0f", name, text, least, most);
    *out = (int64_t)value;
    return CLI_OK;
}

static int read_number(const char *name, const char *text, double most, float *out)
{
    char *end = NULL;
    double value = text ? strtod(text, &end) : 0;
    if (!text)
        return CLI_OK;
    if (end == text || *end || !(value >= 0 && value <= most))
        return cli_fail(CLI_USAGE, "generate: %s %s: it must be a number from 0 to %g", name, text, most);
    *out = (float)value;
    return CLI_OK;
}

static int run(int argc, char **argv)
{
    struct cli_common common = {0};
    const char *path = NULL, *prompt = NULL, *tokens = NULL, *temperature = NULL, *top_k = NULL, *top_p = NULL, *seed = NULL;
    const struct cli_option options[] = {{.name = "--prompt", .value = &prompt}, {.name = "--tokens", .value = &tokens},
                                         {.name = "--temperature", .value = &temperature}, {.name = "--top-k", .value = &top_k},
                                         {.name = "--top-p", .value = &top_p}, {.name = "--seed", .value = &seed}};
    mica_generate_desc desc = {.temperature = 1};
    int64_t k = 0, seeded = 0;
    int code = cli_parse(&cli_generate, argc, argv, options, 6, &common, &path, 1, 1);
    if (code != CLI_OK || common.help)
        return code;
    if (!prompt || !tokens)
        return cli_fail(CLI_USAGE, "generate: %s is missing", !prompt ? "--prompt TEXT" : "--tokens N");
    if ((code = read_whole("--tokens", tokens, 1, 1e9, &desc.tokens)) != CLI_OK ||
        (code = read_number("--temperature", temperature, 1e6, &desc.temperature)) != CLI_OK ||
        (code = read_whole("--top-k", top_k, 1, 1e6, &k)) != CLI_OK ||
        (code = read_number("--top-p", top_p, 1, &desc.top_p)) != CLI_OK ||
        (code = read_whole("--seed", seed, 0, 9007199254740992.0, &seeded)) != CLI_OK)
        return code;
    desc.greedy = !(desc.temperature > 0);
    desc.top_k = (int)k;
    desc.seed = (uint64_t)seeded;
    mica_device *device = cli_open_device(&common);
    if (!device)
        return CLI_FAILED;
    code = generate(device, path, prompt, &desc, common.json);
    mica_device_destroy(device);
    return code;
}
