/* A network of characters that TensorFlow 1 trained on Shakespeare (third-party data), in layers of Mica's: the scores that another
 * implementation gives, and the loss over the first 5000 characters. */
#include "support/device.h"
#include "support/files.h"

#include "examples/stored.h"
#include "job/job.h"

#include <math.h>
#include <stdlib.h>

enum { UNITS = 128, SYMBOLS = 65, WINDOW = 100, WINDOWS = 50, CHARACTERS = WINDOW * WINDOWS };

/* A window of the text begins with the states in which the one before has left the cells. */
static const char network[] =
    "{\"layers\": [{\"type\": \"input\", \"shape\": [100], \"integer\": true},"
    "{\"type\": \"embedding\", \"name\": \"embedding\", \"input_dim\": 65, \"output_dim\": 128},"
    "{\"type\": \"lstm\", \"name\": \"cell_0\", \"units\": 128, \"return_sequences\": true, \"stateful\": true},"
    "{\"type\": \"lstm\", \"name\": \"cell_1\", \"units\": 128, \"return_sequences\": true, \"stateful\": true},"
    "{\"type\": \"dense\", \"name\": \"scores\", \"units\": 65}]}";

/* ---- Weights ---- */

/* Columns first to first + count - 1 of a matrix (rows, width) become the rows of `out`, (count, rows). */
static void transpose(const float *columns, int rows, int width, int first, int count, float *out)
{
    for (int c = 0; c < count; c++)
        for (int r = 0; r < rows; r++)
            out[c * rows + r] = columns[r * width + first + c];
}

/* TensorFlow's BasicLSTMCell has one matrix (features + units, 4 units), whose columns are the gates i, j, f, o, with PyTorch's g
 * called j, and adds 1 to f before its sigmoid. Mica, as PyTorch, has a matrix for the features and one for the units, whose rows
 * are the gates i, f, g, o. The 1 goes into the first of its two biases, which are added; the second is 0. */
static void write_cell(mica_model *model, const char *layer, const float *weights, const float *biases)
{
    static const int from[] = {0, 2, 1, 3};
    static float input[4 * UNITS * UNITS], recurrent[4 * UNITS * UNITS];
    float bias[4 * UNITS], none[4 * UNITS] = {0};
    char name[64];
    for (int gate = 0; gate < 4; gate++) {
        transpose(weights, UNITS, 4 * UNITS, from[gate] * UNITS, UNITS, input + gate * UNITS * UNITS);
        transpose(weights + 4 * UNITS * UNITS, UNITS, 4 * UNITS, from[gate] * UNITS, UNITS, recurrent + gate * UNITS * UNITS);
        for (int u = 0; u < UNITS; u++)
            bias[gate * UNITS + u] = biases[from[gate] * UNITS + u] + (gate == 1 ? 1 : 0);
    }
    const struct { const char *name; const float *values; size_t count; } parts[] = {
        {"weight_ih_l0", input, MI_COUNT(input)}, {"weight_hh_l0", recurrent, MI_COUNT(recurrent)},
        {"bias_ih_l0", bias, MI_COUNT(bias)}, {"bias_hh_l0", none, MI_COUNT(none)}};
    for (size_t i = 0; i < MI_COUNT(parts); i++) {
        mi_format(name, sizeof name, "%s.%s", layer, parts[i].name);
        stored_write(model, name, parts[i].values, parts[i].count);
    }
}

static void write_all(mica_model *model, const struct stored *stored)
{
    float *embedding = stored_tensor(stored, "embedding", SYMBOLS * UNITS);
    float *columns = stored_tensor(stored, "rnnlm/softmax_w", UNITS * SYMBOLS), rows[SYMBOLS * UNITS];
    float *bias = stored_tensor(stored, "rnnlm/softmax_b", SYMBOLS);
    transpose(columns, UNITS, SYMBOLS, 0, SYMBOLS, rows);
    stored_write(model, "embedding.weight", embedding, SYMBOLS * UNITS);
    stored_write(model, "scores.weight", rows, SYMBOLS * UNITS);
    stored_write(model, "scores.bias", bias, SYMBOLS);
    free(embedding);
    free(columns);
    free(bias);
    for (int cell = 0; cell < 2; cell++) {
        char name[96], layer[16];
        mi_format(layer, sizeof layer, "cell_%d", cell);
        mi_format(name, sizeof name, "rnnlm/multi_rnn_cell/%s/basic_lstm_cell/weights", layer);
        float *weights = stored_tensor(stored, name, 2 * UNITS * 4 * UNITS);
        mi_format(name, sizeof name, "rnnlm/multi_rnn_cell/%s/basic_lstm_cell/biases", layer);
        float *biases = stored_tensor(stored, name, 4 * UNITS);
        write_cell(model, layer, weights, biases);
        free(weights);
        free(biases);
    }
}

/* ---- Text ---- */

/* The numbers that the network has for the first `count` characters. */
static void read_numbers(int32_t *numbers, int count)
{
    struct mi_error error = {0};
    cJSON *vocabulary = NULL;
    size_t size = 0;
    char *text = stored_text("text/tinyshakespeare.txt", &size);
    assert_true(size >= (size_t)count);
    if (mi_json_file(&error, shared_data("models/char-lstm/vocab.json"), &vocabulary))
        fail_msg("%s", error.text);
    for (int i = 0; i < count; i++) {
        const cJSON *number = cJSON_GetObjectItemCaseSensitive(vocabulary, (const char[]){text[i], 0});
        assert_true(cJSON_IsNumber(number));
        numbers[i] = number->valueint;
    }
    cJSON_Delete(vocabulary);
    free(text);
}

/* ---- What the network says ---- */

static void assert_fine(const mica_plan *plan)
{
    if (mica_plan_status(plan))
        fail_msg("%s", mica_plan_error(plan));
}

/* Scores of all characters, window after window. */
static void run(mica_model *model, const int32_t *numbers, float *scores)
{
    mica_plan *plan = mica_compile(model, &(mica_plan_desc){.batch = 1});
    for (int i = 0; i < WINDOWS; i++) {
        mica_plan_write_elements(plan, NULL, MICA_INT32, numbers + i * WINDOW, WINDOW);
        mica_plan_run(plan, 1);
        mica_plan_read(plan, NULL, scores + i * WINDOW * SYMBOLS, WINDOW * SYMBOLS);
    }
    assert_fine(plan);
    mica_plan_destroy(plan);
}

/* The loss that Mica measures, where each character is to be told from those before. */
static double evaluate(mica_model *model, const int32_t *numbers)
{
    const mica_objective goal = {.loss = "sparse_categorical_crossentropy", .setting = {{"axis", -1}}, .classes = true};
    mica_plan *plan = mica_compile(model, &(mica_plan_desc){
        .batch = 1, .objectives = &goal, .objective_count = 1, .evaluate = true});
    double loss = NAN;
    for (int i = 0; i < WINDOWS; i++) {
        mica_plan_write_elements(plan, "input", MICA_INT32, numbers + i * WINDOW, WINDOW);
        mica_plan_write_elements(plan, "output_target", MICA_INT32, numbers + i * WINDOW + 1, WINDOW);
        mica_plan_run(plan, 1);
    }
    mica_plan_metrics(plan, &loss, 1);
    assert_fine(plan);
    mica_plan_destroy(plan);
    return loss;
}

/* The same of scores, on the host. */
static double mean_loss(const float *scores, const int32_t *numbers)
{
    double sum = 0;
    for (int i = 0; i < CHARACTERS; i++) {
        double all = 0;
        const float *row = scores + (size_t)i * SYMBOLS;
        for (int k = 0; k < SYMBOLS; k++)
            all += exp((double)row[k] - (double)row[numbers[i + 1]]);
        sum += log(all);
    }
    return sum / CHARACTERS;
}

/* The weights' notes say that the loss is 1.3016; in double precision NumPy gets 1.30157885. */
static void test_shakespeare(void **state)
{
    struct stored stored;
    size_t rows;
    int32_t numbers[CHARACTERS + 1];
    shared_data("text/tinyshakespeare.txt");
    shared_data("models/char-lstm/vocab.json");
    shared_data("models/char-lstm/shakespeare_lstm.safetensors");
    float *wanted = stored_rows("models/char-lstm/tinyshakespeare_first100.logits.npy", SYMBOLS, &rows);
    float *scores = malloc(sizeof *scores * CHARACTERS * SYMBOLS);
    assert_non_null(scores);
    assert_int_equal(rows, WINDOW);
    read_numbers(numbers, CHARACTERS + 1);
    stored_open(&stored, "models/char-lstm/shakespeare_lstm.safetensors");
    mica_model *model = mica_model_create(*state, NULL);
    if (mica_model_add_json(model, network))
        fail_msg("%s", mica_model_error(model));
    write_all(model, &stored);
    run(model, numbers, scores);
    double difference = stored_difference(scores, wanted, WINDOW * SYMBOLS), loss = evaluate(model, numbers);
    print_message("largest difference of a score %.2g of the largest, loss %.8f, of the scores %.8f\n", difference, loss,
                  mean_loss(scores, numbers));
    assert_true(difference < 1e-5);
    assert_true(fabs(loss - 1.30157885) < 1e-6);
    assert_true(fabs(loss - mean_loss(scores, numbers)) < 1e-6);
    mica_model_destroy(model);
    stored_close(&stored);
    free(scores);
    free(wanted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_shakespeare)};
    return cmocka_run_group_tests_name("char_lstm", tests, open_device, close_device);
}
