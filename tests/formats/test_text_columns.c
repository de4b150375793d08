/* Columns of texts: tokens and vocabularies, lengths, padding, parts, models that read raw texts, and what is refused. */
#include "scratch.h"

#include <stdlib.h>
#include <string.h>

#define PAD ""

/* The tokens of a sample of the first input, each behind a stroke; padding is an empty one. As floats they are the same. */
static const char *shown(const mica_data *data, mica_part part, int64_t i)
{
    static char out[256];
    const struct mi_field *field = input_of(data);
    const struct mi_vocabulary *vocabulary = &field->preprocess.vocabulary;
    int32_t tokens[32];
    float row[32];
    assert_true(field->elements <= 32);
    mi_field_elements(field, mi_data_index(data, part, i), MI_INT32, row, tokens);
    mi_field_values(field, mi_data_index(data, part, i), row);
    *out = 0;
    for (size_t k = 0; k < field->elements; k++) {
        assert_near(row[k], (float)tokens[k]);
        assert_in_range(tokens[k], 0, vocabulary->count - 1);
        strcat(strcat(out, "|"), vocabulary->texts[tokens[k]]);
    }
    return out;
}

static mica_data *opened(const char *table, const mica_text_column *text)
{
    return mica_csv_open(NULL, scratch_text("texts.tsv", table), &(mica_csv_desc){.label = "kind", .text = text});
}

static const char reviews[] = "review\tkind\nGood, very good\tyes\nbad\tno\nnot good at all\tno\n";

static void test_words(void **state)
{
    (void)state;
    static const char *const expected[] = {PAD, ",", "all", "at", "bad", "good", "not", "very", MI_UNKNOWN_TOKEN};
    mica_data *data = opened(reviews, &(mica_text_column){.tokens = MICA_WORDS, .lower = true});
    assert_good(data);
    const struct mi_preprocess *p = &input_of(data)->preprocess;
    assert_int_equal(p->vocabulary.count, 9);
    for (int i = 0; i < 9; i++)
        assert_string_equal(p->vocabulary.texts[i], expected[i]);
    assert_true(mi_sample_same(&p->shape, &MICA_SHAPE(4))); /* the longest text's */
    assert_string_equal(shown(data, MICA_TRAIN, 0), "|good|,|very|good");
    assert_string_equal(shown(data, MICA_TRAIN, 1), "|bad|||");
    assert_string_equal(shown(data, MICA_TRAIN, 2), "|not|good|at|all");
    assert_int_equal(input_of(data)->offsets[3], 9); /* no padding is stored */
    assert_string_equal(mica_data_class_name(data, 1), "yes");
    assert_string_equal(mica_data_note(data, 1), "inputs: review, texts of up to 4 words and marks of a vocabulary of 9");
    assert_int_equal(mica_data_notes(data), 3);
    mica_data_destroy(data);
}

static void test_lengths(void **state)
{
    (void)state;
    mica_text_column text = {.tokens = MICA_WORDS, .lower = true, .max_length = 3, .max_tokens = 4};
    mica_data *data = opened(reviews, &text);
    assert_good(data);
    assert_string_equal(shown(data, MICA_TRAIN, 0), "|good|,|" MI_UNKNOWN_TOKEN); /* the two most frequent: good, and the first of the rest */
    assert_string_equal(shown(data, MICA_TRAIN, 1), "|" MI_UNKNOWN_TOKEN "||");
    assert_string_equal(mica_data_note(data, 2), "texts: 2 of 3 have more than 3 words and marks, and lose their ends; 5 words and "
                                                 "marks are unknown");
    mica_data_destroy(data);
    text = (mica_text_column){.tokens = MICA_WORDS, .max_length = 3, .pad_before = true, .cut_before = true};
    data = opened(reviews, &text);
    assert_string_equal(shown(data, MICA_TRAIN, 0), "|,|very|good");
    assert_string_equal(shown(data, MICA_TRAIN, 1), "|||bad");
    assert_string_equal(mica_data_note(data, 2), "texts: 2 of 3 have more than 3 words and marks, and lose their beginnings");
    mica_data_destroy(data);
    data = opened("review\tkind\nd\xc3\xa9j\xc3\xa0\tx\nvu\ty\n", &(mica_text_column){.max_length = 5});
    assert_string_equal(shown(data, MICA_TRAIN, 0), "|d|\xc3\xa9|j|\xc3\xa0|");
    assert_string_equal(shown(data, MICA_TRAIN, 1), "|v|u|||");
    mica_data_destroy(data);
}

/* The vocabulary is the training part's; what stands in other parts alone is unknown. */
static void test_split(void **state)
{
    (void)state;
    char table[512] = "review\tkind\n";
    for (char c = 'a'; c <= 'j'; c++)
        strncat(table, (const char[]){c, '\t', c < 'f' ? '0' : '1', '\n', 0}, 5);
    mica_data *data = mica_csv_open(NULL, scratch_text("texts.tsv", table), &(mica_csv_desc){
        .label = "kind", .text = &(mica_text_column){.tokens = MICA_WORDS}, .split = {.fraction = {0.6f, 0.2f, 0.2f}, .seed = 3}});
    assert_good(data);
    assert_int_equal(input_of(data)->preprocess.vocabulary.count, 8);
    for (int64_t i = 0; i < 6; i++)
        assert_string_not_equal(shown(data, MICA_TRAIN, i), "|" MI_UNKNOWN_TOKEN);
    assert_string_equal(shown(data, MICA_VALIDATION, 1), "|" MI_UNKNOWN_TOKEN);
    assert_string_equal(shown(data, MICA_TEST, 0), "|" MI_UNKNOWN_TOKEN);
    assert_int_equal(mica_data_hold_out(data, 0.5f, 1), MICA_INVALID_ARGUMENT); /* there is a validation part */
    mica_data_destroy(data);
}

/* A model reads raw texts by its own vocabulary, also without the labels, and words such as "null" are none that is missing. */
static void test_model(void **state)
{
    (void)state;
    mica_data *data = opened(reviews, &(mica_text_column){.tokens = MICA_WORDS, .lower = true, .max_length = 5, .pad_before = true});
    assert_good(data);
    const struct mi_prepared *model = prepared_of(data);
    const struct mi_preprocess *p = &model->fields[0];
    assert_true(p->vocabulary.padded && p->vocabulary.pad_before && !p->vocabulary.cut_before && p->vocabulary.lower);
    assert_int_equal(p->vocabulary.count, 9);
    mica_data *other = mi_csv_open(NULL, scratch_text("other.tsv", "id\treview\tkind\n1\tAll null good\tyes\n2\tbad\tno\n"),
                                   &(mica_csv_desc){.label = "kind"}, model);
    assert_good(other);
    assert_string_equal(shown(other, MICA_TRAIN, 0), "|||all|" MI_UNKNOWN_TOKEN "|good");
    assert_string_equal(mica_data_note(other, 0), "texts: 1 words and marks are unknown");
    mica_data_destroy(other);
    other = mi_inputs_open(NULL, scratch_text("raw.csv", "review\nnot all\n\"good, at all\"\n"), model, "input", &MICA_SHAPE(5));
    assert_good(other);
    assert_string_equal(shown(other, MICA_TRAIN, 0), "||||not|all");
    assert_string_equal(shown(other, MICA_TRAIN, 1), "||good|,|at|all");
    mica_data_destroy(other);
    other = mi_inputs_open(NULL, scratch_text("raw.txt", "good, not \"all\r\n\nbad"), model, "input", &MICA_SHAPE(5));
    assert_good(other); /* lines, as they are */
    assert_int_equal(other->samples, 3);
    assert_string_equal(shown(other, MICA_TRAIN, 0), "|good|,|not|" MI_UNKNOWN_TOKEN "|all");
    assert_string_equal(shown(other, MICA_TRAIN, 1), "|||||");
    assert_string_equal(shown(other, MICA_TRAIN, 2), "|||||bad");
    mica_data_destroy(other);
    assert_refused(mi_inputs_open(NULL, scratch_text("raw.txt", "a\n\xff\n"), model, "input", &MICA_SHAPE(5)), MICA_FORMAT,
                   "byte 2 (0xff) is no text in UTF-8");
    assert_refused(mi_inputs_open(NULL, scratch_text("raw.txt", ""), model, "input", &MICA_SHAPE(5)), MICA_DATA, "no samples");
    mica_text_desc whole = {.part = {scratch_text("whole.txt", "good bad good bad good bad good")}};
    assert_refused(mi_text_open(NULL, &whole, model), MICA_DATA, "was trained on a column of texts");
    mica_data_destroy(data);
}

/* Beside a text other columns can be another input. */
static void test_fields(void **state)
{
    (void)state;
    const mica_text_column words = {.tokens = MICA_WORDS}, characters = {.max_length = 2};
    const char *title[] = {"title", NULL}, *body[] = {"body", NULL}, *stars[] = {"stars", NULL};
    const mica_column_field fields[] = {{.name = "title", .columns = title, .text = &characters},
                                        {.name = "body", .columns = body, .text = &words},
                                        {.role = MICA_TARGET, .columns = stars, .regression = true}};
    mica_data *data = mica_csv_open(NULL, scratch_text("fields.csv", "title,body,stars\nab,x y,1.5\nabc,z,2\n"),
                                    &(mica_csv_desc){.fields = fields, .field_count = 3});
    assert_good(data);
    assert_int_equal(data->fields[0]->elements, 2);
    assert_int_equal(data->fields[1]->elements, 2);
    assert_string_equal(shown(data, MICA_TRAIN, 1), "|a|b");
    assert_string_equal(mica_data_note(data, 2), "texts \"title\": 1 of 2 have more than 2 characters, and lose their ends");
    mica_data_destroy(data);
}

static void test_refused(void **state)
{
    (void)state;
    mica_text_column text = {.tokens = MICA_WORDS};
    assert_refused(opened("a,b,kind\nx,y,0\nz,w,1\n", &text), MICA_DATA, "columns: a text is one column, these are 2");
    assert_refused(opened("a,kind\n,0\nz,1\n", &text), MICA_DATA, "line 2, column 1 (a): the value is missing");
    assert_refused(opened("a,kind\nx,0\nz,1\n", &(mica_text_column){.max_tokens = 2}), MICA_INVALID_ARGUMENT,
                   "max_tokens is 2; it must be from 3");
    assert_refused(opened("a,kind\nx,0\nz,1\n", &(mica_text_column){.max_length = -1}), MICA_INVALID_ARGUMENT,
                   "max_length is -1; it must be from 1");
    assert_refused(opened("a,kind\nx,0\nz,1\n", &(mica_text_column){.tokens = (mica_tokens)9}), MICA_INVALID_ARGUMENT,
                   "there are no tokens 9");
    const char *categorical[] = {"a", NULL};
    assert_refused(mica_csv_open(NULL, scratch_text("c.csv", "a,kind\nx,0\nz,1\n"),
                                 &(mica_csv_desc){.label = "kind", .categorical = categorical, .text = &text}), MICA_DATA,
                   "a text is one column, and not categorical");
    assert_refused(mica_csv_open(NULL, scratch_text("c.csv", "a,kind\nx,0\nz,1\n"),
                                 &(mica_csv_desc){.label = "kind", .logarithm = categorical, .text = &text}), MICA_DATA,
                   "a text is one column, and not categorical, of a calendar or a logarithm");
    const char *only[] = {"a", NULL};
    assert_refused(mica_csv_open(NULL, scratch_text("c.csv", "a,kind\nx,0\nz,1\n"),
                                 &(mica_csv_desc){.label = "kind", .columns = only, .series = {.sequence_length = 1}, .text = &text}),
                   MICA_DATA, "a series is of rows of numbers, and the field has none");
    assert_refused(mica_csv_open(NULL, scratch_text("c.csv", "a,kind\nx,0\n,1\n"),
                                 &(mica_csv_desc){.label = "kind", .missing = MICA_MISSING_PREVIOUS, .text = &text}),
                   MICA_DATA, "classes, texts and dates are not those of the row above");
    assert_refused(mica_csv_open(NULL, scratch_text("c.csv", "a,kind\nx,0\nz,1\n"),
                                 &(mica_csv_desc){.label = "kind", .normalize = {.type = MICA_STANDARD}, .text = &text}),
                   MICA_INVALID_ARGUMENT, "their tokens are not normalised");
}

/* A first line of prose above a 1 is no header, though 1 is the number of its column. */
static void test_header(void **state)
{
    (void)state;
    const char *input[] = {"0", NULL}, *target[] = {"1", NULL};
    const mica_text_column text = {.tokens = MICA_WORDS};
    const mica_column_field fields[] = {{.columns = input, .text = &text}, {.role = MICA_TARGET, .columns = target}};
    mica_data *data = mica_csv_open(NULL, scratch_text("prose.tsv", "a fine film\t1\nno good\t0\nwhat a mess\t0\n"),
                                    &(mica_csv_desc){.fields = fields, .field_count = 2});
    assert_good(data);
    assert_int_equal(mica_data_count(data, MICA_TRAIN), 3);
    mica_data_destroy(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words), cmocka_unit_test(test_lengths), cmocka_unit_test(test_split), cmocka_unit_test(test_model),
        cmocka_unit_test(test_fields), cmocka_unit_test(test_refused), cmocka_unit_test(test_header),
    };
    return cmocka_run_group_tests(tests, scratch_begin, scratch_end);
}
