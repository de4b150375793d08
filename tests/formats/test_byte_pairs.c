/* Byte pairs: what is learnt and how texts become tokens, as Hugging Face's tokenizers does it; texts from tokens; models' files. */
#include "scratch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* tokenizers 0.23.3: models.BPE with pre_tokenizers.ByteLevel(add_prefix_space=False), trained by trainers.BpeTrainer(vocab_size=280,
 * min_frequency=2, initial_alphabet=ByteLevel.alphabet()) on this text, which then is encoded. */
static const char text[] = "the cat's hat isn't that: the cat, the hat!\n\n  It's 2024, d\xc3\xa9j\xc3\xa0 vu: d\xc3\xa9j\xc3\xa0 100%\tthe "
                           "\xe4\xb8\x96\xe7\x95\x8c\xe4\xb8\x96\xe7\x95\x8c\n";
static const char *const merges[] = {
    "a t", "t h", "th e", "' s", "c at", "d \xc3\x83", "h at", "j \xc3\x83", "\xc2\xa9 j\xc3\x83", "\xc2\xb8 \xc4\xb8",
    "\xc3\xa4 \xc2\xb8\xc4\xb8", "\xc3\xa7 \xc4\xb7", "\xc4\xa0 the", "\xc4\xa0 cat", "\xc4\xa0 d\xc3\x83", "\xc4\xa0 hat",
    "\xc2\xa9j\xc3\x83 \xc5\x82", "\xc3\xa4\xc2\xb8\xc4\xb8 \xc3\xa7\xc4\xb7", "\xc4\xa0" "d\xc3\x83 \xc2\xa9j\xc3\x83\xc5\x82",
    "\xc3\xa4\xc2\xb8\xc4\xb8\xc3\xa7\xc4\xb7 \xc4\xae"};
static const int32_t expected[] = {258, 269, 259, 271, 220, 72, 82, 77, 6, 83, 220, 257, 256, 25, 268, 269, 11, 268, 271, 0, 198, 198,
                                   220, 220, 40, 83, 259, 220, 17, 15, 17, 19, 11, 274, 220, 85, 84, 25, 274, 220, 16, 15, 15, 4, 197,
                                   258, 220, 275, 275, 198};
static const int32_t others[] = {64, 220, 77, 68, 86, 269, 220, 158, 246, 225, 270, 102}; /* of what was not learnt from */
static const char other_text[] = "a new cat \xe2\x98\x83 d\xc3\xa9";

/* Learnt from the text; the window is all tokens but the last. */
static mica_data *learnt(int64_t window)
{
    return mica_text_open(NULL, &(mica_text_desc){.part = {scratch_text("pairs.txt", text)}, .tokens = MICA_BPE, .max_tokens = 280,
                                                  .window = window});
}

static void assert_tokens(const mica_data *data, const int32_t *tokens, size_t count)
{
    for (size_t i = 0; i < count; i++)
        assert_int_equal(data->fields[0]->tokens[i], tokens[i]);
}

static void test_golden(void **state)
{
    (void)state;
    mica_data *data = learnt(MI_COUNT(expected) - 1);
    assert_good(data);
    const struct mi_vocabulary *v = &input_of(data)->preprocess.vocabulary;
    assert_int_equal(v->merge_count, MI_COUNT(merges));
    assert_int_equal(v->count, 276);
    for (size_t i = 0; i < MI_COUNT(merges); i++) {
        char merge[64] = "";
        strcat(strcat(strcat(merge, v->texts[v->merges[i].left]), " "), v->texts[v->merges[i].right]);
        assert_string_equal(merge, merges[i]);
    }
    assert_tokens(data, expected, MI_COUNT(expected));
    assert_int_equal(mica_data_count(data, MICA_TRAIN), 1);
    assert_int_equal(mica_data_classes(data), 276);
    assert_string_equal(mica_data_class_name(data, 258), "the");
    assert_string_equal(mica_data_note(data, 0), "text: 50 byte pairs, a vocabulary of 276; 1 windows of 49, one every 49");
    mica_data_destroy(data);
}

/* Tokens say the text again, character by character, whichever bytes of one they end with. */
static void test_decode(void **state)
{
    (void)state;
    mica_data *data = learnt(4);
    const struct mi_vocabulary *v = &input_of(data)->preprocess.vocabulary;
    struct mi_text bytes = {0}, out = {0};
    for (size_t i = 0; i < MI_COUNT(expected); i++) {
        mi_token_bytes(v->texts[expected[i]], &bytes);
        mi_characters_take(&bytes, i + 1 == MI_COUNT(expected), &out);
        assert_int_equal(mi_text_fault(mi_text_get(&out), out.size), out.size);
    }
    assert_string_equal(mi_text_get(&out), text);
    mi_text_clear(&out);
    mi_token_bytes("\xc3\xa9", &bytes); /* of three bytes the first alone, then what does not go on */
    mi_characters_take(&bytes, false, &out);
    assert_int_equal(out.size, 0);
    mi_token_bytes("a", &bytes);
    mi_characters_take(&bytes, false, &out);
    assert_string_equal(mi_text_get(&out), MI_UNKNOWN_TOKEN "a");
    mi_text_clear(&out);
    mi_token_bytes("\xc3\xa9\xc2\xbb", &bytes);
    mi_characters_take(&bytes, true, &out);
    assert_string_equal(mi_text_get(&out), MI_UNKNOWN_TOKEN MI_UNKNOWN_TOKEN);
    mi_text_destroy(&bytes);
    mi_text_destroy(&out);
    mica_data_destroy(data);
}

/* A model's file has the merges, by which other texts are read. */
static void test_model(void **state)
{
    (void)state;
    mica_data *data = learnt(4);
    const struct mi_prepared *model = prepared_of(data);
    const struct mi_vocabulary *v = &model->fields[0].vocabulary;
    assert_int_equal(v->count, 276);
    assert_string_equal(v->texts[275], input_of(data)->preprocess.vocabulary.texts[275]);
    mica_text_desc desc = {.part = {scratch_text("other.txt", other_text)}};
    mica_data *other = mi_text_open(NULL, &desc, model);
    assert_good(other);
    assert_tokens(other, others, MI_COUNT(others));
    assert_int_equal(mica_data_notes(other), 0); /* nothing is unknown */
    mica_data_destroy(other);
    mica_data_destroy(data);
}

/* Only the training part is learnt from: what stands behind it has no pair that it has not. */
static void test_split(void **state)
{
    (void)state;
    mica_text_desc desc = {.part = {scratch_text("pairs.txt", "ab ab ab ab ab xy xy xy xy xy")}, .tokens = MICA_BPE, .window = 2,
                           .stride = 1, .split = {.fraction = {0.5f, 0.5f}}};
    mica_data *data = mica_text_open(NULL, &desc);
    assert_good(data);
    const struct mi_vocabulary *v = &input_of(data)->preprocess.vocabulary;
    assert_int_equal(v->merge_count, 2);
    assert_string_equal(v->texts[256], "ab");
    assert_string_equal(v->texts[257], "\xc4\xa0" "ab");
    mica_data_destroy(data);
}

/* In a column padding comes before all, and what is padded ends with it. */
static void test_column(void **state)
{
    (void)state;
    const mica_text_column column = {.tokens = MICA_BPE, .lower = true, .max_tokens = 259, .max_length = 4};
    mica_data *data = mica_csv_open(NULL, scratch_text("pairs.tsv", "review\tkind\nabab\t0\nAB\t1\n"),
                                    &(mica_csv_desc){.label = "kind", .text = &column});
    float row[4];
    assert_good(data);
    const struct mi_prepared *model = prepared_of(data);
    const struct mi_vocabulary *v = &model->fields[0].vocabulary;
    assert_true(v->padded && v->count == 258 && !*v->texts[0]);
    assert_string_equal(v->texts[257], "ab");
    assert_int_equal(mica_data_sample(data, MICA_TRAIN, 0, row, NULL), MICA_OK);
    assert_near(row[0], 257);
    assert_near(row[1], 257);
    assert_near(row[2], 0);
    mica_data_destroy(data);
    mica_data *other = mi_csv_open(NULL, scratch_text("other.tsv", "kind\treview\n1\taaab\n"), &(mica_csv_desc){0}, model);
    assert_good(other);
    assert_int_equal(mica_data_sample(other, MICA_TRAIN, 0, row, NULL), MICA_OK);
    assert_near(row[1], 1 + 64);
    assert_near(row[2], 257);
    mica_data_destroy(other);
}

static void test_refused(void **state)
{
    (void)state;
    static const struct { const char *list, *says; } bad[] = {
        {"1", "\"merges\" is not a list"},
        {"[1]", "\"merges\" holds something that is not a text"},
        {"[\"ab\"]", "\"merges\" holds something that does not join two tokens"},
        {"[\"a \"]", "\"merges\" holds something that does not join two tokens"},
        {"[\"a b\", \"abc d\"]", "\"merges\" holds something that does not join two tokens"}};
    for (size_t i = 0; i < MI_COUNT(bad); i++) {
        struct mi_error error = {0};
        struct mi_prepared prepared;
        char json[200];
        snprintf(json, sizeof json, "[{\"role\": \"input\", \"shape\": [2], \"text\": {\"tokens\": \"bpe\", \"merges\": %s}}]",
                 bad[i].list);
        assert_int_equal(mi_prepared_parse(&error, "model", json, &prepared), MICA_FORMAT);
        assert_says(error.text, bad[i].says);
    }
    assert_refused(mica_text_open(NULL, &(mica_text_desc){.part = {scratch_text("pairs.txt", text)}, .tokens = MICA_BPE,
                                                          .max_tokens = 255}), MICA_INVALID_ARGUMENT,
                   "max_tokens is 255; it must be from 256");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden), cmocka_unit_test(test_decode), cmocka_unit_test(test_model),
        cmocka_unit_test(test_split),  cmocka_unit_test(test_column), cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests_name("byte_pairs", tests, scratch_begin, scratch_end);
}
