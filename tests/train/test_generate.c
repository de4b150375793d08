/* A model that was trained on a text goes on with a prompt: beside what its own answers say, and what is refused. */
#include "support/device.h"
#include "support/files.h"
#include "train/training.h"

#include <mica/generate.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WINDOW = 6 };
#define TEXT "abcabdabcabdabcabdabcabdabcabdabcabdabcabdabcabd"

static const char path[] = "generate_text.txt";

/* What was told. */
struct told {
    char text[512], note[256];
    int tokens, most;
};

static bool take(void *user, const char *text, int32_t token)
{
    struct told *told = user;
    assert_true(token >= 0 && strlen(told->text) + strlen(text) < sizeof told->text);
    strcat(told->text, text);
    return ++told->tokens != told->most;
}

static void note(void *user, const char *line)
{
    snprintf(((struct told *)user)->note, sizeof ((struct told *)user)->note, "%s", line);
}

static struct told continued(mica_model *model, const char *prompt, mica_generate_desc desc)
{
    struct told told = {.text = ""};
    desc.on_token = take;
    desc.note = note;
    desc.user = &told;
    if (mica_generate(model, prompt, &desc) != MICA_OK)
        fail_msg("%s", mica_device_error(model->device));
    assert_int_equal(told.tokens, desc.tokens);
    return told;
}

static mica_data *open_text(mica_device *device, const char *text, mica_tokens tokens)
{
    write_text(path, text);
    mica_data *data = mica_text_open(device, &(mica_text_desc){.part = {path}, .tokens = tokens, .window = WINDOW, .stride = 1});
    remove(path);
    assert_int_equal(mica_data_status(data), MICA_OK);
    return data;
}

/* A network in JSON, trained on the text. */
static mica_model *trained(mica_device *device, const char *layers, const char *text, mica_tokens tokens, int epochs)
{
    char json[1000];
    mica_data *data = open_text(device, text, tokens);
    mica_model *model = mica_model_create(device, &(mica_model_desc){.seed = 4});
    snprintf(json, sizeof json, "{\"input_shape\": [%d], \"layers\": [%s]}", WINDOW, layers);
    assert_int_equal(mica_model_add_json(model, json), MICA_OK);
    const mica_fit_desc fit = {.loss = "sparse_categorical_crossentropy", .metrics = {{.type = "accuracy"}, {.type = "perplexity"}},
                               .optimizer = {"adam", {{"learning_rate", 0.05}}}, .batch_size = 8, .epochs = epochs};
    if (mica_fit(model, data, &fit, NULL) != MICA_OK)
        fail_msg("%s", mica_device_error(device));
    mica_data_destroy(data);
    return model;
}

/* The scores of what follows a place are those of its token alone. */
#define BIGRAM "{\"type\": \"embedding\", \"input_dim\": 5, \"output_dim\": 8}, {\"type\": \"dense\", \"units\": 5}"
#define TURNED "{\"type\": \"permute\", \"dims\": [2, 1]}"
#define RECURRENT "{\"type\": \"embedding\", \"input_dim\": 5, \"output_dim\": 6}, " \
                  "{\"type\": \"gru\", \"units\": 12, \"return_sequences\": true}, {\"type\": \"dense\", \"units\": 5}, " TURNED

/* ---- What comes next ---- */

/* The third character before says whether c or d comes, which a recurrent network learns and two characters do not tell. */
static void recurrent(void **state)
{
    mica_model *model = trained(*state, RECURRENT, TEXT, MICA_CHARACTERS, 60);
    const mica_generate_desc greedy = {.tokens = 14, .greedy = true};
    assert_string_equal(continued(model, "abc", greedy).text, "abdabcabdabcab"); /* less than the window, and then more */
    assert_string_equal(continued(model, "cabdab", greedy).text, "cabdabcabdabca");
    assert_string_equal(continued(model, "abdabdabcabdabcabd", greedy).text, "abcabdabcabdab");
    /* A file has the vocabulary. */
    assert_int_equal(mica_model_save(model, "generate.safetensors"), MICA_OK);
    mica_model *loaded = mica_model_load(*state, "generate.safetensors");
    remove("generate.safetensors");
    assert_string_equal(continued(loaded, "abc", greedy).text, "abdabcabdabcab");
    mica_model_destroy(loaded);
    mica_model_destroy(model);
}

/* Byte pairs: what two bytes were is a token of two bytes. */
static void byte_pairs(void **state)
{
    char text[200] = "";
    for (int i = 0; i < 8; i++)
        strcat(text, "\xc3\xa9" "1" "\xc3\xa8" "2");
    mica_model *model = trained(*state, "{\"type\": \"embedding\", \"input_dim\": 258, \"output_dim\": 8}, {\"type\": \"dense\", "
                                "\"units\": 258}, " TURNED, text, MICA_BPE, 30);
    const mica_generate_desc greedy = {.tokens = 7, .greedy = true};
    assert_string_equal(continued(model, "2\xc3\xa9" "1", greedy).text, "\xc3\xa8" "2" "\xc3\xa9" "1" "\xc3\xa8" "2" "\xc3\xa9");
    assert_string_equal(continued(model, "\xe2\x82\xac" "2", greedy).note, ""); /* nothing is unknown */
    mica_model_destroy(model);
}

/* The probabilities of what follows "b", by the network's own output. */
static void probabilities(mica_model *model, double temperature, double p[5])
{
    float inputs[WINDOW] = {1, 0, 0, 0, 0, 0}, outputs[5 * WINDOW];
    double sum = 0;
    assert_int_equal(mica_predict(model, inputs, 1, outputs, 5 * WINDOW), MICA_OK);
    for (int c = 0; c < 4; c++) /* the fifth is what is unknown */
        sum += p[c] = exp((double)outputs[c * WINDOW] / temperature);
    for (int c = 0; c < 4; c++)
        p[c] /= sum;
    p[4] = 0;
}

/* How often each is drawn among many seeds. */
static void count(mica_model *model, mica_generate_desc desc, int draws, double share[5])
{
    memset(share, 0, 5 * sizeof *share);
    desc.tokens = 1;
    for (int i = 0; i < draws; i++) {
        desc.seed = (uint64_t)i;
        share[continued(model, "b", desc).text[0] - 'a'] += 1.0 / draws;
    }
}

/* Shares of 300 draws lie within four deviations of sqrt(p (1 - p) / 300). */
static void drawing(void **state)
{
    enum { DRAWS = 300 };
    mica_model *model = trained(*state, BIGRAM ", " TURNED, TEXT, MICA_CHARACTERS, 3);
    double p[5], share[5];
    const float temperatures[] = {0, 2.5f};
    for (int t = 0; t < 2; t++) {
        probabilities(model, t ? 2.5 : 1, p);
        count(model, (mica_generate_desc){.temperature = temperatures[t]}, DRAWS, share);
        for (int c = 0; c < 5; c++)
            if (fabs(share[c] - p[c]) > 4 * sqrt(p[c] * (1 - p[c]) / DRAWS) + 1e-9)
                fail_msg("temperature %g, class %d: drawn %g, probability %g", (double)temperatures[t], c, share[c], p[c]);
    }
    int first = 0, second = -1;
    for (int c = 1; c < 4; c++)
        first = p[c] > p[first] ? c : first;
    for (int c = 0; c < 4; c++)
        second = c != first && (second < 0 || p[c] > p[second]) ? c : second;
    count(model, (mica_generate_desc){.temperature = 2.5f, .top_k = 2}, DRAWS, share);
    assert_true(share[first] > 0 && share[second] > 0 && share[first] + share[second] > 1 - 1e-9);
    count(model, (mica_generate_desc){.temperature = 2.5f, .top_p = (float)(p[first] + 0.5 * p[second])}, DRAWS, share);
    assert_true(share[first] > 0 && share[second] > 0 && share[first] + share[second] > 1 - 1e-9);
    count(model, (mica_generate_desc){.temperature = 2.5f, .top_p = (float)(0.9 * p[first])}, 40, share);
    assert_true(share[first] > 1 - 1e-9);
    mica_model_destroy(model);
}

static void seeds(void **state)
{
    mica_model *model = trained(*state, BIGRAM ", " TURNED, TEXT, MICA_CHARACTERS, 2);
    const mica_generate_desc desc = {.tokens = 40, .temperature = 1.5f, .seed = 9}, other = {.tokens = 40, .temperature = 1.5f};
    struct told a = continued(model, "ab", desc), b = continued(model, "ab", desc), c = continued(model, "ab", other);
    assert_string_equal(a.text, b.text);
    assert_string_not_equal(a.text, c.text);
    assert_string_equal(continued(model, "ab", (mica_generate_desc){.tokens = 9, .top_k = 1}).text,
                        continued(model, "ab", (mica_generate_desc){.tokens = 9, .greedy = true}).text);
    mica_model_destroy(model);
}

/* The other way round, and with probabilities instead of scores, the same comes. */
static void outputs(void **state)
{
    mica_model *model = trained(*state, BIGRAM ", " TURNED, TEXT, MICA_CHARACTERS, 2);
    const mica_generate_desc desc = {.tokens = 30, .seed = 3};
    struct told expected = continued(model, "ab", desc);
    static const char *const layers[] = {BIGRAM, BIGRAM ", {\"type\": \"softmax\", \"axis\": -1}, " TURNED};
    for (int i = 0; i < 2; i++) {
        char json[600];
        mica_model *same = mica_model_create(*state, NULL);
        snprintf(json, sizeof json, "{\"input_shape\": [%d], \"layers\": [%s]}", WINDOW, layers[i]);
        assert_int_equal(mica_model_add_json(same, json), MICA_OK);
        assert_int_equal(mi_model_set_preprocess(same, model->preprocess), MICA_OK);
        for (int v = 0; v < mica_model_variable_count(model); v++) {
            float values[64];
            const char *name = mica_model_variable_name(model, v);
            mica_shape shape = mica_model_variable_shape(model, v);
            size_t size = (size_t)(shape.rank == 2 ? shape.dim[0] * shape.dim[1] : shape.dim[0]);
            assert_int_equal(mica_model_read(model, name, values, size), MICA_OK);
            assert_int_equal(mica_model_write(same, name, values, size), MICA_OK);
        }
        assert_string_equal(continued(same, "ab", desc).text, expected.text);
        mica_model_destroy(same);
    }
    mica_model_destroy(model);
}

static void words(void **state)
{
    mica_model *model = trained(*state, BIGRAM ", " TURNED, "go on, go on, go on, go on, go on, go on, go on, go on,", MICA_WORDS, 20);
    struct told told = continued(model, "on , go away", (mica_generate_desc){.tokens = 1, .greedy = true});
    assert_string_equal(told.note, "the model does not know 1 of the prompt's words and marks: \"away\"");
    told = continued(model, "go", (mica_generate_desc){.tokens = 5, .greedy = true});
    assert_string_equal(told.text, " on, go on,");
    assert_string_equal(told.note, "");
    mica_model_destroy(model);
}

/* ---- Step by step ---- */

#define DECODERS "{\"type\": \"embedding\", \"name\": \"e\", \"input_dim\": 5, \"output_dim\": 8}, " \
                 "{\"type\": \"position_embedding\", \"name\": \"p\", \"sequence_length\": 6, \"inputs\": [\"e\"]}, " \
                 "{\"type\": \"add\", \"inputs\": [\"e\", \"p\"]}, " \
                 "{\"type\": \"transformer_decoder\", \"intermediate_dim\": 16, \"num_heads\": 2}, {\"type\": \"dense\", \"units\": 5}, " TURNED

/* The most probable token behind the last of `count`, which stand at the front of a window. */
static char next_of(mica_model *model, const char *text, int count)
{
    float inputs[WINDOW] = {0}, outputs[5 * WINDOW];
    int best = 0;
    for (int i = 0; i < count; i++)
        inputs[i] = (float)(text[i] - 'a');
    assert_int_equal(mica_predict(model, inputs, 1, outputs, 5 * WINDOW), MICA_OK);
    for (int c = 1; c < 4; c++)
        best = outputs[c * WINDOW + count - 1] > outputs[best * WINDOW + count - 1] ? c : best;
    return (char)('a' + best);
}

/* As whole windows have it, until one is full: then its last half begins another. */
static void decoders(void **state)
{
    mica_model *model = trained(*state, DECODERS, TEXT, MICA_CHARACTERS, 4);
    char text[20] = "ca";
    int first = 0, count = 2;
    for (; count < 18; count++) {
        if (count - first > WINDOW)
            first = count - WINDOW / 2;
        text[count] = next_of(model, text + first, count - first);
    }
    const mica_generate_desc desc = {.tokens = 16, .greedy = true};
    assert_string_equal(continued(model, "ca", desc).text, text + 2);
    assert_string_equal(continued(model, "ca", desc).text, text + 2);
    assert_non_null(model->stepper.plan);
    /* Of a longer prompt the last window counts. */
    const mica_generate_desc one = {.tokens = 1, .greedy = true};
    assert_int_equal(continued(model, "bbbbbabcabd", one).text[0], next_of(model, "abcabd", 6));
    mica_model_destroy(model);
}

/* A model that is asked from within its own answer. */
static bool ask(void *user, const char *text, int32_t token)
{
    struct told told = {.text = ""};
    (void)text, (void)token;
    const mica_generate_desc desc = {.tokens = 3, .greedy = true, .on_token = take, .user = &told};
    assert_int_equal(mica_generate(user, "abd", &desc), MICA_OK);
    return true;
}

static void within(void **state)
{
    mica_model *model = trained(*state, RECURRENT, TEXT, MICA_CHARACTERS, 4);
    const mica_generate_desc desc = {.tokens = 8, .greedy = true};
    struct told before = continued(model, "ab", desc);
    assert_int_equal(mica_generate(model, "ab", &(mica_generate_desc){.tokens = 8, .greedy = true, .on_token = ask, .user = model}),
                     MICA_OK);
    assert_string_equal(continued(model, "ab", desc).text, before.text);
    mica_model_destroy(model);
}

/* ---- Several, and beams ---- */

/* The texts of several prompts, by their numbers. */
static bool collect(void *user, const mica_written *written)
{
    struct told *all = user;
    assert_int_equal(written->count, all[written->number].most);
    snprintf(all[written->number].text, sizeof all->text, "%s", written->text);
    return true;
}

/* Longer and shorter ones than a window, and some that are still read while others are continued: each as alone with its seed. */
static void side_by_side(void **state)
{
    static const char *const prompts[] = {"ca", "abcabd", "b", "bbbbbabcabd"};
    static const char *const layers[] = {DECODERS, RECURRENT};
    for (size_t k = 0; k < MI_COUNT(layers); k++) {
        mica_model *model = trained(*state, layers[k], TEXT, MICA_CHARACTERS, 4);
        struct told all[4] = {{.most = 16}, {.most = 16}, {.most = 16}, {.most = 16}};
        mica_generate_desc desc = {.tokens = 16, .temperature = 1.2f, .seed = 7, .on_written = collect, .user = all};
        if (mica_generate_all(model, prompts, 4, &desc) != MICA_OK)
            fail_msg("%s", mica_device_error(model->device));
        desc.on_written = NULL;
        for (size_t i = 0; i < 4; i++, desc.seed++)
            assert_string_equal(all[i].text, continued(model, prompts[i], desc).text);
        mica_model_destroy(model);
    }
}

static bool keep(void *user, const mica_written *written)
{
    struct told *told = user;
    snprintf(told->text, sizeof told->text, "%s", written->text);
    told->most = written->ended;
    snprintf(told->note, sizeof told->note, "%.4f", written->score);
    return true;
}

/* The most probable of all 64 texts of three characters behind "b": more beams than there are beginnings miss none. */
static void beams(void **state)
{
    float outputs[5 * WINDOW], inputs[WINDOW] = {0, 1, 2, 3, 0, 0};
    double p[4][4], best = -INFINITY;
    char text[4] = "", note_of[32];
    struct told told = {.text = ""};
    mica_model *model = trained(*state, BIGRAM ", " TURNED, TEXT, MICA_CHARACTERS, 2);
    assert_int_equal(mica_predict(model, inputs, 1, outputs, 5 * WINDOW), MICA_OK);
    for (int i = 0; i < 4; i++) {
        double sum = 0;
        for (int c = 0; c < 4; c++)
            sum += exp((double)outputs[c * WINDOW + i]);
        for (int c = 0; c < 4; c++)
            p[i][c] = (double)outputs[c * WINDOW + i] - log(sum);
    }
    for (int i = 0; i < 64; i++) {
        double sum = p[1][i / 16] + p[i / 16][i / 4 % 4] + p[i / 4 % 4][i % 4];
        if (sum > best) {
            best = sum;
            snprintf(text, sizeof text, "%c%c%c", 'a' + i / 16, 'a' + i / 4 % 4, 'a' + i % 4);
        }
    }
    const mica_generate_desc desc = {.tokens = 3, .num_beams = 16, .on_written = keep, .user = &told};
    assert_int_equal(mica_generate(model, "ab", &desc), MICA_OK);
    snprintf(note_of, sizeof note_of, "%.4f", best);
    assert_string_equal(told.text, text);
    assert_string_equal(told.note, note_of);
    mica_model_destroy(model);
}

/* A text ends before its end, also of beams. */
static void ends(void **state)
{
    struct told told = {.text = ""};
    mica_model *model = trained(*state, RECURRENT, TEXT, MICA_CHARACTERS, 60);
    mica_generate_desc desc = {.tokens = 14, .greedy = true, .end = "d", .on_written = keep, .user = &told};
    for (int k = 1; k < 4; k++) {
        desc.num_beams = k;
        assert_int_equal(mica_generate(model, "abc", &desc), MICA_OK);
        assert_string_equal(told.text, "ab");
        assert_int_equal(told.most, true);
    }
    mica_model_destroy(model);
}

/* ---- What is refused ---- */

static void refused(mica_model *model, const char *prompt, mica_generate_desc desc, mica_status status, const char *part)
{
    mica_device_clear_error(model->device);
    assert_int_equal(mica_generate(model, prompt, &desc), status);
    if (!strstr(mica_device_error(model->device), part))
        fail_msg("\"%s\" does not say \"%s\"", mica_device_error(model->device), part);
    mica_device_clear_error(model->device);
}

static void prompts(void **state)
{
    mica_model *model = trained(*state, BIGRAM ", " TURNED, TEXT, MICA_CHARACTERS, 1);
    const mica_generate_desc one = {.tokens = 1};
    struct told told = {.text = "", .most = 3};
    refused(model, "", one, MICA_INVALID_ARGUMENT, "the prompt is empty");
    refused(model, "ab\xff", one, MICA_DATA, "the prompt: byte 2 (0xff) is no text in UTF-8");
    refused(model, "a", (mica_generate_desc){.tokens = 0}, MICA_INVALID_ARGUMENT, "tokens is 0");
    refused(model, "a", (mica_generate_desc){.tokens = 1, .temperature = -1}, MICA_INVALID_ARGUMENT, "temperature is -1");
    refused(model, "a", (mica_generate_desc){.tokens = 1, .top_k = -1}, MICA_INVALID_ARGUMENT, "top_k is -1");
    refused(model, "a", (mica_generate_desc){.tokens = 1, .top_p = 1.5f}, MICA_INVALID_ARGUMENT, "top_p is 1.5");
    refused(model, "a", (mica_generate_desc){.tokens = 1, .num_beams = -1}, MICA_INVALID_ARGUMENT, "num_beams is -1");
    refused(model, "a", (mica_generate_desc){.tokens = 1, .num_beams = 2, .top_k = 1}, MICA_INVALID_ARGUMENT, "draws nothing");
    refused(model, "a", (mica_generate_desc){.tokens = 1, .length_penalty = -1}, MICA_INVALID_ARGUMENT, "length_penalty is -1");
    refused(model, "a", (mica_generate_desc){.tokens = 1, .end = "ab"}, MICA_INVALID_ARGUMENT, "end is \"ab\", which is several");
    refused(model, "a", (mica_generate_desc){.tokens = 1, .end = "x"}, MICA_INVALID_ARGUMENT, "end is \"x\", which is none");
    refused(model, "a", (mica_generate_desc){.tokens = 9, .on_token = take, .user = &told}, MICA_CANCELLED, "");
    assert_int_equal(told.tokens, 3);
    told = continued(model, "zbz\xc3\xa9", one);
    assert_string_equal(told.note, "the model does not know 2 of the prompt's characters: \"z\", \"\xc3\xa9\"");
    assert_true(told.text[0] >= 'a' && told.text[0] <= 'd');
    mica_model_destroy(model);
}

static void networks(void **state)
{
    const mica_generate_desc one = {.tokens = 1};
    mica_model *model = trained(*state, "{\"type\": \"embedding\", \"input_dim\": 5, \"output_dim\": 6}, "
                                "{\"type\": \"gru\", \"units\": 3, \"return_sequences\": true, \"go_backwards\": true}, "
                                "{\"type\": \"dense\", \"units\": 5}, " TURNED, TEXT, MICA_CHARACTERS, 1);
    refused(model, "ab", one, MICA_UNSUPPORTED, "the model reads what stands behind a place");
    mica_model_destroy(model);
    char *fitted = NULL;
    model = trained(*state, BIGRAM ", " TURNED, TEXT, MICA_CHARACTERS, 1);
    fitted = mi_strdup(model->preprocess);
    mica_model_destroy(model);
    static const char *const layers[] = {"{\"type\": \"dense\", \"units\": 5}", BIGRAM ", {\"type\": \"flatten\"}",
                                         "{\"type\": \"embedding\", \"input_dim\": 5, \"output_dim\": 4}"};
    for (size_t i = 0; i < MI_COUNT(layers); i++) { /* no places; no axis of classes; fewer of them than the vocabulary has */
        char json[400];
        model = mica_model_create(*state, NULL);
        snprintf(json, sizeof json, "{\"input_shape\": [%d], \"layers\": [%s]}", WINDOW, layers[i]);
        assert_int_equal(mica_model_add_json(model, json), MICA_OK);
        refused(model, "ab", one, MICA_DATA, "the model has no vocabulary: it was not trained on a text");
        assert_int_equal(mi_model_set_preprocess(model, fitted), MICA_OK);
        refused(model, "ab", one, MICA_SHAPE, "it must be (5 classes, 6 places)");
        mica_model_destroy(model);
    }
    model = mica_model_create(*state, NULL); /* positions alone */
    assert_int_equal(mica_model_add_json(model, "{\"input_shape\": [6], \"layers\": [{\"type\": \"embedding\", \"input_dim\": 5, "
                                         "\"output_dim\": 5}, {\"type\": \"position_embedding\", \"sequence_length\": 6}]}"), MICA_OK);
    assert_int_equal(mi_model_set_preprocess(model, fitted), MICA_OK);
    refused(model, "ab", one, MICA_UNSUPPORTED, "does not depend on its input");
    mica_model_destroy(model);
    free(fitted);
}

/* ---- Losses of several places ---- */

/* The mean over places of -log p of the class there, and the share of places that are right, beside those that predictions give. */
static void places(void **state)
{
    mica_model *model = trained(*state, BIGRAM ", " TURNED, TEXT, MICA_CHARACTERS, 2);
    mica_data *data = open_text(*state, TEXT, MICA_CHARACTERS);
    int64_t n = mica_data_count(data, MICA_TRAIN);
    float *scores = mi_new((size_t)n * 5 * WINDOW, sizeof *scores);
    mica_scores *measured = NULL;
    double loss = 0, right = 0, all = (double)(n * WINDOW);
    assert_int_equal(mica_predict_data(model, data, MICA_TRAIN, NULL, scores, (size_t)n * 5 * WINDOW), MICA_OK);
    for (int64_t i = 0; i < n * WINDOW; i++) {
        const float *row = scores + i / WINDOW * 5 * WINDOW + i % WINDOW;
        int truth = TEXT[i / WINDOW + i % WINDOW + 1] - 'a', best = 0;
        double sum = 0;
        for (int c = 0; c < 5; c++) {
            sum += exp((double)row[c * WINDOW]);
            best = row[c * WINDOW] > row[best * WINDOW] ? c : best;
        }
        loss += (log(sum) - (double)row[truth * WINDOW]) / all;
        right += (best == truth) / all;
    }
    assert_int_equal(mica_evaluate(model, data, MICA_TRAIN, NULL, 0, &measured), MICA_OK);
    assert_true(fabs(mica_scores_get(measured, "loss") - loss) < 1e-5);
    assert_true(fabs(mica_scores_get(measured, "accuracy") - right) < 1e-5);
    assert_true(fabs(mica_scores_get(measured, "perplexity") - exp(loss)) < 1e-4);
    mica_scores_destroy(measured);
    free(scores);
    mica_data_destroy(data);
    mica_model_destroy(model);
}

/* A network or a loss that cannot take classes at places is told what to do. */
static void misfits(void **state)
{
    mica_data *data = open_text(*state, TEXT, MICA_CHARACTERS);
    static const struct { const char *layers, *loss, *says; mica_status status; } bad[] = {
        {BIGRAM, "sparse_categorical_crossentropy", "or (places, classes) and the loss's axis -1", MICA_SHAPE},
        {BIGRAM ", " TURNED, "categorical_crossentropy", "which sparse_categorical_crossentropy takes", MICA_DATA},
        {BIGRAM ", {\"type\": \"flatten\"}", "sparse_categorical_crossentropy", "it must be (classes, places)", MICA_SHAPE},
        {"{\"type\": \"embedding\", \"input_dim\": 5, \"output_dim\": 4}, " TURNED, "sparse_categorical_crossentropy",
         "the data have 5 classes (a, b, c, d, \xef\xbf\xbd), the model's output has room for 4", MICA_DATA}};
    for (size_t i = 0; i < MI_COUNT(bad); i++) {
        char json[400];
        mica_model *model = mica_model_create(*state, NULL);
        snprintf(json, sizeof json, "{\"input_shape\": [%d], \"layers\": [%s]}", WINDOW, bad[i].layers);
        assert_int_equal(mica_model_add_json(model, json), MICA_OK);
        mica_device_clear_error(*state);
        assert_int_equal(mica_fit(model, data, &(mica_fit_desc){.loss = bad[i].loss}, NULL), bad[i].status);
        if (!strstr(mica_device_error(*state), bad[i].says))
            fail_msg("\"%s\" does not say \"%s\"", mica_device_error(*state), bad[i].says);
        mica_device_clear_error(*state);
        mica_model_destroy(model);
    }
    mica_data_destroy(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recurrent), cmocka_unit_test(drawing), cmocka_unit_test(seeds),    cmocka_unit_test(outputs),
        cmocka_unit_test(words),     cmocka_unit_test(prompts), cmocka_unit_test(networks), cmocka_unit_test(places),
        cmocka_unit_test(misfits),   cmocka_unit_test(byte_pairs), cmocka_unit_test(decoders), cmocka_unit_test(within),
        cmocka_unit_test(side_by_side), cmocka_unit_test(beams), cmocka_unit_test(ends),
    };
    return cmocka_run_group_tests_name("generate", tests, open_device, close_device);
}
