/* Answers of encoders and decoders: beside every way to answer, tried on the host, and beside a plain beam search there. */
#include "support/device.h"
#include "support/files.h"
#include "train/training.h"

#include <mica/generate.h>
#include <mica/job.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SAMPLES = 3, SOURCE = 5, STEPS = 4, CLASSES = 6, PADDING = 0, END = 1, START = 2, FIRST = 3 };

#define INPUTS(words) "{\"layers\": [{\"type\": \"input\", \"name\": \"source\", \"shape\": [5], \"dtype\": \"int32\"}, " \
    "{\"type\": \"input\", \"name\": \"written\", \"shape\": [4], \"dtype\": \"int32\"}, " \
    "{\"type\": \"embedding\", \"name\": \"words\", \"input_dim\": 6, \"output_dim\": 8, \"mask_zero\": true, \"inputs\": [\"source\"]}, " words
#define READ "{\"type\": \"embedding\", \"name\": \"read\", \"input_dim\": 6, \"output_dim\": 8, \"mask_zero\": true, \"inputs\": [\"written\"]}, "
#define NORMAL ", \"kernel_initializer\": {\"type\": \"random_normal\", \"stddev\": 0.9}}"
#define LAST "{\"type\": \"dense\", \"units\": 6" NORMAL "]}"

static const char transformers[] = INPUTS("{\"type\": \"transformer_encoder\", \"name\": \"memory\", \"intermediate_dim\": 12, \"num_heads\": 2" NORMAL ", ")
    READ "{\"type\": \"sine_position_encoding\", \"name\": \"places\"}, {\"type\": \"add\", \"name\": \"placed\", \"inputs\": [\"read\", \"places\"]}, "
    "{\"type\": \"transformer_decoder\", \"intermediate_dim\": 12, \"num_heads\": 2, \"inputs\": [\"placed\", \"memory\"]" NORMAL ", " LAST;
static const char recurrent[] = INPUTS("{\"type\": \"gru\", \"name\": \"memory\", \"units\": 8, \"return_sequences\": true, \"return_state\": true}, ")
    READ "{\"type\": \"gru\", \"name\": \"decoder\", \"units\": 8, \"return_sequences\": true, \"inputs\": [\"read\", \"memory:1\"]}, "
    "{\"type\": \"dense\", \"name\": \"key\", \"units\": 8, \"inputs\": [\"memory\"]}, "
    "{\"type\": \"attention\", \"name\": \"context\", \"inputs\": [\"decoder\", \"memory\", \"key\"]}, "
    "{\"type\": \"concatenate\", \"axis\": -1, \"inputs\": [\"decoder\", \"context\"]}, " LAST;
/* A layer that no step can be taken of. */
static const char whole[] = INPUTS("{\"type\": \"gru\", \"name\": \"memory\", \"units\": 8}, ")
    READ "{\"type\": \"gru\", \"units\": 8, \"return_sequences\": true, \"inputs\": [\"read\", \"memory\"]}, "
    "{\"type\": \"batch_normalization\"}, " LAST;

static const int32_t sources[SAMPLES][SOURCE] = {{3, 4, 5, 3, 0}, {5, 5, 0, 0, 0}, {4, 1, 2, 5, 4}};
static const int32_t suppressed[] = {PADDING};

static mica_model *described(mica_device *device, const char *json)
{
    mica_model *model = mica_model_create(device, &(mica_model_desc){.seed = 11});
    if (mica_model_add_json(model, json) != MICA_OK)
        fail_msg("%s", mica_model_error(model));
    return model;
}

static mica_data *data_of(mica_device *device, int first, int count)
{
    const mica_field field = {"source", MICA_INPUT, MICA_SHAPE(SOURCE), .elements = sources[first], .type = MICA_INT32};
    mica_data *data = mica_fields_open(device, &(mica_fields_desc){.samples = count, .fields = &field, .field_count = 1});
    assert_int_equal(mica_data_status(data), MICA_OK);
    return data;
}

/* ---- The reference ---- */

/* Tokens behind START, and the sum of their logarithms. */
struct beginning {
    int32_t token[STEPS];
    int count;
    double sum;
};

struct reference {
    mica_plan *plan;
    int sample;
    double penalty, best;
    struct beginning answer;
};

/* The logarithms of what comes next, of what may. */
static void next_of(struct reference *r, const struct beginning *of, double out[CLASSES])
{
    int32_t written[STEPS] = {START};
    float scores[STEPS * CLASSES];
    double sum = 0;
    for (int i = 0; i < of->count; i++)
        written[i + 1] = of->token[i];
    mica_plan_write_elements(r->plan, "source", MICA_INT32, sources[r->sample], SOURCE);
    mica_plan_write_elements(r->plan, "written", MICA_INT32, written, STEPS);
    mica_plan_run(r->plan, 1);
    assert_int_equal(mica_plan_read(r->plan, NULL, scores, STEPS * CLASSES), MICA_OK);
    for (int c = 0; c < CLASSES; c++) {
        bool may = c == END || c >= FIRST;
        out[c] = may ? (double)scores[of->count * CLASSES + c] : (double)-INFINITY;
        sum += may ? exp(out[c]) : 0;
    }
    for (int c = 0; c < CLASSES; c++)
        out[c] -= log(sum);
}

static struct beginning longer(const struct beginning *of, int32_t token, double logarithm)
{
    struct beginning out = *of;
    out.token[out.count++] = token;
    out.sum += logarithm;
    return out;
}

static void count_answer(struct reference *r, const struct beginning *whole_answer)
{
    double score = whole_answer->sum / pow(whole_answer->count, r->penalty);
    if (score > r->best) {
        r->best = score;
        r->answer = *whole_answer;
    }
}

/* Every way to go on. */
static void try_all(struct reference *r, const struct beginning *of)
{
    double logarithm[CLASSES];
    next_of(r, of, logarithm);
    for (int32_t c = END; c < CLASSES; c++) {
        if (isinf(logarithm[c]))
            continue;
        struct beginning one = longer(of, c, logarithm[c]);
        if (c == END || one.count == STEPS)
            count_answer(r, &one);
        else
            try_all(r, &one);
    }
}

static int by_sum(const void *a, const void *b)
{
    const struct beginning *x = a, *y = b;
    return x->sum > y->sum ? -1 : x->sum < y->sum;
}

/* A plain beam search: all longer beginnings in order, of which the first that have not ended stay. */
static void search(struct reference *r, int beams)
{
    struct beginning kept[16] = {{.count = 0}}, all[16 * CLASSES];
    int count = 1, ended = 0;
    for (int length = 1; length <= STEPS && ended < beams && count; length++) {
        double logarithm[CLASSES];
        int many = 0;
        for (int i = 0; i < count; i++) {
            next_of(r, &kept[i], logarithm);
            for (int32_t c = END; c < CLASSES; c++)
                if (!isinf(logarithm[c]))
                    all[many++] = longer(&kept[i], c, logarithm[c]);
        }
        qsort(all, (size_t)many, sizeof *all, by_sum);
        count = 0;
        for (int i = 0; i < many && count < beams; i++) {
            bool ends = all[i].token[length - 1] == END;
            if (ends && i < beams) {
                count_answer(r, &all[i]);
                ended++;
            }
            if (!ends)
                kept[count++] = all[i];
        }
    }
    for (int i = 0; i < count && ended < beams && kept[i].count == STEPS; i++)
        count_answer(r, &kept[i]);
}

/* ---- Answers ---- */

struct told {
    int32_t token[SAMPLES][STEPS];
    int64_t count[SAMPLES];
    double score[SAMPLES];
    bool ended[SAMPLES];
    int64_t answers, most;
};

static bool take(void *user, const mica_written *written)
{
    struct told *told = user;
    assert_int_equal(written->number, told->answers);
    assert_null(written->text);
    if (written->count) /* an answer may be empty */
        memcpy(told->token[written->number], written->tokens, (size_t)written->count * sizeof(int32_t));
    told->count[written->number] = written->count;
    told->score[written->number] = written->score;
    told->ended[written->number] = written->ended;
    return ++told->answers != told->most;
}

static mica_decode_desc usual(int beams, float penalty, struct told *told)
{
    return (mica_decode_desc){.input = "written", .start = START, .end = END, .suppress = suppressed, .suppress_count = 1,
                              .num_beams = beams, .length_penalty = penalty, .on_written = take, .user = told};
}

static struct told decoded(mica_model *model, int first, int count, int beams, float penalty)
{
    struct told told = {.answers = 0};
    mica_data *data = data_of(model->device, first, count);
    const mica_decode_desc desc = usual(beams, penalty, &told);
    if (mica_decode(model, data, MICA_TRAIN, &desc) != MICA_OK)
        fail_msg("%s", mica_device_error(model->device));
    assert_int_equal(told.answers, count);
    mica_data_destroy(data);
    return told;
}

static void compare(const struct told *told, int at, const struct reference *r, const char *what)
{
    const struct beginning *want = &r->answer;
    bool ended = want->token[want->count - 1] == END;
    assert_int_equal(told->ended[at], ended);
    assert_int_equal(told->count[at], want->count - ended);
    assert_memory_equal(told->token[at], want->token, (size_t)told->count[at] * sizeof(int32_t));
    if (!(fabs(told->score[at] - r->best) <= 1e-4))
        fail_msg("%s, sample %d: score %.8g, not %.8g", what, at, told->score[at], r->best);
}

static void network(mica_device *device, const char *json, bool steps)
{
    static const struct { int beams; float penalty; } how[] = {{1, 0}, {2, 0}, {3, 0.8f}, {16, 0}, {16, 1.5f}};
    mica_model *model = described(device, json);
    mica_plan *plan = mica_compile(model, NULL);
    for (size_t i = 0; i < MI_COUNT(how); i++) {
        struct told told = decoded(model, 0, SAMPLES, how[i].beams, how[i].penalty);
        for (int sample = 0; sample < SAMPLES; sample++) {
            struct reference r = {.plan = plan, .sample = sample, .penalty = (double)how[i].penalty, .best = -INFINITY};
            if (how[i].beams == 16)
                try_all(&r, &(struct beginning){.count = 0});
            else
                search(&r, how[i].beams);
            compare(&told, sample, &r, json);
        }
        struct told alone = decoded(model, 1, 1, how[i].beams, how[i].penalty);
        assert_int_equal(alone.count[0], told.count[1]);
        assert_memory_equal(alone.token[0], told.token[1], (size_t)alone.count[0] * sizeof(int32_t));
    }
    assert_int_equal(model->stepper.plan != NULL, steps);
    mica_plan_destroy(plan);
    mica_model_destroy(model);
}

static void networks(void **state)
{
    network(*state, transformers, true);
    network(*state, recurrent, true);
    network(*state, whole, false);
}

/* ---- Pairs of texts ---- */

struct answers {
    char text[8][16];
    int count;
};

static bool take_text(void *user, const mica_written *written)
{
    struct answers *answers = user;
    assert_true(written->number == answers->count && answers->count < 8 && strlen(written->text) < 16);
    strcpy(answers->text[answers->count++], written->text);
    return true;
}

static mica_data *open_pairs(mica_device *device)
{
    static const char *const from[] = {"from", NULL}, *const into[] = {"into", NULL};
    char table[1000] = "from,into\n";
    for (int i = 0; i < 12; i++)
        strcat(table, "ab,ba\nabc,cba\nc,c\nbca,acb\n");
    write_text("decode_pairs.csv", table);
    const mica_column_field fields[] = {
        {.name = "from", .role = MICA_INPUT, .columns = from, .text = &(mica_text_column){.tokens = MICA_CHARACTERS}},
        {.name = "into", .role = MICA_TARGET, .columns = into, .text = &(mica_text_column){.tokens = MICA_CHARACTERS}}};
    mica_data *data = mica_csv_open(device, "decode_pairs.csv", &(mica_csv_desc){.fields = fields, .field_count = 2});
    remove("decode_pairs.csv");
    if (mica_data_status(data) != MICA_OK)
        fail_msg("%s", mica_data_error(data));
    return data;
}

#define PAIRS "{\"layers\": [{\"type\": \"input\", \"name\": \"from\", \"shape\": [3]}, " \
    "{\"type\": \"input\", \"name\": \"into_before\", \"shape\": [4]}, " \
    "{\"type\": \"embedding\", \"input_dim\": 5, \"output_dim\": 8, \"mask_zero\": true, \"inputs\": [\"from\"]}, " \
    "{\"type\": \"gru\", \"name\": \"memory\", \"units\": 16}, " \
    "{\"type\": \"embedding\", \"name\": \"read\", \"input_dim\": 6, \"output_dim\": 8, \"mask_zero\": true, \"inputs\": [\"into_before\"]}, " \
    "{\"type\": \"gru\", \"units\": 16, \"return_sequences\": true, \"inputs\": [\"read\", \"memory\"]}, " \
    "{\"type\": \"dense\", \"name\": \"into\", \"units\": 6}], \"outputs\": {\"into\": \"into\"}}"

/* What a field has, and what a model that was trained on it answers, also from a file. */
static void pairs(void **state)
{
    static const char *const texts[] = {"abc", "c", "bca", "ab"};
    const float before[] = {1, 4, 3, 2};
    float row[4];
    mica_data *data = open_pairs(*state);
    struct mi_field *read = mi_data_field(data, MICA_INPUT, "into_before"), *told = mi_data_field(data, MICA_TARGET, NULL);
    mi_field_values(read, 1, row);
    assert_memory_equal(row, before, sizeof before); /* the mark, c, b, a */
    mi_field_values(told, 2, row);
    assert_memory_equal(row, ((float[]){4, 1, 0, 0}), sizeof row); /* c, the mark, padding */
    mica_model *model = described(*state, PAIRS);
    const mica_fit_desc fit = {.objectives = &(mica_objective){.loss = "sparse_categorical_crossentropy", .setting = {{"axis", -1}},
                                                               .classes = true}, .objective_count = 1,
                               .optimizer = {"adam", {{"learning_rate", 0.02}}}, .batch_size = 8, .epochs = 25};
    if (mica_fit(model, data, &fit, NULL) != MICA_OK)
        fail_msg("%s", mica_device_error(*state));
    assert_int_equal(mica_model_save(model, "decode.safetensors"), MICA_OK);
    mica_model *loaded = mica_model_load(*state, "decode.safetensors");
    remove("decode.safetensors");
    for (int beams = 1; beams < 4; beams += 2) {
        struct answers answers = {.count = 0};
        mica_data *asked = mica_data_open_texts(*state, texts, 4, beams > 1 ? loaded : model);
        const mica_decode_desc desc = {.num_beams = beams, .on_written = take_text, .user = &answers};
        if (mica_decode(beams > 1 ? loaded : model, asked, MICA_TRAIN, &desc) != MICA_OK)
            fail_msg("%s", mica_device_error(*state));
        assert_string_equal(answers.text[0], "cba");
        assert_string_equal(answers.text[1], "c");
        assert_string_equal(answers.text[2], "acb");
        assert_string_equal(answers.text[3], "ba");
        mica_data_destroy(asked);
    }
    mica_data *none = mica_data_open_texts(*state, (const char *const[]){"a\xff"}, 1, model);
    assert_non_null(strstr(mica_data_error(none), "text 0: byte 1 (0xff) is no text in UTF-8"));
    mica_data_destroy(none);
    mica_model_destroy(loaded);
    mica_model_destroy(model);
    mica_data_destroy(data);
}

static void refused(mica_model *model, mica_data *data, mica_decode_desc desc, mica_status status, const char *part)
{
    mica_device_clear_error(model->device);
    assert_int_equal(mica_decode(model, data, MICA_TRAIN, &desc), status);
    if (!strstr(mica_device_error(model->device), part))
        fail_msg("\"%s\" does not say \"%s\"", mica_device_error(model->device), part);
    mica_device_clear_error(model->device);
}

static void hostile(void **state)
{
    struct told told = {.most = 2};
    mica_model *model = described(*state, recurrent);
    mica_data *data = data_of(*state, 0, SAMPLES);
    mica_decode_desc desc = usual(1, 0, &told), one;
    refused(model, data, (one = desc, one.num_beams = -1, one), MICA_INVALID_ARGUMENT, "num_beams is -1");
    refused(model, data, (one = desc, one.num_beams = 1000, one), MICA_INVALID_ARGUMENT, "num_beams is 1000");
    refused(model, data, (one = desc, one.length_penalty = NAN, one), MICA_INVALID_ARGUMENT, "length_penalty is");
    refused(model, data, (one = desc, one.tokens = 5, one), MICA_INVALID_ARGUMENT, "tokens is 5, the input \"written\" has 4 steps");
    refused(model, data, (one = desc, one.end = 6, one), MICA_INVALID_ARGUMENT, "end is 6, the classes are from 0 to 5");
    refused(model, data, (one = desc, one.start = -1, one), MICA_INVALID_ARGUMENT, "start is -1");
    refused(model, data, (one = desc, one.suppress = &desc.end, one), MICA_INVALID_ARGUMENT, "class 1 cannot be suppressed");
    refused(model, data, (one = desc, one.suppress = NULL, one), MICA_INVALID_ARGUMENT, "they are NULL");
    refused(model, data, (one = desc, one.input = "writen", one), MICA_INVALID_ARGUMENT, "no input \"writen\"; did you mean \"written\"");
    refused(model, data, (one = desc, one.input = NULL, one), MICA_INVALID_ARGUMENT, "not trained on pairs of texts");
    refused(model, data, (one = desc, one.output = "other", one), MICA_INVALID_ARGUMENT, "no output \"other\"");
    refused(model, data, desc, MICA_CANCELLED, "");
    assert_int_equal(told.answers, 2);
    mica_data_destroy(data);
    mica_model_destroy(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(networks), cmocka_unit_test(pairs), cmocka_unit_test(hostile)};
    return cmocka_run_group_tests_name("decode", tests, open_device, close_device);
}
