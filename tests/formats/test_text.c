/* Texts: tokens, vocabularies, windows and their targets, parts, and what is refused. */
#include "scratch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The window of a sample, and the classes at its places, as the characters or words that they stand for. */
static const char *shown(const mica_data *data, mica_part part, int64_t i, bool target)
{
    static char out[2][256];
    const struct mi_field *field = target ? target_of(data) : input_of(data);
    const struct mi_preprocess *names = &target_of(data)->preprocess;
    char *text = out[target];
    int32_t tokens[32];
    float row[32];
    assert_true(field->elements <= 32);
    mi_field_elements(field, mi_data_index(data, part, i), MI_INT32, row, tokens);
    mi_field_values(field, mi_data_index(data, part, i), row);
    *text = 0;
    for (size_t k = 0; k < field->elements; k++) {
        assert_near(row[k], (float)tokens[k]);
        assert_in_range(tokens[k], 0, names->classes - 1);
        strcat(text, names->class_names[tokens[k]]);
    }
    return text;
}

static void assert_window(const mica_data *data, mica_part part, int64_t i, const char *input, const char *target)
{
    assert_string_equal(shown(data, part, i, false), input);
    assert_string_equal(shown(data, part, i, true), target);
}

static mica_data *opened(const char *text, mica_text_desc desc)
{
    desc.part[MICA_TRAIN] = scratch_text("text.txt", text);
    return mica_text_open(NULL, &desc);
}

/* ---- Tokens ---- */

static void test_characters(void **state)
{
    (void)state;
    mica_data *data = opened("banana, \xc3\xa9t\xc3\xa9\n", (mica_text_desc){.window = 4, .stride = 3});
    static const char *const expected[] = {"\n", " ", ",", "a", "b", "n", "t", "\xc3\xa9", MI_UNKNOWN_TOKEN};
    assert_good(data);
    assert_int_equal(mica_data_classes(data), 9);
    for (int i = 0; i < 9; i++)
        assert_string_equal(mica_data_class_name(data, i), expected[i]);
    assert_int_equal(input_of(data)->preprocess.vocabulary.count, 9);
    assert_true(mi_sample_same(&MICA_SHAPE(4), &input_of(data)->preprocess.shape));
    /* 12 characters: windows from 0, 3 and 6 on, as that from 9 on has no fourth target */
    assert_int_equal(mica_data_count(data, MICA_TRAIN), 3);
    assert_window(data, MICA_TRAIN, 0, "bana", "anan");
    assert_window(data, MICA_TRAIN, 1, "ana,", "na, ");
    assert_window(data, MICA_TRAIN, 2, ", \xc3\xa9t", " \xc3\xa9t\xc3\xa9");
    assert_string_equal(mica_data_note(data, 0), "text: 12 characters, a vocabulary of 9 with the one for what is unknown; "
                                                 "3 windows of 4, one every 3");
    mica_data_destroy(data);
    data = opened("\xef\xbb\xbf" "abcab", (mica_text_desc){.window = 2}); /* a mark of the order of bytes is no character */
    assert_int_equal(mica_data_classes(data), 4);
    assert_int_equal(mica_data_count(data, MICA_TRAIN), 2);
    mica_data_destroy(data);
}

/* The order of code points is that of the bytes of UTF-8 too, past two bytes and three. */
static void test_code_points(void **state)
{
    (void)state;
    static const char *const expected[] = {"\x7f", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xef\xbf\xbc", "\xf0\x90\x80\x80",
                                           "\xf4\x8f\xbf\xbf", MI_UNKNOWN_TOKEN};
    mica_data *data = opened("\xf4\x8f\xbf\xbf" "\xf0\x90\x80\x80" "\xef\xbf\xbc" MI_UNKNOWN_TOKEN "\xe0\xa0\x80" "\xdf\xbf" "\xc2\x80"
                             "\x7f", (mica_text_desc){.window = 7});
    assert_good(data);
    assert_int_equal(mica_data_classes(data), 8); /* the replacement character in a text is what is unknown */
    for (int i = 0; i < 8; i++)
        assert_string_equal(mica_data_class_name(data, i), expected[i]);
    assert_says(mica_data_note(data, 0), "; 1 of 8 characters are unknown");
    mica_data_destroy(data);
}

static void test_words(void **state)
{
    (void)state;
    const char *text = "The cat\tdidn't see \xe2\x80\x9cthe\xe2\x80\x9d cat (or \xc3\x89t\xc3\xa9).\n\xc2\xa0The end_1";
    mica_data *data = opened(text, (mica_text_desc){.tokens = MICA_WORDS, .lower = true, .window = 6});
    static const char *const expected[] = {"(", ")", ".", "cat", "didn't", "end_1", "or", "see", "the", "\xc3\x89t\xc3\xa9",
                                           "\xe2\x80\x9c", "\xe2\x80\x9d", MI_UNKNOWN_TOKEN};
    assert_good(data);
    assert_int_equal(mica_data_classes(data), 13);
    for (int i = 0; i < 13; i++)
        assert_string_equal(mica_data_class_name(data, i), expected[i]);
    assert_window(data, MICA_TRAIN, 0, "thecatdidn'tsee\xe2\x80\x9cthe", "catdidn'tsee\xe2\x80\x9cthe\xe2\x80\x9d");
    mica_data_destroy(data);
    /* The two most frequent; of those that are as frequent the first by their texts. */
    data = opened("b a c b d a e b", (mica_text_desc){.tokens = MICA_WORDS, .max_tokens = 3, .window = 7});
    assert_int_equal(mica_data_classes(data), 3);
    assert_string_equal(mica_data_class_name(data, 0), "a");
    assert_string_equal(mica_data_class_name(data, 1), "b");
    assert_window(data, MICA_TRAIN, 0, "ba" MI_UNKNOWN_TOKEN "b" MI_UNKNOWN_TOKEN "a" MI_UNKNOWN_TOKEN,
                  "a" MI_UNKNOWN_TOKEN "b" MI_UNKNOWN_TOKEN "a" MI_UNKNOWN_TOKEN "b");
    mica_data_destroy(data);
}

/* ---- Parts ---- */

/* The end of the text is split off; windows that reach into it are in no part, and it gives the vocabulary nothing. */
static void test_split(void **state)
{
    (void)state;
    mica_text_desc desc = {.window = 3, .stride = 1, .split = {.fraction = {0.5f, 0.25f, 0.25f}}};
    mica_data *data = opened("abcdefghijklmno", desc); /* windows from 0 to 11 on: 6, 3 and 3, less 2 twice */
    assert_good(data);
    assert_int_equal(mica_data_count(data, MICA_TRAIN), 4);
    assert_int_equal(mica_data_count(data, MICA_VALIDATION), 1);
    assert_int_equal(mica_data_count(data, MICA_TEST), 3);
    assert_window(data, MICA_TRAIN, 0, "abc", "bcd");
    assert_window(data, MICA_TRAIN, 3, "def", "efg");
    assert_int_equal(mica_data_classes(data), 10); /* a to i, of the first six windows, and what is unknown */
    assert_window(data, MICA_VALIDATION, 0, "ghi", "hi" MI_UNKNOWN_TOKEN);
    assert_window(data, MICA_TEST, 2, MI_UNKNOWN_TOKEN MI_UNKNOWN_TOKEN MI_UNKNOWN_TOKEN,
                  MI_UNKNOWN_TOKEN MI_UNKNOWN_TOKEN MI_UNKNOWN_TOKEN);
    mica_data_destroy(data);
    assert_refused(opened("abcdefghi", (mica_text_desc){.window = 6, .stride = 1, .split = {.fraction = {0.5f, 0, 0.5f}}}), MICA_DATA,
                   "every window of the training part reaches into the next part");
    desc.shuffle = true;
    data = opened("abcdefghijklmno", desc);
    assert_int_equal(mica_data_count(data, MICA_TRAIN), 6);
    assert_int_equal(mica_data_count(data, MICA_VALIDATION), 3);
    assert_int_equal(mica_data_classes(data), 16);
    mica_data_destroy(data);
}

/* Held out again and again, it is the end each time; a test part of another file stays. */
static void test_hold_out(void **state)
{
    (void)state;
    mica_data *data = opened("abcdefghijklm", (mica_text_desc){.window = 3, .stride = 1, .part = {NULL, NULL, scratch_text("test.txt",
                             "mlkjihgf")}});
    assert_good(data);
    for (int turn = 0; turn < 2; turn++) { /* 10 windows, those from 8 on held out, those from 6 on reaching into them */
        assert_int_equal(mica_data_hold_out(data, 0.2f, 7), MICA_OK);
        assert_int_equal(mica_data_count(data, MICA_TRAIN), 6);
        assert_int_equal(mica_data_count(data, MICA_VALIDATION), 2);
        assert_int_equal(mica_data_count(data, MICA_TEST), 5);
        assert_window(data, MICA_TRAIN, 0, "abc", "bcd");
        assert_window(data, MICA_TRAIN, 5, "fgh", "ghi");
        assert_window(data, MICA_VALIDATION, 0, "ijk", "jkl");
        assert_window(data, MICA_VALIDATION, 1, "jkl", "klm");
        assert_window(data, MICA_TEST, 0, "mlk", "lkj");
        assert_int_equal(mica_data_hold_out(data, 0.5f, 7), MICA_OK);
        assert_int_equal(mica_data_count(data, MICA_TRAIN), 3);
        assert_window(data, MICA_VALIDATION, 0, "fgh", "ghi");
        assert_window(data, MICA_TEST, 4, "ihg", "hgf");
    }
    assert_int_equal(mica_data_hold_out(data, 0.9f, 7), MICA_DATA);
    assert_int_equal(mica_data_count(data, MICA_TRAIN), 3); /* nothing has changed */
    assert_says(mica_data_error(data), "each of 1 training samples reaches into the 9 that are held out");
    mica_data_destroy(data);
}

/* ---- A model's vocabulary ---- */

static void test_fitted(void **state)
{
    (void)state;
    mica_data *data = opened("abcdabcd", (mica_text_desc){.window = 3});
    const struct mi_prepared *model = prepared_of(data);
    assert_int_equal(model->fields[0].vocabulary.count, 5);
    mica_text_desc desc = {.part = {scratch_text("other.txt", "xdcba")}, .tokens = MICA_WORDS};
    mica_data *other = mi_text_open(NULL, &desc, model); /* tokens and window are the model's */
    assert_good(other);
    assert_int_equal(mica_data_classes(other), 5);
    assert_window(other, MICA_TRAIN, 0, MI_UNKNOWN_TOKEN "dc", "dcb");
    assert_string_equal(mica_data_note(other, 0), "text: 1 of 5 characters are unknown");
    mica_data_destroy(other);
    desc.window = 2;
    assert_refused(mi_text_open(NULL, &desc, model), MICA_SHAPE, "[2]");
    struct mi_prepared none = {0};
    assert_refused(mi_text_open(NULL, &desc, &none), MICA_DATA, "the model has no vocabulary");
    mica_data_destroy(data);
    data = opened("A b. A b. A", (mica_text_desc){.window = 3, .tokens = MICA_WORDS, .lower = true});
    model = prepared_of(data);
    desc = (mica_text_desc){.part = {scratch_text("other.txt", "B.a C.")}};
    other = mi_text_open(NULL, &desc, model);
    assert_window(other, MICA_TRAIN, 0, "b.a", ".a" MI_UNKNOWN_TOKEN);
    mica_data_destroy(other);
    mica_data_destroy(data);
}

/* ---- What is refused ---- */

static mica_data *from_spec(const char *json)
{
    cJSON *spec = cJSON_Parse(json);
    assert_non_null(spec);
    char *folder = mi_path_folder(scratch_path("text.txt"));
    mica_data *data = mi_data_from_spec(NULL, spec, folder, "job", NULL, NULL);
    free(folder);
    cJSON_Delete(spec);
    return data;
}

static void test_refused(void **state)
{
    (void)state;
    static const struct { const char *text, *says; size_t size; } texts[] = {
        {"abc\xff", "byte 3 (0xff) is no text in UTF-8", 4},      {"ab\xc3", "byte 2 (0xc3)", 3},
        {"a\xc0\x80", "byte 1 (0xc0)", 3},                        {"\xed\xa0\x80", "byte 0 (0xed)", 3},
        {"\xf5\x80\x80\x80", "byte 0 (0xf5)", 4},                 {"ab\0c", "byte 2 (0x00)", 4},
        {"\xff\xfe" "a", "byte 0 (0xff)", 3},                     {"\xe2\x82", "byte 0 (0xe2)", 2}};
    mica_text_desc desc = {.window = 2};
    for (size_t i = 0; i < MI_COUNT(texts); i++) {
        desc.part[MICA_TRAIN] = scratch_write("bad.txt", texts[i].text, texts[i].size);
        assert_refused(mica_text_open(NULL, &desc), MICA_FORMAT, texts[i].says);
    }
    assert_refused(opened("", desc), MICA_DATA, "0 characters are too few for a window of 2");
    assert_refused(opened("ab", desc), MICA_DATA, "2 characters are too few");
    desc.part[MICA_TEST] = scratch_text("short.txt", "a");
    assert_refused(opened("abcde", desc), MICA_DATA, "short.txt: 1 characters are too few");
    assert_refused(opened("abc", (mica_text_desc){.max_tokens = 1}), MICA_INVALID_ARGUMENT, "max_tokens is 1");
    assert_refused(opened("abc", (mica_text_desc){.window = -1}), MICA_INVALID_ARGUMENT, "a window of -1");
    assert_refused(opened("abc", (mica_text_desc){.stride = -1}), MICA_INVALID_ARGUMENT, "a stride of -1");
    assert_refused(opened("abc", (mica_text_desc){.tokens = (mica_tokens)7}), MICA_INVALID_ARGUMENT, "no tokens 7");
    assert_refused(opened("abcdefgh", (mica_text_desc){.window = 2, .limits = {.bytes = 9}}), MICA_FORMAT, "its tokens take 32 bytes");
}

static void test_spec(void **state)
{
    (void)state;
    scratch_text("text.txt", "A b a B c. a b");
    mica_data *data = from_spec("{\"format\": \"text\", \"train\": \"text.txt\", \"tokens\": \"words\", \"lower\": true, "
                                "\"max_tokens\": 3, \"window\": 2, \"stride\": 1, \"split\": [0.6, 0.4]}");
    assert_good(data);
    assert_int_equal(mica_data_classes(data), 3);
    assert_window(data, MICA_TRAIN, 0, "ab", "ba");
    assert_true(data->in_order);
    mica_data_destroy(data);
    assert_refused(from_spec("{\"format\": \"text\"}"), MICA_FORMAT, "job: \"train\" must be the path of a file");
    static const struct { const char *keys, *says; } bad[] = {
        {"\"tokens\": \"bytes\"", "there is no tokens \"bytes\""},
        {"\"window\": 0", "\"window\" must be a whole number from 1 to"},
        {"\"stride\": 1.5", "\"stride\" must be a whole number from 1 to"},
        {"\"max_tokens\": 1", "\"max_tokens\" must be a whole number from 2 to"},
        {"\"lower\": 1", "\"lower\" must be true or false"},
        {"\"normalize\": \"standard\"", "a text has no \"normalize\""},
        {"\"inputs\": \"x\"", "a text has no \"inputs\""},
        {"\"windows\": 3", "there is no key \"windows\"; did you mean \"window\"?"}};
    for (size_t i = 0; i < MI_COUNT(bad); i++) {
        char json[200];
        snprintf(json, sizeof json, "{\"format\": \"text\", \"train\": \"text.txt\", %s}", bad[i].keys);
        assert_refused(from_spec(json), MICA_FORMAT, bad[i].says);
    }
}

/* What a file says of a vocabulary is not believed. */
static void test_hostile(void **state)
{
    (void)state;
    static const struct { const char *text, *says; } bad[] = {
        {"[]", "\"tokens\" has an unknown value"},
        {"{\"tokens\": \"bytes\"}", "\"tokens\" has an unknown value"},
        {"{\"tokens\": \"words\"}", "\"vocabulary\" is not a list"},
        {"{\"tokens\": \"words\", \"vocabulary\": []}", "\"vocabulary\" is empty"},
        {"{\"tokens\": \"words\", \"vocabulary\": [1]}", "\"vocabulary\" holds something that is not a text"},
        {"{\"tokens\": \"words\", \"vocabulary\": [\"\", \"a\"]}", "\"vocabulary\" begins with padding"},
        {"{\"tokens\": \"words\", \"padding\": \"post\", \"vocabulary\": [\"a\", \"b\"]}", "does not begin with padding"},
        {"{\"tokens\": \"words\", \"padding\": \"post\", \"vocabulary\": [\"\"]}", "\"vocabulary\" is empty"},
        {"{\"tokens\": \"words\", \"padding\": 1, \"vocabulary\": [\"\", \"a\"]}", "\"padding\" has an unknown value"},
        {"{\"tokens\": \"words\", \"vocabulary\": [\"a\", \"b\"]}, \"table_columns\": 2, \"columns\": [{\"index\": 0}, "
         "{\"index\": 1}]", "\"text\" is not read from one column"}};
    for (size_t i = 0; i < MI_COUNT(bad); i++) {
        struct mi_error error = {0};
        struct mi_prepared prepared;
        char json[300];
        snprintf(json, sizeof json, "[{\"role\": \"input\", \"shape\": [2], \"text\": %s}]", bad[i].text);
        assert_int_equal(mi_prepared_parse(&error, "model", json, &prepared), MICA_FORMAT);
        assert_says(error.text, bad[i].says);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_characters), cmocka_unit_test(test_code_points), cmocka_unit_test(test_words),
        cmocka_unit_test(test_split),      cmocka_unit_test(test_hold_out),    cmocka_unit_test(test_fitted),
        cmocka_unit_test(test_refused),    cmocka_unit_test(test_spec),        cmocka_unit_test(test_hostile),
    };
    return cmocka_run_group_tests_name("text", tests, scratch_begin, scratch_end);
}
