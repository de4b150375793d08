/* A BERT of two layers that was trained to tell friendly sentences about films from others (third-party data), in
 * transformer_encoder and dense: the scores that another implementation gives, of all sentences in one batch, where the shorter
 * ones are padded. The file has no embeddings, so the inputs are what those make of the sentences. */
#include "support/device.h"
#include "support/files.h"

#include "examples/stored.h"

#include <stdlib.h>
#include <string.h>

enum { FEATURES = 128, INNER = 512, LAYERS = 2, SENTENCES = 5, MOST_TOKENS = 27, CLASSES = 2 };

/* What BERT says of a sentence is what it says at its first token. */
static mica_model *describe(mica_device *device)
{
    mica_model *model = mica_model_create(device, NULL);
    mica_node *x = mica_input_varying(model, "embeddings", MICA_SHAPE(MOST_TOKENS, FEATURES), MICA_FLOAT32);
    for (int i = 0; i < LAYERS; i++) {
        char name[16];
        mi_format(name, sizeof name, "layer_%d", i);
        x = mica_transformer_encoder(x, &(mica_transformer_desc){.name = name, .intermediate_dim = INNER, .num_heads = 2,
                                                                 .activation = "gelu", .layer_norm_epsilon = 1e-12f});
    }
    mica_node *first = mica_op_reshape(mica_op_slice(x, 1, 0, 1), (const int64_t[]){-1, FEATURES}, 2);
    mica_node *pooled = mica_dense(first, &(mica_dense_desc){.name = "pooler", .units = FEATURES, .activation = "tanh"});
    mica_output(model, NULL, mica_dense(pooled, &(mica_dense_desc){.name = "classifier", .units = CLASSES}));
    if (mica_model_status(model))
        fail_msg("%s", mica_model_error(model));
    return model;
}

/* ---- Weights ---- */

/* The parts of a layer as PyTorch's encoder and as Hugging Face call them, and the rows and columns of each weight; a vector has
 * one column. The products of query, key and value are one part here and three there. */
static const struct part {
    const char *name, *there[3];
    size_t rows, columns;
} parts[] = {
    {"self_attn.in_proj_", {"attention.self.query", "attention.self.key", "attention.self.value"}, FEATURES, FEATURES},
    {"self_attn.out_proj.", {"attention.output.dense"}, FEATURES, FEATURES},
    {"norm1.", {"attention.output.LayerNorm"}, FEATURES, 1},
    {"linear1.", {"intermediate.dense"}, INNER, FEATURES},
    {"linear2.", {"output.dense"}, FEATURES, INNER},
    {"norm2.", {"output.LayerNorm"}, FEATURES, 1},
};

/* Tensors of `each` elements, "prefix" "there[i]" "." "kind", one after the other as the variable "layer" "name" "kind". */
static void write_part(mica_model *model, const struct stored *stored, const char *layer, const char *prefix,
                       const struct part *part, const char *kind, size_t each)
{
    static float values[INNER * FEATURES]; /* of the largest */
    char name[128];
    size_t count = 0;
    for (int i = 0; i < 3 && part->there[i]; i++, count += each) {
        mi_format(name, sizeof name, "%s%s.%s", prefix, part->there[i], kind);
        float *tensor = stored_tensor(stored, name, each);
        assert_true(count + each <= MI_COUNT(values));
        memcpy(values + count, tensor, each * sizeof *values);
        free(tensor);
    }
    mi_format(name, sizeof name, "%s%s%s", layer, part->name, kind);
    stored_write(model, name, values, count);
}

static void write_all(mica_model *model, const struct stored *stored)
{
    static const struct part pooler = {"pooler.", {"bert.pooler.dense"}, FEATURES, FEATURES};
    static const struct part classifier = {"classifier.", {"classifier"}, CLASSES, FEATURES};
    const struct part *const heads[] = {&pooler, &classifier};
    for (size_t i = 0; i < MI_COUNT(heads); i++) {
        write_part(model, stored, "", "", heads[i], "weight", heads[i]->rows * heads[i]->columns);
        write_part(model, stored, "", "", heads[i], "bias", heads[i]->rows);
    }
    for (int k = 0; k < LAYERS; k++) {
        char layer[16], prefix[64];
        mi_format(layer, sizeof layer, "layer_%d.", k);
        mi_format(prefix, sizeof prefix, "bert.encoder.layer.%d.", k);
        for (size_t i = 0; i < MI_COUNT(parts); i++) {
            write_part(model, stored, layer, prefix, &parts[i], "weight", parts[i].rows * parts[i].columns);
            write_part(model, stored, layer, prefix, &parts[i], "bias", parts[i].rows);
        }
    }
}

/* ---- Sentences ---- */

/* All sentences, and how many tokens each has. What they are padded with would be seen if it counted. */
static float *read_sentences(int32_t *tokens)
{
    size_t places = (size_t)SENTENCES * MOST_TOKENS * FEATURES;
    float *all = mi_new(places, sizeof *all);
    assert_non_null(all);
    for (size_t i = 0; i < places; i++)
        all[i] = 7;
    for (int i = 0; i < SENTENCES; i++) {
        char name[64];
        size_t rows;
        mi_format(name, sizeof name, "models/bert-tiny-sst2/sample%d.embeddings.npy", i);
        float *sentence = stored_rows(name, FEATURES, &rows);
        assert_true(rows <= MOST_TOKENS);
        memcpy(all + (size_t)i * MOST_TOKENS * FEATURES, sentence, rows * FEATURES * sizeof *all);
        tokens[i] = (int32_t)rows;
        free(sentence);
    }
    return all;
}

static void test_sentences(void **state)
{
    struct stored stored;
    size_t rows;
    int32_t tokens[SENTENCES];
    float scores[SENTENCES * CLASSES];
    shared_data("models/bert-tiny-sst2/bert_tiny_sst2_encoder.safetensors");
    shared_data("models/bert-tiny-sst2/sample4.embeddings.npy");
    float *wanted = stored_rows("models/bert-tiny-sst2/samples.logits.npy", CLASSES, &rows), *sentences = read_sentences(tokens);
    assert_int_equal(rows, SENTENCES);
    stored_open(&stored, "models/bert-tiny-sst2/bert_tiny_sst2_encoder.safetensors");
    mica_model *model = describe(*state);
    write_all(model, &stored);
    mica_plan *plan = mica_compile(model, &(mica_plan_desc){.batch = SENTENCES});
    mica_plan_write(plan, "embeddings", sentences, SENTENCES * MOST_TOKENS * FEATURES);
    mica_plan_write_elements(plan, "embeddings_length", MICA_INT32, tokens, SENTENCES);
    mica_plan_run(plan, SENTENCES);
    mica_plan_read(plan, NULL, scores, SENTENCES * CLASSES);
    if (mica_plan_status(plan))
        fail_msg("%s", mica_plan_error(plan));
    double difference = stored_difference(scores, wanted, SENTENCES * CLASSES);
    for (int i = 0; i < SENTENCES; i++)
        print_message("%d tokens: %.6f %.6f, wanted %.6f %.6f\n", tokens[i], (double)scores[2 * i], (double)scores[2 * i + 1],
                      (double)wanted[2 * i], (double)wanted[2 * i + 1]);
    print_message("largest difference of a score %.2g of the largest\n", difference);
    assert_true(difference < 1e-5);
    mica_plan_destroy(plan);
    mica_model_destroy(model);
    stored_close(&stored);
    free(sentences);
    free(wanted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sentences)};
    return cmocka_run_group_tests_name("bert_tiny", tests, open_device, close_device);
}
