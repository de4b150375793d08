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
    "generate", "continue a text, or answer one, with a model that was trained on such",
    "Usage: mica generate MODEL (--prompt TEXT | --prompts FILE) --tokens N [--temperature T] [--top-k K] [--top-p P]\n"
    "                     [--seed S] [--end TEXT] [--beams K] [--length-penalty P] [--device D] [--json] [--debug]\n"
    "       mica generate MODEL (--source TEXT | --sources FILE) [--tokens N] [--beams K] [--length-penalty P]\n\n"
    "Prints what the model adds to the prompt, and nothing else, as it comes. --json: {\"text\": ..., \"tokens\": how many,\n"
    "\"score\": the logarithm of its probability}.\n\n"
    "  --prompt       the text to go on with; at least one character, or word\n"
    "  --prompts      a file with a prompt in each line, which are continued side by side: a line, or an object, for each\n"
    "  --source       a text to answer, by a model that was trained on pairs of texts; --sources: one in each line of a file\n"
    "  --tokens       how many characters, or words, are added\n"
    "  --temperature  below 1 what is probable becomes more so; 0 always takes the most probable (1)\n"
    "  --top-k        draws from the K most probable alone\n"
    "  --top-p        draws from the fewest that together have the probability P\n"
    "  --seed         of what is drawn (0); prompt i of a file, from 0, draws as with S + i alone\n"
    "  --end          a text ends before this character, or word\n"
    "  --beams        the most probable text that K beams find; nothing is drawn\n"
    "  --length-penalty  of beams: scores are divided by length^P, so that longer texts are favoured (0)\n",
    run};

/* What is asked for. */
struct task {
    const char *path, *prompt, *file;
    mica_generate_desc desc;
    bool as_json, answers;           /* the prompts are sources */
};

/* What has come so far, where it is printed at the end. */
struct collected {
    char **texts;                    /* (count) continuations, or one as JSON each */
    int64_t count;
    bool as_json, failed;
};

static bool show(void *user, const char *text, int32_t token)
{
    struct collected *out = user;
    (void)token;
    out->failed = fputs(text, stdout) < 0 || fflush(stdout) != 0;
    return !out->failed;
}

static char *json_of(const mica_written *written)
{
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "text", written->text);
    cJSON_AddNumberToObject(json, "tokens", (double)written->count);
    cJSON_AddNumberToObject(json, "score", written->score);
    char *text = cJSON_PrintUnformatted(json);
    cJSON_Delete(json);
    return text;
}

/* Prompts end in an order of their own. */
static bool take(void *user, const mica_written *written)
{
    struct collected *out = user;
    char *text = out->as_json ? json_of(written) : malloc(strlen(written->text) + 1);
    if (text && !out->as_json)
        memcpy(text, written->text, strlen(written->text) + 1);
    out->texts[written->number] = text;
    out->failed = !text;
    return text != NULL;
}

static void show_note(void *user, const char *line)
{
    (void)user;
    cli_note("%s", line);
}

/* ---- Prompts ---- */

/* The lines of a file, as texts within `bytes`; the caller frees both. */
static int read_lines(const char *path, char **bytes, char ***lines, int64_t *count)
{
    enum { MOST = 1 << 28 };
    FILE *file = fopen(path, "rb");
    size_t size = 0, got, room = 0;
    do {
        char *more = file && size <= MOST ? realloc(*bytes, (room = 2 * room + 4096) + 1) : NULL;
        if (!more) {
            if (file)
                fclose(file);
            return cli_fail(CLI_FAILED, "%s: %s", path, !file         ? "it cannot be read"
                                                        : size > MOST ? "it is too large" : "out of memory");
        }
        *bytes = more;
        size += got = fread(more + size, 1, room - size, file);
    } while (got);
    fclose(file);
    (*bytes)[size] = 0;
    if (strlen(*bytes) != size)
        return cli_fail(CLI_FAILED, "%s: byte %zu is zero: it is no text", path, strlen(*bytes));
    for (size_t i = 0; i < size; i++)
        *count += (*bytes)[i] == '\n' || i + 1 == size;
    *lines = calloc((size_t)*count + 1, sizeof **lines);
    char *at = *bytes;
    for (int64_t i = 0; i < *count && *lines; i++) {
        size_t length = strcspn(at, "\n");
        (*lines)[i] = at;
        at += length + (at[length] != 0);
        (*lines)[i][length && (*lines)[i][length - 1] == '\r' ? length - 1 : length] = 0;
    }
    return *lines ? CLI_OK : cli_fail(CLI_FAILED, "out of memory");
}

/* ---- The command ---- */

static int print(const struct task *task, const struct collected *out)
{
    if (task->as_json && task->file)
        putchar('[');
    for (int64_t i = 0; i < out->count; i++)
        printf("%s%s%s", i && task->as_json ? ", " : "", out->texts[i] ? out->texts[i] : "", task->as_json ? "" : "\n");
    if (task->as_json)
        fputs(task->file ? "]\n" : "\n", stdout);
    return fflush(stdout) ? cli_fail(CLI_FAILED, "standard output cannot be written") : CLI_OK;
}

static mica_status decode(mica_device *device, mica_model *model, const char *const *sources, int64_t count,
                          const mica_generate_desc *desc)
{
    mica_data *data = count ? mica_data_open_texts(device, sources, count, model) : NULL;
    mica_status status = count ? mica_data_status(data) : MICA_OK;
    if (status == MICA_OK && count) {
        cli_print_notes(data);
        status = mica_decode(model, data, MICA_TRAIN, &(mica_decode_desc){
            .tokens = desc->tokens, .num_beams = desc->num_beams, .length_penalty = desc->length_penalty,
            .on_written = desc->on_written, .user = desc->user});
    }
    mica_data_destroy(data);
    return status;
}

static int generate(mica_device *device, struct task *task)
{
    char *bytes = NULL, **lines = NULL;
    int64_t count = task->prompt ? 1 : 0;
    bool streams = !task->as_json && task->prompt && !task->answers;
    int code = task->prompt ? CLI_OK : read_lines(task->file, &bytes, &lines, &count);
    const char *const *prompts = task->prompt ? &task->prompt : (const char *const *)lines;
    struct collected out = {.as_json = task->as_json, .count = count};
    mica_model *model = code == CLI_OK ? cli_load_model(device, task->path) : NULL;
    out.texts = calloc((size_t)count + 1, sizeof *out.texts);
    code = model && out.texts ? CLI_OK : CLI_FAILED;
    task->desc.on_token = streams ? show : NULL;
    task->desc.on_written = streams ? NULL : take;
    task->desc.user = &out;
    mica_status status = code != CLI_OK  ? MICA_OK
                         : task->answers ? decode(device, model, prompts, count, &task->desc)
                         : streams       ? mica_generate(model, task->prompt, &task->desc)
                                         : mica_generate_all(model, prompts, count, &task->desc);
    if (status != MICA_OK)
        code = out.failed ? cli_fail(CLI_FAILED, streams ? "standard output cannot be written" : "out of memory")
                          : cli_device_failed(device);
    if (code == CLI_OK && !streams)
        code = print(task, &out);
    else if (code == CLI_OK && isatty(STDOUT_FILENO))
        putchar('\n');
    for (int64_t i = 0; i < count && out.texts; i++)
        free(out.texts[i]);
    free(out.texts);
    free(lines);
    free(bytes);
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

struct words {
    const char *tokens, *temperature, *top_k, *top_p, *seed, *beams, *penalty;
};

static int read_words(const struct words *words, mica_generate_desc *desc)
{
    int64_t k = 0, seeded = 0, beams = 1;
    int code;
    if ((code = read_whole("--tokens", words->tokens, 1, 1e9, &desc->tokens)) != CLI_OK ||
        (code = read_number("--temperature", words->temperature, 1e6, &desc->temperature)) != CLI_OK ||
        (code = read_whole("--top-k", words->top_k, 1, 1e6, &k)) != CLI_OK ||
        (code = read_number("--top-p", words->top_p, 1, &desc->top_p)) != CLI_OK ||
        (code = read_whole("--beams", words->beams, 1, 256, &beams)) != CLI_OK ||
        (code = read_number("--length-penalty", words->penalty, 1e3, &desc->length_penalty)) != CLI_OK ||
        (code = read_whole("--seed", words->seed, 0, 9007199254740992.0, &seeded)) != CLI_OK)
        return code;
    desc->greedy = words->temperature && !(desc->temperature > 0);
    desc->top_k = (int)k;
    desc->num_beams = (int)beams;
    desc->seed = (uint64_t)seeded;
    if (beams > 1 && (words->temperature || words->top_k || words->top_p))
        return cli_fail(CLI_USAGE, "generate: --beams %s: beam search draws nothing, and takes no %s", words->beams,
                        words->temperature ? "--temperature" : words->top_k ? "--top-k" : "--top-p");
    return CLI_OK;
}

static int run(int argc, char **argv)
{
    struct cli_common common = {0};
    struct task task = {.desc.note = show_note};
    struct words words = {NULL};
    const char *source = NULL, *sources = NULL;
    const struct cli_option options[] = {
        {.name = "--prompt", .value = &task.prompt}, {.name = "--prompts", .value = &task.file},
        {.name = "--source", .value = &source}, {.name = "--sources", .value = &sources},
        {.name = "--tokens", .value = &words.tokens}, {.name = "--temperature", .value = &words.temperature},
        {.name = "--top-k", .value = &words.top_k}, {.name = "--top-p", .value = &words.top_p},
        {.name = "--seed", .value = &words.seed}, {.name = "--end", .value = &task.desc.end},
        {.name = "--beams", .value = &words.beams}, {.name = "--length-penalty", .value = &words.penalty}};
    int code = cli_parse(&cli_generate, argc, argv, options, (int)(sizeof options / sizeof *options), &common, &task.path, 1, 1);
    if (code != CLI_OK || common.help)
        return code;
    if ((task.prompt != NULL) + (task.file != NULL) + (source != NULL) + (sources != NULL) > 1)
        return cli_fail(CLI_USAGE, "generate: --prompt, --prompts, --source and --sources: give one of them");
    task.answers = source || sources;
    if ((code = read_words(&words, &task.desc)) != CLI_OK)
        return code;
    if (!task.answers && ((!task.prompt && !task.file) || !words.tokens))
        return cli_fail(CLI_USAGE, "generate: %s is missing", !task.prompt && !task.file ? "--prompt TEXT" : "--tokens N");
    if (task.answers && (words.temperature || words.top_k || words.top_p || words.seed || task.desc.end))
        return cli_fail(CLI_USAGE, "generate: the answer to a source is not drawn, and has its own end: it takes no %s",
                        words.temperature ? "--temperature" : words.top_k ? "--top-k" : words.top_p ? "--top-p"
                                                                            : words.seed ? "--seed" : "--end");
    if (task.answers) {
        task.prompt = source;
        task.file = sources;
    }
    task.as_json = common.json;
    mica_device *device = cli_open_device(&common);
    if (!device)
        return CLI_FAILED;
    code = generate(device, &task);
    mica_device_destroy(device);
    return code;
}
