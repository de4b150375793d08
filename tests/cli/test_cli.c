/* The program: what it prints, where, and its exit statuses. Runs MICA_BINARY_DIR/mica in the current folder. */
#if !defined(_POSIX_C_SOURCE)
#define _POSIX_C_SOURCE 200809L
#endif
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/program.h"
#include "support/files.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Files ---- */

static int setup(void **state)
{
    (void)state;
    write_text("cli.json",
               "{\"model\": {\"layers\": [{\"type\": \"dense\", \"units\": 16, \"activation\": \"relu\"}, {\"type\": \"dense\", "
               "\"units\": 3}]}, \"data\": {\"format\": \"csv\", \"path\": \"cli.csv\", \"label\": \"kind\", "
               "\"split\": [0.6, 0.2, 0.2], \"normalize\": \"standard\"}, \"loss\": \"sparse_categorical_crossentropy\", "
               "\"metrics\": [\"accuracy\"], \"optimizer\": {\"type\": \"adam\", \"learning_rate\": 0.02}, "
               "\"batch_size\": 16, \"epochs\": 15, \"seed\": 2}");
    write_text("cli_value.json",
               "{\"model\": {\"layers\": [{\"type\": \"dense\", \"units\": 1}]}, \"data\": {\"format\": \"csv\", \"path\": "
               "\"cli.csv\", \"label\": \"c\", \"categorical\": [\"kind\"]}, \"loss\": \"mean_squared_error\", "
               "\"epochs\": 3}");
    FILE *file = fopen("cli.csv", "wb"), *raw = fopen("cli_raw.csv", "wb");
    fputs("a,b,c,kind\n", file);
    fputs("a,b,c\n", raw);
    for (int i = 0; i < 150; i++) {
        static const char *const kinds[] = {"blue", "green", "red"};
        int kind = i % 3;
        double noise = (i * 37 % 100) / 100.0;
        fprintf(file, "%g,%g,%g,%s\n", kind + noise, 3 - kind + 0.5 * noise, noise, kinds[kind]);
        if (i < 3)
            fprintf(raw, "%g,%g,%g\n", kind + noise, 3 - kind + 0.5 * noise, noise);
    }
    fclose(file);
    fclose(raw);
    return 0;
}

static int teardown(void **state)
{
    static const char *const files[] = {
        "cli.json",        "cli_value.json",        "cli_shape.json", "cli.csv",             "cli_raw.csv",
        "cli.safetensors", "cli_value.safetensors", "cli_out.npy",    "cli_cut.safetensors", "cli_out.csv",
        "cli_stop.safetensors", "cli_good.safetensors"};
    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        remove(files[i]);
    return 0;
}

/* ---- Usage ---- */

static void usage(void **state)
{
    (void)state;
    static const char *const commands[] = {"--help",         "train --help", "evaluate --help", "predict --help",
                                           "generate --help", "inspect --help", "bench --help", "tune --help",     "devices --help"};
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        struct run run = mica(commands[i]);
        assert_int_equal(run.status, 0);
        assert_memory_equal(run.out, "Usage: mica ", 12);
        assert_string_equal(run.err, "");
        run_free(&run);
    }
    assert_fails("", 2, "a command is missing");
    assert_fails("trian", 2, "there is no command \"trian\"");
    assert_fails("train", 2, "JOB.json is missing");
    assert_fails("train a.json b.json", 2, "one word too many");
    assert_fails("train a.json --sett x=1", 2, "there is no option \"--sett\"");
    assert_fails("train a.json --set", 2, "--set needs a value");
    assert_fails("train a.json --json=yes", 2, "--json takes no value");
    assert_fails("evaluate m.safetensors", 2, "--data SPEC.json is missing");
    assert_fails("evaluate m.safetensors --data s.json --require '>1'", 2, "it begins with a metric, such as accuracy, or loss");
    assert_fails("evaluate m.safetensors --data s.json --require 'accuracy=1'", 2, ">=, <=, > or < is missing");
    assert_fails("evaluate m.safetensors --data s.json --require 'accuracy>=x'", 2, "it ends with a number");
    assert_fails("predict m.safetensors", 2, "--input FILE is missing");
    assert_fails("predict m.safetensors --input x.npy --top 0", 2, "--top 0");
    assert_fails("generate m.safetensors --tokens 5", 2, "--prompt TEXT is missing");
    assert_fails("generate m.safetensors --prompt a", 2, "--tokens N is missing");
    assert_fails("generate m.safetensors --prompt a --tokens 0", 2, "--tokens 0: it must be a whole number from 1");
    assert_fails("generate m.safetensors --prompt a --tokens 5 --temperature -1", 2, "--temperature -1: it must be a number from 0");
    assert_fails("generate m.safetensors --prompt a --tokens 5 --top-k 0", 2, "--top-k 0");
    assert_fails("generate m.safetensors --prompt a --tokens 5 --top-p 1.5", 2, "--top-p 1.5: it must be a number from 0 to 1");
    assert_fails("generate m.safetensors --prompt a --tokens 5 --seed x", 2, "--seed x");
    assert_fails("generate m.safetensors --prompt a --tokens 5 --beams 0", 2, "--beams 0: it must be a whole number from 1");
    assert_fails("generate m.safetensors --prompt a --tokens 5 --beams 2 --top-k 3", 2, "takes no --top-k");
    assert_fails("generate m.safetensors --prompt a --prompts b --tokens 5", 2, "give one of them");
    assert_fails("generate m.safetensors --source a --top-k 3", 2, "it takes no --top-k");
    assert_fails("tune m.safetensors --batch 0", 2, "--batch 0");
    assert_fails("tune m.safetensors --budget 0", 2, "--budget 0");
    assert_fails("tune --save", 2, "--save needs a saved model");
    assert_fails("tune m.safetensors --clblast", 2, "--clblast tunes no model");
}

static void mistakes(void **state)
{
    (void)state;
    assert_fails("train nowhere.json", 1, "nowhere.json: No such file or directory");
    assert_fails("train cli.json --device no-such-device", 1, "no-such-device");
    assert_fails("train cli.json --out nowhere/m.safetensors", 1,
                 "nowhere/m.safetensors: no file can be made in the folder nowhere: No such");
    assert_fails("train cli.json --set model.layers.0.type=dence", 1, "did you mean \"dense\"?");
    assert_fails("train cli.json --set batch_size=0", 1, "batch_size");
    assert_fails("train cli.json --set data.path=nowhere.csv", 1, "nowhere.csv: No such file or directory");
    assert_fails("train cli.json --set model.layers.1.units=2", 1,
                 "the data have 3 classes (blue, green, red), the model's output has room for 2");
    assert_fails("train cli.json --out ./cli.json", 2, "./cli.json is read, and would be written over");
    assert_fails("inspect nowhere.safetensors", 1, "nowhere.safetensors: No such file or directory");
    assert_fails("inspect cli.csv", 1, "cli.csv");
    FILE *file = fopen("cli.safetensors", "rb");
    assert_null(file); /* no half-written model */
}

/* ---- A model's way: trained, measured, asked ---- */

static void classification(void **state)
{
    (void)state;
    cJSON *json = mica_json("train cli.json --json");
    const cJSON *epochs = cJSON_GetObjectItem(json, "epochs");
    assert_int_equal(cJSON_GetArraySize(epochs), 15);
    const cJSON *last = cJSON_GetArrayItem(epochs, 14);
    static const char *const keys[] = {"epoch", "loss", "accuracy", "val_loss", "val_accuracy", "seconds",
                                       "samples_per_second"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        number(last, keys[i]);
    double trained = number(cJSON_GetObjectItem(json, "test"), "accuracy");
    assert_true(trained > 0.9);
    assert_true(number(json, "parameters") > 114 && number(json, "parameters") < 116);
    assert_true(number(json, "peak_bytes") > 0 && number(json, "compile_seconds") >= 0);
    assert_string_equal(cJSON_GetObjectItem(json, "model")->valuestring, "cli.safetensors");
    assert_true(cJSON_IsString(cJSON_GetObjectItem(json, "device")));
    cJSON_Delete(json);

    json = mica_json("evaluate cli.safetensors --data cli.json --require 'accuracy>=0.9' --require 'loss<5' --json");
    assert_true(number(json, "accuracy") >= trained - 1e-6 && number(json, "accuracy") <= trained + 1e-6);
    assert_true(number(json, "samples") > 29 && number(json, "samples") < 31);
    number(json, "loss");
    cJSON_Delete(json);
    assert_fails("evaluate cli.safetensors --data cli.json --require 'accuracy>=1.5'", 3, "required: accuracy>=1.5");

    json = mica_json("predict cli.safetensors --input cli_raw.csv --output cli_out.npy --top 5 --json");
    static const char *const kinds[] = {"blue", "green", "red"};
    const cJSON *predictions = cJSON_GetObjectItem(json, "predictions");
    assert_int_equal(cJSON_GetArraySize(predictions), 3);
    for (int i = 0; i < 3; i++) {
        const cJSON *item = cJSON_GetArrayItem(predictions, i), *top = cJSON_GetObjectItem(item, "top");
        const cJSON *best = cJSON_GetArrayItem(top, 0);
        assert_true((int)number(item, "index") == i);
        assert_int_equal(cJSON_GetArraySize(top), 3);
        assert_true((int)number(best, "class") == i);
        assert_string_equal(cJSON_GetObjectItem(best, "label")->valuestring, kinds[i]);
        double sum = 0;
        for (int k = 0; k < 3; k++)
            sum += number(cJSON_GetArrayItem(top, k), "score");
        assert_true(sum > 0.999 && sum < 1.001);
    }
    cJSON_Delete(json);
    char *npy = slurp("cli_out.npy");
    assert_memory_equal(npy, "\x93NUMPY", 6);
    free(npy);
    assert_fails("predict cli.safetensors --input nowhere.npy", 1, "nowhere.npy");
    assert_fails("predict cli.safetensors --input cli.safetensors", 1, "cli.safetensors");
    struct run run = mica("predict cli.safetensors --input cli.json"); /* the inputs that a job names */
    assert_int_equal(run.status, 0);
    assert_true(strncmp(run.out, "0: ", 3) == 0);
    run_free(&run);
    assert_fails("predict cli.safetensors --input cli.json --of otuput", 1, "the model has no output \"otuput\"; did you mean \"output\"?");
}

/* A file's bytes, which hold no zero at their end. */
static bool same_files(const char *a, const char *b)
{
    char command[256];
    snprintf(command, sizeof command, "cmp -s %s %s", a, b);
    return system(command) == 0;
}

/* Signals finish the step and save; a diverged training saves nothing. */
static void stopping(void **state)
{
    static const struct {
        const char *name;
        int status;
    } signals[] = {{"INT", 130}, {"TERM", 143}};
    (void)state;
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        char behind[256], text[64];
        remove("cli_stop.safetensors");
        snprintf(behind, sizeof behind, "& until grep -qs ^epoch $err; do sleep 0.1; done; kill -%s $!; wait $!", signals[i].name);
        snprintf(text, sizeof text, "stopped by SIG%s after ", signals[i].name);
        struct run run = mica_and("train cli.json --set epochs=1000000000 --out cli_stop.safetensors", behind);
        assert_failed(signals[i].name, run, signals[i].status, text);
        cJSON *json = mica_json("evaluate cli_stop.safetensors --data cli.json --json");
        number(json, "loss");
        cJSON_Delete(json);
    }
    assert_int_equal(system("cp cli_stop.safetensors cli_good.safetensors"), 0);
    assert_fails("train cli_value.json --set optimizer.type=sgd --set optimizer.learning_rate=1e15 --out cli_stop.safetensors", 1,
                 "epoch 1: the training diverged, ");
    assert_true(same_files("cli_stop.safetensors", "cli_good.safetensors"));
}

static void assert_begins(const char *path, const char *text)
{
    char *all = slurp(path);
    if (strncmp(all, text, strlen(text)))
        fail_msg("%s: \"%.60s\", not \"%s\"", path, all, text);
    free(all);
}

/* Outputs as a table, and no answers of what is no number. */
static void outputs(void **state)
{
    (void)state;
    write_text("cli_raw.csv", "a,b,c\n1,2,3\n0.5,3,1\n");
    struct run run = mica("predict cli.safetensors --input cli_raw.csv --output cli_out.csv");
    assert_int_equal(run.status, 0);
    run_free(&run);
    assert_begins("cli_out.csv", "blue,green,red\n");
    write_text("cli_raw.csv", "a,b,kind\n1,2,red\n0.5,3,blue\n");
    run = mica("predict cli_value.safetensors --input cli_raw.csv --output cli_out.csv");
    assert_int_equal(run.status, 0);
    run_free(&run);
    assert_begins("cli_out.csv", "output\n");
    assert_fails("predict cli_value.safetensors --input cli_raw.csv --output cli_out.txt", 2, "it must end in .npy or .csv");
    assert_fails("predict cli_value.safetensors --input cli_raw.csv --output ./cli_raw.csv", 2, "would be written over");
    assert_fails("predict cli_value.safetensors --input cli_raw.csv --output nowhere/out.npy", 1, "in the folder nowhere");
    write_text("cli_raw.csv", "a,b,kind\n1,2,red\n3e38,3e38,blue\n"); /* which are added */
    run = mica("train cli_value.json --set epochs=0 --set model.layers.0.kernel_initializer=ones --out cli_stop.safetensors");
    assert_int_equal(run.status, 0);
    run_free(&run);
    assert_fails("predict cli_stop.safetensors --input cli_raw.csv", 1, "sample 1: the network's output is inf, which is no number");
}

static void regression(void **state)
{
    (void)state;
    cJSON *json = mica_json("train cli_value.json --json --out ./cli_value.safetensors");
    assert_null(cJSON_GetObjectItem(json, "test"));
    assert_null(cJSON_GetObjectItem(cJSON_GetArrayItem(cJSON_GetObjectItem(json, "epochs"), 0), "accuracy"));
    cJSON_Delete(json);
    write_text("cli_raw.csv", "a,b,kind\n1,2,red\n0.5,3,blue\n");
    json = mica_json("predict cli_value.safetensors --input cli_raw.csv --json");
    const cJSON *first = cJSON_GetArrayItem(cJSON_GetObjectItem(json, "predictions"), 0);
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(first, "values")), 1);
    cJSON_Delete(json);
    json = mica_json("evaluate cli_value.safetensors --data cli_value.json --json");
    assert_true(number(json, "samples") > 149);
    assert_null(cJSON_GetObjectItem(json, "accuracy"));
    cJSON_Delete(json);
}

/* A text, learned by heart by a network that reads it character by character. */
static void text(void **state)
{
    char line[601] = "";
    (void)state;
    for (int i = 0; i < 600; i++)
        line[i] = "one\ntwo\nsix\n"[i % 12];
    write_text("cli_text.txt", line);
    write_text("cli_text.json",
               "{\"model\": {\"layers\": [{\"type\": \"embedding\", \"input_dim\": 10, \"output_dim\": 8}, {\"type\": \"gru\", "
               "\"units\": 16, \"return_sequences\": true}, {\"type\": \"dense\", \"units\": 10}, {\"type\": \"permute\", "
               "\"dims\": [2, 1]}]}, \"data\": {\"format\": \"text\", \"train\": \"cli_text.txt\", \"window\": 12, \"stride\": 5}, "
               "\"loss\": \"sparse_categorical_crossentropy\", \"metrics\": [\"accuracy\"], \"validation_split\": 0.2, "
               "\"optimizer\": {\"type\": \"adam\", \"learning_rate\": 0.03}, \"batch_size\": 16, \"epochs\": 15, \"seed\": 3}");
    cJSON *json = mica_json("train cli_text.json --json");
    const cJSON *last = cJSON_GetArrayItem(cJSON_GetObjectItem(json, "epochs"), 14);
    assert_true(number(last, "val_accuracy") > 0.9 && number(last, "val_loss") < 0.5);
    cJSON_Delete(json);
    json = mica_json("evaluate cli_text.safetensors --data cli_text.json --require 'accuracy>=0.9' --require 'perplexity<1.7' --json");
    assert_true(number(json, "samples") > 100); /* there is no test part: all windows */
    cJSON_Delete(json);
    struct run run = mica("inspect cli_text.safetensors");
    assert_non_null(strstr(run.out, "inputs: shape [12], characters of a vocabulary of 10\n"
                                    "label: shape [12], one of 10 classes at each place\n"));
    run_free(&run);
    run = mica("generate cli_text.safetensors --prompt 'one\ntwo' --tokens 20 --temperature 0");
    assert_int_equal(run.status, 0);
    assert_string_equal(run.out, "\nsix\none\ntwo\nsix\none"); /* the continuation, and nothing else */
    assert_null(strstr(run.err, "mica: "));
    run_free(&run);
    json = mica_json("generate cli_text.safetensors --prompt six --tokens 9 --temperature 0 --json");
    assert_string_equal(cJSON_GetObjectItem(json, "text")->valuestring, "\none\ntwo\n");
    assert_true(number(json, "tokens") > 8 && number(json, "tokens") < 10);
    run = mica("generate cli_text.safetensors --prompt 'zsi?x' --tokens 5 --seed 4 --top-k 3 --top-p 0.9 --temperature 0.5");
    assert_int_equal(run.status, 0);
    assert_int_equal(strlen(run.out), 5);
    assert_non_null(strstr(run.err, "note: the model does not know 2 of the prompt's characters: \"z\", \"?\"\n"));
    run_free(&run);
    assert_true(cJSON_IsNumber(cJSON_GetObjectItem(json, "score")));
    cJSON_Delete(json);
    write_text("cli_prompts.txt", "six\r\non");
    run = mica("generate cli_text.safetensors --prompts cli_prompts.txt --tokens 9 --beams 2 --end '\n' --json");
    assert_int_equal(run.status, 0);
    assert_non_null(strstr(run.out, "{\"text\":\"e\",\"tokens\":1,\"score\":"));
    run_free(&run);
    remove("cli_prompts.txt");
    assert_fails("generate cli_text.safetensors --prompt '' --tokens 5", 1, "the prompt is empty");
    assert_fails("generate cli.safetensors --prompt a --tokens 5", 1, "the model has no vocabulary");
    assert_fails("generate cli.safetensors --source a", 1, "the model was trained on no column of texts");
    assert_fails("generate cli_text.safetensors --prompts cli_none.txt --tokens 5", 1, "cli_none.txt: it cannot be read");
    assert_fails("train cli_text.json --set model.layers.2.units=9", 1, "the data have 10 classes (\\n, e, i, n, o, s, t, w and 2 more)");
    remove("cli_text.txt");
    remove("cli_text.json");
    remove("cli_text.safetensors");
}

static void inspection(void **state)
{
    (void)state;
    cJSON *json = mica_json("inspect cli.safetensors --json");
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(json, "layers")), 3);
    assert_null(cJSON_GetObjectItem(json, "plan"));
    assert_true(number(json, "launches") > 0 && number(json, "peak_bytes") > 0 && number(json, "operators") > 0);
    cJSON_Delete(json);
    json = mica_json("inspect cli.safetensors --plan --training --batch 8 --json");
    assert_non_null(cJSON_GetObjectItem(json, "plan"));
    cJSON_Delete(json);
    struct run run = mica("inspect cli.safetensors --plan");
    assert_int_equal(run.status, 0);
    assert_non_null(strstr(run.out, "dense_1"));
    assert_non_null(strstr(run.out, "__kernel"));
    run_free(&run);
    /* A job before training: the data are asked for the input's shape alone. */
    json = mica_json("inspect cli.json --json");
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(json, "layers")), 3);
    assert_true(number(json, "parameters") > 114 && number(json, "parameters") < 116);
    cJSON_Delete(json);
    assert_fails("inspect cli_shape.json", 1, "cli_shape.json: No such file or directory");
    /* A layer that is used again has no type of its own. */
    write_text("cli_again.json", "{\"model\": {\"input_shape\": [4], \"layers\": [{\"type\": \"dense\", \"units\": 4, \"name\": \"one\"}, "
               "{\"layer\": \"one\", \"name\": \"two\"}]}, \"data\": {\"format\": \"csv\", \"path\": \"cli.csv\"}, \"loss\": \"mse\"}");
    run = mica("inspect cli_again.json");
    assert_non_null(strstr(run.out, "two                      one, again               4  "));
    run_free(&run);
    remove("cli_again.json");
    /* Outputs by their names, and the plan of a training with the optimizer and in the precision that the job asks for. */
#define NAMED(precision)                                                                                                         \
    "{\"model\": {\"input_shape\": [4], \"layers\": [{\"type\": \"dense\", \"units\": 64, \"name\": \"trunk\"}, {\"type\": \"dense\", "     \
    "\"units\": 3}], \"outputs\": {\"kind\": \"dense\"}}, \"data\": {\"format\": \"csv\", \"path\": \"cli.csv\", \"label\": \"kind\"}, "          \
    "\"loss\": \"sparse_categorical_crossentropy\", \"precision\": \"" precision "\", \"optimizer\": \"lion\"}"
    double launches[2];
    for (int i = 0; i < 2; i++) {
        write_text("cli_named.json", i ? NAMED("float16") : NAMED("float32"));
        json = mica_json("inspect cli_named.json --training --batch 64 --json");
        launches[i] = number(json, "launches");
        const cJSON *output = cJSON_GetArrayItem(cJSON_GetObjectItem(json, "outputs"), 0);
        assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(output, "dtype")), "float32");
        cJSON_Delete(json);
    }
    assert_true(launches[1] > launches[0]); /* the scale of the loss */
    run = mica("inspect cli_named.json --training --plan");
    assert_non_null(strstr(run.out, "LionUpdate"));
    run_free(&run);
    run = mica("inspect cli_named.json");
    assert_non_null(strstr(run.out, "outputs: kind (3)\n"));
    run_free(&run);
    remove("cli_named.json");
    write_text("cli_shape.json",
               "{\"model\": {\"input_shape\": [4], \"layers\": [{\"type\": \"dense\", \"units\": 3}]}, "
               "\"data\": {\"format\": \"csv\", \"path\": \"nowhere.csv\", \"label\": \"kind\"}, "
               "\"loss\": \"sparse_categorical_crossentropy\"}");
    /* What was understood of a table: by a job, by the model that it became, and when it is trained. */
    static const char *const says[][3] = {{"inspect cli.json", "table cli.csv: cells between commas, a header, ", "inputs: "},
                                          {"inspect cli.safetensors", "inputs: ",
                                           "label: kind; 3 classes, words in sorted order: blue, green, red"},
                                          {"train cli.json --set epochs=0 --out cli_out.safetensors", "table cli.csv: ",
                                           "label: kind; 3 classes"}};
    for (size_t i = 0; i < sizeof says / sizeof *says; i++) {
        run = mica(says[i][0]);
        assert_int_equal(run.status, 0);
        for (int line = 1; line < 3; line++)
            if (!strstr(run.out, says[i][line]) && !strstr(run.err, says[i][line]))
                fail_msg("mica %s should say %s: %s%s", says[i][0], says[i][line], run.out, run.err);
        run_free(&run);
    }
    remove("cli_out.safetensors");
    run = mica("inspect cli_shape.json --plan --training");
    assert_int_equal(run.status, 0);
    assert_non_null(strstr(run.out, "__kernel"));
    run_free(&run);
    char *whole = slurp("cli.safetensors");
    FILE *cut = fopen("cli_cut.safetensors", "wb");
    assert_non_null(cut);
    fwrite(whole, 1, 200, cut);
    fclose(cut);
    free(whole);
    assert_fails("inspect cli_cut.safetensors", 1, "cli_cut.safetensors");
}

static void device_list(void **state)
{
    (void)state;
    cJSON *json = mica_json("devices --json");
    const cJSON *first = cJSON_GetArrayItem(cJSON_GetObjectItem(json, "devices"), 0);
    static const char *const keys[] = {"id", "platform", "name", "type", "driver"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        assert_true(cJSON_IsString(cJSON_GetObjectItem(first, keys[i])));
    assert_true(cJSON_IsString(cJSON_GetObjectItem(json, "chosen")) && cJSON_IsString(cJSON_GetObjectItem(json, "why")));
    cJSON_Delete(json);
    assert_fails("devices --device no-such-device", 1, "no-such-device");
}

/* ---- Tuning ---- */

/* Two products of a model in a batch that it holds no choices for. */
#define TUNED "cli.safetensors --batch 512"

/* How many kernels are not the reference's. */
static int engines_kernels(void)
{
    int count = 0;
    cJSON *json = mica_json("inspect " TUNED " --plan --json");
    const cJSON *kernel;
    cJSON_ArrayForEach(kernel, cJSON_GetObjectItem(cJSON_GetObjectItem(json, "plan"), "kernels")) count +=
        strcmp(cJSON_GetObjectItem(kernel, "engine")->valuestring, "nest") != 0;
    cJSON_Delete(json);
    return count;
}

/* Says in the file that the reference is the fastest, of every problem: PROBLEM ENGINE NUMBER... MICROSECONDS. */
static void write_nest(const char *path, const char *text, const char *end)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    for (int line = 1; *text; line++) {
        size_t size = strcspn(text, "\n"), problem = strcspn(text, " ");
        fprintf(file, "%.*s", (int)(line < 3 ? size : problem), text);
        int words = 0;
        for (size_t i = problem; line >= 3 && i < size; i++)
            words += text[i] == ' ';
        for (int i = 0; i < words; i++)
            fputs(i == 0 ? " nest" : i == words - 1 ? " 1" : " 0", file);
        fputc('\n', file);
        text += size + 1;
    }
    fputs(end, file);
    fclose(file);
}

static void assert_notes(int notes, const char *text)
{
    struct run run = mica("inspect " TUNED);
    int found = 0;
    for (const char *at = run.err; (at = strstr(at, "note: ")) != NULL; at++)
        found += strstr(at, text) != NULL;
    if (run.status || found != notes)
        fail_msg("status %d, expected %d notes of \"%s\": %s", run.status, notes, text, run.err);
    run_free(&run);
}

/* What is found is kept in a file that later commands read; a file that does not fit is noted once, ignored and replaced. */
static void tuning(void **state)
{
    char folder[] = "/tmp/mica-cli-XXXXXX", path[512], clean[64];
    const char *level = getenv("MICA_TUNING"), *cache = getenv("MICA_CACHE_DIR");
    char *old[] = {level ? strdup(level) : NULL, cache ? strdup(cache) : NULL};
    (void)state;
    assert_non_null(mkdtemp(folder));
    setenv("MICA_CACHE_DIR", folder, 1);
    setenv("MICA_TUNING", "quick", 1);
    cJSON *json = mica_json("tune " TUNED " --budget 0.5 --json");
    assert_true(number(json, "tried") >= 1 && number(json, "changed") <= 2);
    snprintf(path, sizeof path, "%s", cJSON_GetObjectItem(json, "path")->valuestring);
    cJSON_Delete(json);

    char *found = slurp(path);
    write_nest(path, found, "");
    assert_int_equal(engines_kernels(), 0);
    assert_notes(0, "");
    write_nest(path, found, "nonsense\n");
    setenv("MICA_TUNING", "off", 1);
    assert_notes(0, "");
    assert_int_equal(engines_kernels(), 2);
    setenv("MICA_TUNING", "quick", 1);
    assert_notes(1, "line 5: there is no engine of that name");
    assert_notes(0, "");
    free(found);
    snprintf(clean, sizeof clean, "rm -r %s", folder);
    assert_int_equal(system(clean), 0);
    setenv("MICA_TUNING", old[0] ? old[0] : "", 1);
    setenv("MICA_CACHE_DIR", old[1] ? old[1] : "", 1);
    free(old[0]);
    free(old[1]);
}

/* The keys are part of the program's interface. */
static void benchmarks(void **state)
{
    (void)state;
    static const char *const numbers[] = {"median_ms", "min_ms", "max_ms", "gflops", "gbytes_per_second", "peak_bytes", "error",
                                          "launches"};
    cJSON *json = mica_json("bench gemm 8 9 10 --transpose tn --batch 2 --seconds 0.001 --no-roof --json");
    const cJSON *result = cJSON_GetArrayItem(cJSON_GetObjectItem(json, "results"), 0);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        number(result, numbers[i]);
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(result, "roof_share")));
    assert_string_equal(cJSON_GetObjectItem(result, "name")->valuestring, "gemm 8x9x10 tn b2");
    assert_true(cJSON_IsString(cJSON_GetObjectItem(result, "engine")) && cJSON_IsString(cJSON_GetObjectItem(json, "device")));
    cJSON_Delete(json);
    json = mica_json("bench model cli_value.json --seconds 0.001 --no-roof --set model.input_shape=[4] --profile --start --json");
    result = cJSON_GetArrayItem(cJSON_GetObjectItem(json, "results"), 0);
    assert_true(number(result, "cold_seconds") > 0 && number(result, "warm_seconds") > 0);
    assert_true(number(cJSON_GetArrayItem(cJSON_GetObjectItem(json, "kernels"), 0), "share") > 0);
    cJSON_Delete(json);
    assert_fails("bench conv 3 8 8 4 3", 2, "5 sizes");
    assert_fails("bench gemm 8 8 x", 2, "K is \"x\"");
    assert_fails("bench gemm 8 8 8 --transpose no", 2, "--transpose is \"no\"");
    assert_fails("bench gemm 8 8 8 --start", 2, "--start");
    assert_fails("bench gemm 8 8 8 --engine fastest", 1, "fastest");
    assert_fails("bench tea", 2, "tea");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(usage),          cmocka_unit_test(mistakes),
                                       cmocka_unit_test(classification), cmocka_unit_test(regression),
                                       cmocka_unit_test(stopping),       cmocka_unit_test(outputs),
                                       cmocka_unit_test(text),
                                       cmocka_unit_test(inspection),     cmocka_unit_test(tuning),
                                       cmocka_unit_test(device_list),    cmocka_unit_test(benchmarks)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
