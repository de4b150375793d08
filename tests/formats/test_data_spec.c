/* The "data" object of a job, a model's preprocessing applied to other data, and raw inputs. */
#include "scratch.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char folder[320];

static bool is_value(const void *user, const char *target)
{
    (void)target;
    return *(const bool *)user;
}

static mica_data *open_spec(const char *text, const struct mi_prepared *fitted, bool regression)
{
    const struct mi_regressions regressions = {is_value, &regression};
    cJSON *json = cJSON_Parse(text);
    assert_non_null(json);
    snprintf(folder, sizeof folder, "%s", scratch_path("x"));
    *strrchr(folder, '/') = 0;
    mica_data *data = mi_data_from_spec(NULL, json, folder, "job.json: data", fitted, &regressions);
    cJSON_Delete(json);
    return data;
}

static const char table[] = "size,colour,kind\n1,red,pear\n3,blue,apple\n5,red,apple\n7,red,pear\n";

static void test_csv(void **state)
{
    (void)state;
    scratch_text("t.csv", table);
    mica_data *data = open_spec("{\"format\": \"csv\", \"path\": \"t.csv\", \"label\": \"kind\", "
                                "\"categorical\": [\"colour\"],\"header\": true, \"missing\": \"drop\", "
                                "\"normalize\": \"min_max\", \"split\": [0.5, 0, 0.5],"
                                "\"seed\": 3, \"shuffle\": false}", NULL, false);
    float row[3];
    assert_good(data);
    assert_int_equal(mica_data_count(data, MICA_TEST), 2);
    assert_int_equal(mica_data_sample(data, MICA_TEST, 1, row, NULL), MICA_OK);
    assert_near(row[0], 3);
    assert_near(row[2], 1);
    mica_data_destroy(data);
    data = open_spec("{\"format\": \"csv\", \"path\": \"t.csv\", \"label\": 0, \"categorical\": [1, -1]}",
                     NULL, true);
    assert_good(data);
    assert_int_equal(mica_data_shape(data).dim[0], 4);
    assert_near(target_of(data)->floats[3], 7);
    mica_data_destroy(data);
}

static void test_texts(void **state)
{
    (void)state;
    scratch_text("t.csv", table);
    mica_data *data = open_spec("{\"format\": \"csv\", \"path\": \"t.csv\", \"label\": \"kind\", \"drop\": [\"size\"], "
                                "\"text\": {\"tokens\": \"characters\", \"lower\": true, \"max_tokens\": 5, \"max_length\": 6, "
                                "\"padding\": \"pre\", \"truncating\": \"pre\"}}", NULL, false);
    float row[6];
    assert_good(data);
    const struct mi_vocabulary *v = &input_of(data)->preprocess.vocabulary;
    assert_true(v->lower && v->pad_before && v->cut_before && v->tokens == MICA_CHARACTERS);
    assert_int_equal(v->count, 5);
    assert_int_equal(mica_data_sample(data, MICA_TRAIN, 0, row, NULL), MICA_OK);
    assert_near(row[2], 0);
    assert_near(row[5], 1); /* the d of red, which with e and r is the most frequent */
    mica_data_destroy(data);
    data = open_spec("{\"format\": \"csv\", \"path\": \"t.csv\", \"inputs\": {\"a\": \"size\", \"b\": \"colour\"}, "
                     "\"targets\": \"kind\", \"text\": {\"b\": \"words\"}}", NULL, false);
    assert_good(data);
    assert_int_equal(data->fields[0]->preprocess.vocabulary.count, 0);
    assert_int_equal(data->fields[1]->preprocess.vocabulary.count, 4);
    mica_data_destroy(data);
}

static void test_arrays(void **state)
{
    (void)state;
    static const unsigned char images[] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 9, 8, 7, 6};
    static const unsigned char labels[] = {0, 0, 8, 1, 0, 0, 0, 2, 1, 0};
    scratch_write("i.idx", images, sizeof images);
    scratch_gzip("l.idx.gz", labels, sizeof labels);
    mica_data *data = open_spec("{\"format\": \"idx\", \"train\": {\"images\": \"i.idx\", \"labels\": "
                                "\"l.idx.gz\"}, \"test\": {\"inputs\": \"i.idx\", \"labels\": \"l.idx.gz\"}, "
                                "\"normalize\": {\"divide_by\": 2}}", NULL,
                                false);
    float row[2];
    assert_good(data);
    assert_int_equal(mica_data_shape(data).rank, 3);
    assert_int_equal(mica_data_sample(data, MICA_TEST, 0, row, NULL), MICA_OK);
    assert_near(row[0], 4.5f);
    mica_data_destroy(data);
    data = open_spec("{\"format\": \"idx\", \"train\": {\"images\": \"i.idx\"}, \"normalize\": {\"mean\": 6, "
                     "\"std\": [2]}, \"sample_shape\": [2]}", NULL, false);
    assert_good(data);
    assert_int_equal(mica_data_shape(data).rank, 1);
    assert_int_equal(mica_data_sample(data, MICA_TRAIN, 0, row, NULL), MICA_OK);
    assert_near(row[1], 1);
    mica_data_destroy(data);
}

static void test_refused(void **state)
{
    (void)state;
    static const struct { const char *text; const char *says; } cases[] = {
        {"[]", "job.json: data: this must be an object"},
        {"{}", "\"format\" must be \"csv\", \"idx\", \"npy\", \"npz\" or \"text\""},
        {"{\"format\": \"cvs\"}", "there is no format \"cvs\"; did you mean \"csv\"?"},
        {"{\"format\": 1}", "\"format\" must be a text"},
        {"{\"format\": \"csv\"}", "\"path\" must be the path of a file"},
        {"{\"format\": \"csv\", \"path\": \"t.csv\", \"lable\": 1}",
         "job.json: data: there is no key \"lable\"; did you mean \"label\"?"},
        {"{\"format\": \"csv\", \"path\": \"t.csv\", \"validation_split\": 0.1}",
         "there is no key \"validation_split\""},
        {"{\"format\": \"csv\", \"path\": \"t.csv\", \"label\": true}",
         "\"label\" must be the name or the index"},
        {"{\"format\": \"csv\", \"path\": \"t.csv\", \"label\": 1.5}",
         "\"label\" must be the name or the index"},
        {"{\"format\": \"csv\", \"path\": \"t.csv\", \"missing\": \"means\"}",
         "there is no missing \"means\"; did you mean \"mean\"?"},
        {"{\"format\": \"csv\", \"path\": \"t.csv\", \"header\": 1}", "\"header\" must be true or false"},
        {"{\"format\": \"csv\", \"path\": \"t.csv\", \"categorical\": \"colour\"}",
         "\"categorical\" must be a list"},
        {"{\"format\": \"csv\", \"path\": \"t.csv\", \"text\": 1}", "\"text\" must be what texts are taken apart into"},
        {"{\"format\": \"csv\", \"path\": \"t.csv\", \"text\": \"word\"}", "there is no text \"word\"; did you mean \"words\"?"},
        {"{\"format\": \"csv\", \"path\": \"t.csv\", \"text\": {\"max_token\": 9}}", "text: there is no key \"max_token\""},
        {"{\"format\": \"csv\", \"path\": \"t.csv\", \"text\": {\"max_tokens\": 2}}", "text.max_tokens: must lie between 3 and"},
        {"{\"format\": \"csv\", \"path\": \"t.csv\", \"text\": {\"padding\": \"before\"}}", "text: there is no padding \"before\""},
        {"{\"format\": \"csv\", \"path\": \"t.csv\", \"inputs\": {\"a\": 0}, \"text\": {\"tokens\": \"words\"}}",
         "data: text: there is no key \"tokens\""},
        {"{\"format\": \"csv\", \"path\": \"t.csv\", \"inputs\": {\"a\": 0}, \"text\": \"words\"}",
         "\"text\" must be an object of the names of inputs"},
        {"{\"format\": \"csv\", \"path\": \"t.csv\", \"normalize\": \"standart\"}",
         "did you mean \"standard\"?"},
        {"{\"format\": \"csv\", \"path\": \"t.csv\", \"normalize\": {\"divideby\": 2}}",
         "data: normalize: there is no key \"divideby\"; did you mean \"divide_by\"?"},
        {"{\"format\": \"csv\", \"path\": \"t.csv\", \"normalize\": {\"mean\": 1}}", "\"normalize\" must be"},
        {"{\"format\": \"csv\", \"path\": \"t.csv\", \"normalize\": {\"mean\": [1, 2], \"std\": [1]}}",
         "2 means for 1 deviations"},
        {"{\"format\": \"csv\", \"path\": \"t.csv\", \"split\": [1]}", "\"split\" must be a list of two or three"},
        {"{\"format\": \"csv\", \"path\": \"t.csv\", \"split\": [0, 0, 0]}", "sum to 1"},
        {"{\"format\": \"csv\", \"path\": \"t.csv\", \"seed\": -1}", "\"seed\" must be a whole number"},
        {"{\"format\": \"csv\", \"path\": \"t.csv\", \"inputs\": {\"a\": 0, \"b\": 1}, \"targets\": 2, \"sample_shape\": [1]}",
         "\"sample_shape\" is of one input, there are 2"},
        {"{\"format\": \"csv\", \"path\": \"t.csv\", \"sample_shape\": [0]}", "\"sample_shape\" must be"},
        {"{\"format\": \"csv\", \"path\": \"t.csv\", \"decimal\": \";\"}", "there is no decimal \";\""},
        {"{\"format\": \"csv\", \"path\": \"t.csv\", \"drop\": \"size\"}", "\"drop\" must be a list of columns"},
        {"{\"format\": \"csv\", \"path\": \"t.csv\", \"columns\": [true]}", "\"columns\" must be the name or the index"},
        {"{\"format\": \"csv\", \"path\": \"t.csv\", \"drop\": [\"sise\"]}", "drop: there is no column \"sise\"; did you mean"},
        {"{\"format\": \"csv\", \"path\": \"t.csv\", \"limits\": 5}", "\"limits\" must be {\"bytes\""},
        {"{\"format\": \"csv\", \"path\": \"t.csv\", \"limits\": {\"bites\": 5}}",
         "data: limits: there is no key \"bites\"; did you mean \"bytes\"?"},
        {"{\"format\": \"csv\", \"path\": \"t.csv\", \"limits\": {\"ratio\": 0}}", "\"limits.ratio\" must be a number"},
        {"{\"format\": \"csv\", \"path\": \"t.csv\", \"limits\": {\"bytes\": 10}}", "the limit of 10 bytes"},
        {"{\"format\": \"csv\", \"path\": \"absent.csv\"}", "absent.csv: No such file"},
        {"{\"format\": \"npy\"}", "\"train\" must be given"},
        {"{\"format\": \"npy\", \"train\": \"x.npy\"}", "\"train\" must be {\"inputs\""},
        {"{\"format\": \"npy\", \"train\": {\"input\": \"x.npy\"}}",
         "data: train: there is no key \"input\"; did you mean \"inputs\"?"},
        {"{\"format\": \"npy\", \"train\": {\"labels\": \"x.npy\"}}", "\"train\" must be {\"inputs\""},
        {"{\"format\": \"npy\", \"tset\": {}}", "there is no key \"tset\"; did you mean \"test\"?"},
        {"{\"format\": \"npy\", \"train\": {\"inputs\": 3}}", "\"train.inputs\" must be the path"}};
    scratch_text("t.csv", table);
    for (size_t i = 0; i < MI_COUNT(cases); i++) {
        mica_data *data = open_spec(cases[i].text, NULL, false);
        assert_non_null(data);
        assert_refused(data, mica_data_status(data), cases[i].says);
    }
}

/* A model's preprocessing: that of the table above. */
static mica_data *open_fitted(void)
{
    mica_data *data = mica_csv_open(NULL, scratch_text("t.csv", table), &(mica_csv_desc){
        .label = "kind", .categorical = (const char *const[]){"colour", NULL},
        .normalize = {.type = MICA_STANDARD}});
    assert_good(data);
    return data;
}

static void test_fitted(void **state)
{
    (void)state;
    mica_data *model = open_fitted();
    const struct mi_prepared *fitted = prepared_of(model);
    float row[3];
    int32_t label;
    scratch_text("new.csv", "kind,colour,extra,size\napple,red,9,6\napple,blue,9,4\n");
    static const char spec[] = "{\"format\": \"csv\", \"path\": \"new.csv\", \"label\": \"kind\", "
        "\"normalize\": \"min_max\"}";
    mica_data *data = open_spec(spec, fitted, false);
    assert_good(data);
    assert_int_equal(mica_data_count(data, MICA_TRAIN), 2);
    assert_int_equal(mica_data_sample(data, MICA_TRAIN, 0, row, &label), MICA_OK);
    assert_near(row[0], 2 / sqrtf(5));
    assert_near(row[1], 0);
    assert_near(row[2], 1);
    assert_int_equal(label, 0);
    assert_int_equal(mica_data_classes(data), 2);
    assert_int_equal(mica_data_hold_out(data, 0.5f, 0), MICA_OK);
    assert_near((float)input_of(data)->preprocess.subtract[0], 4); /* nothing is fitted again */
    mica_data_destroy(data);
    data = open_spec("{\"format\": \"csv\", \"path\": \"new.csv\"}", fitted, false);
    assert_good(data); /* the model knows the label's name */
    assert_non_null(target_of(data)->classes);
    mica_data_destroy(data);
    scratch_text("new.csv", "2,red,pear\n3,blue,apple\n"); /* no header: by position */
    data = open_spec("{\"format\": \"csv\", \"path\": \"new.csv\", \"label\": -1}", fitted, false);
    assert_good(data);
    mica_data_destroy(data);
    scratch_text("new.csv", "size,colour,kind\n2,red,peer\n");
    assert_refused(open_spec(spec, fitted, false), MICA_DATA,
                   "line 2: the label \"peer\" is not one of the 2 known classes; did you mean \"pear\"?");
    scratch_text("new.csv", "size,colour,kind\n2,green,pear\n");
    assert_refused(open_spec(spec, fitted, false), MICA_DATA,
                   "line 2, column 2 (colour): \"green\" is not one of the 2 categories");
    scratch_text("new.csv", "sise,colour,kind\n2,red,pear\n");
    assert_refused(open_spec(spec, fitted, false), MICA_DATA,
                   "the model's column \"size\" is not in the table; did you mean \"sise\"?");
    scratch_text("new.csv", "2,3\n4,5\n");
    assert_refused(open_spec("{\"format\": \"csv\", \"path\": \"new.csv\"}", fitted, false), MICA_DATA,
                   "the label, \"kind\", is not in the table");
    mica_data_destroy(model);
}

/* ---- Raw inputs ---- */

static mica_data *read_raw(const char *path, const mica_data *model, mica_shape shape)
{
    return mi_inputs_open(NULL, path, model ? prepared_of(model) : NULL, "input", &shape);
}

/* A value of a sample as the network sees it. */
static float value_of(const mica_data *data, int64_t sample, size_t element)
{
    float row[8];
    assert_int_equal(mica_data_sample(data, MICA_TRAIN, sample, row, NULL), MICA_OK);
    return row[element];
}

static void test_raw_tables(void **state)
{
    (void)state;
    mica_data *model = open_fitted(), *data;
    static const char *const good[] = {table, "size,colour\n1,red\n3,blue\n5,red\n7,red\n",
                                       "colour,size\nred,1\nblue,3\nred,5\nred,7\n",
                                       "1,red\n3,blue\n5,red\n7,red\n"};
    for (size_t i = 0; i < MI_COUNT(good); i++) {
        data = read_raw(scratch_text("raw.csv", good[i]), model, MICA_SHAPE(1));
        if (mica_data_status(data) != MICA_OK)
            fail_msg("case %zu: %s", i, mica_data_error(data));
        assert_int_equal(data->samples, 4);
        assert_near(input_of(data)->floats[3], 3);
        assert_near(input_of(data)->floats[4], 1);
        assert_near(input_of(data)->floats[8], 1);
        assert_near(value_of(data, 1, 0), -1 / sqrtf(5));
        mica_data_destroy(data);
    }
    assert_refused(read_raw(scratch_text("raw.csv", "size\n1\n"), model, MICA_SHAPE(1)), MICA_DATA,
                   "column \"colour\" is not in the table");
    assert_refused(read_raw(scratch_text("raw.csv", "size,colour\n1,\n"), model, MICA_SHAPE(1)), MICA_DATA,
                   "line 2, column 2 (colour): the value is missing");
    mica_data_destroy(model);
    data = read_raw(scratch_text("raw.csv", "1,2\n3,4\n"), NULL, MICA_SHAPE(2, 1));
    assert_good(data);
    assert_int_equal(data->samples, 2);
    assert_near(input_of(data)->floats[3], 4);
    mica_data_destroy(data);
    assert_refused(read_raw(scratch_text("raw.csv", "1,2\n3,4\n"), NULL, MICA_SHAPE(3)), MICA_SHAPE,
                   "the table has 2 columns, a sample of shape [3] has 3 elements");
}

static void test_raw_arrays(void **state)
{
    (void)state;
    static const unsigned char images[] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 9, 8, 7, 6};
    static const float values[6] = {1, 2, 3, 4, 5, NAN};
    struct mi_error error = {0};
    mica_data *data = read_raw(scratch_gzip("i.gz", images, sizeof images), NULL, MICA_SHAPE(1, 1, 2));
    assert_good(data);
    assert_int_equal(data->samples, 2);
    assert_near(value_of(data, 1, 0), 7);
    mica_data_destroy(data);
    const char *path = scratch_path("raw.npy");
    assert_int_equal(mi_npy_write(&error, path, values, &MICA_SHAPE(2), 2), MICA_OK);
    data = read_raw(path, NULL, MICA_SHAPE(2));
    assert_good(data);
    assert_int_equal(data->samples, 2);
    mica_data_destroy(data);
    data = read_raw(path, NULL, MICA_SHAPE(1, 2, 2)); /* one sample alone */
    assert_good(data);
    assert_int_equal(data->samples, 1);
    assert_near(value_of(data, 0, 3), 4);
    mica_data_destroy(data);
    assert_refused(read_raw(path, NULL, MICA_SHAPE(3)), MICA_SHAPE, "a sample has shape [2] (2 elements), not [3]");
    assert_int_equal(mi_npy_write(&error, path, values, &MICA_SHAPE(2), 3), MICA_OK);
    assert_refused(read_raw(path, NULL, MICA_SHAPE(2)), MICA_DATA, "row 2, column 1 is nan");
    assert_refused(read_raw(scratch_text("false.npy", "hello"), NULL, MICA_SHAPE(2)), MICA_FORMAT, "not a .npy file");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_csv), cmocka_unit_test(test_texts),    cmocka_unit_test(test_arrays),     cmocka_unit_test(test_refused),
        cmocka_unit_test(test_fitted), cmocka_unit_test(test_raw_tables), cmocka_unit_test(test_raw_arrays),
    };
    return cmocka_run_group_tests(tests, scratch_begin, scratch_end);
}
