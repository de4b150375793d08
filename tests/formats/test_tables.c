/* Tables as people bring them: names that repeat, headers of numbers, decimal commas, quotes, other encodings, columns
 * to leave out, numbers that floats cannot tell apart. Each is compared with the same table written plainly. */
#include "scratch.h"

#include "formats/table/table.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static mica_data *open_text(const char *text, const mica_csv_desc *desc)
{
    return mica_csv_open(NULL, scratch_text("table.csv", text), desc);
}

/* Both tables have the same samples, and the same labels. */
static void assert_same_data(mica_data *a, mica_data *b)
{
    float x[16], y[16];
    int32_t left, right;
    assert_good(a);
    assert_good(b);
    assert_int_equal(a->samples, b->samples);
    assert_int_equal(input_of(a)->elements, input_of(b)->elements);
    assert_int_equal(mica_data_classes(a), mica_data_classes(b));
    for (int64_t i = 0; i < a->samples; i++) {
        assert_int_equal(mica_data_sample(a, MICA_TRAIN, i, x, &left), MICA_OK);
        assert_int_equal(mica_data_sample(b, MICA_TRAIN, i, y, &right), MICA_OK);
        assert_int_equal(left, right);
        assert_memory_equal(x, y, input_of(a)->elements * sizeof *x);
    }
    mica_data_destroy(a);
    mica_data_destroy(b);
}

/* The columns of a model are found again by name and place, in whatever order. */
static void test_names_repeat(void **state)
{
    (void)state;
    static const char *const tables[] = {"x,x,y\n1,2,0\n3,4,1\n", ",,y\n1,2,0\n3,4,1\n", "y,x,x\n0,1,2\n1,3,4\n",
                                         "x,y,x\n1,0,2\n3,1,4\n"};
    for (size_t i = 0; i < MI_COUNT(tables); i++) {
        mica_data *model = open_text(tables[i], &(mica_csv_desc){.label = "y"});
        assert_good(model);
        const char *same = scratch_text("again.csv", tables[i]);
        mica_data *again = mi_csv_open(NULL, same, &(mica_csv_desc){0}, prepared_of(model));
        mica_data *inputs = mi_inputs_open(NULL, same, prepared_of(model), "input", &MICA_SHAPE(2));
        assert_good(inputs);
        assert_near(input_of(inputs)->floats[0], 1);
        assert_near(input_of(inputs)->floats[1], 2);
        mica_data_destroy(inputs);
        assert_same_data(again, model);
    }
    mica_data *model = open_text("x,x,y\n1,2,0\n3,4,1\n", &(mica_csv_desc){.label = "1"}); /* the second x is the label */
    assert_good(model);
    mica_data *again = mi_csv_open(NULL, scratch_text("again.csv", "y,x,x\n0,1,2\n1,3,4\n"), &(mica_csv_desc){0},
                                   prepared_of(model));
    assert_good(again);
    assert_near(input_of(again)->floats[0], 1);
    assert_near(input_of(again)->floats[1], 0);
    assert_int_equal(target_of(again)->classes[1], 1);
    mica_data_destroy(again);
    struct mi_preprocess second = {.shape = MICA_SHAPE(1), .columns = &(struct mi_column){.name = "x", .nth = 1}, .column_count = 1,
                                   .table_columns = 2};
    assert_refused(mi_csv_open(NULL, scratch_text("again.csv", "x,y\n1,0\n"), &(mica_csv_desc){.label = "x"},
                               &(struct mi_prepared){&second, 1}),
                   MICA_DATA, "the model takes column 2 of those called \"x\", the table has 1");
    mica_data_destroy(model);
    assert_refused(open_text("x,x,y\n1,2,0\n", &(mica_csv_desc){.label = "x"}), MICA_DATA,
                   "label: two columns are called \"x\"; give an index, 0 or 1");
}

static void test_headers_of_numbers(void **state)
{
    (void)state;
    static const struct { const char *text; bool header; } cases[] = {
        {"0,1,kind\n0.0,0.5,a\n1.0,1.5,b\n2.0,2.5,a\n", true},
        {"0,1,2\n5,3.5,a\n4,3.0,b\n", true},            /* a number above words */
        {",0,1,2\n0,5.5,3.5,a\n1,4.5,3.0,b\n", true},   /* pandas, with its index */
        {"0,1\n5.5,3.5\n4.5,3.0\n", true},              /* whole numbers above fractions */
        {"0,1,2\n5,3,1\n4,2,0\n", false},               /* could be a sample */
        {"\"2019\",\"2020\"\n5,3\n4,2\n", true},        /* quoted above numbers that are not */
        {"0,1,odd\n0,0,even\n1,1,even\n1,0,odd\n", false},
        {"5.5,3,a\n4.5,2,b\n", false},
        {"3,1,a\n3,2,b\n", false}};
    for (size_t i = 0; i < MI_COUNT(cases); i++) {
        struct mi_error error = {0};
        struct mi_table table;
        char *copy = mi_strdup(cases[i].text);
        assert_int_equal(mi_table_parse(&error, "t", copy, strlen(copy), NULL, NULL, &table), MICA_OK);
        if ((table.names != NULL) != cases[i].header)
            fail_msg("case %zu: %s header", i, table.names ? "a" : "no");
        mi_table_destroy(&table);
    }
    /* What a model knows is found again, also where nothing else would tell. */
    mica_data *model = open_text("0,1,2\n5,3,1\n4,2,0\n", &(mica_csv_desc){.label = "2", .header = MICA_HEADER_YES});
    assert_good(model);
    assert_int_equal(model->samples, 2);
    mica_data *inputs = mi_inputs_open(NULL, scratch_text("new.csv", "0,1\n7,8\n9,6\n"), prepared_of(model), "input", &MICA_SHAPE(2));
    assert_good(inputs);
    assert_int_equal(inputs->samples, 2);
    mica_data_destroy(inputs);
    inputs = mi_inputs_open(NULL, scratch_text("new.csv", "7,8\n9,6\n"), prepared_of(model), "input", &MICA_SHAPE(2));
    assert_good(inputs);
    assert_int_equal(inputs->samples, 2);
    mica_data_destroy(inputs);
    mica_data_destroy(model);
    /* A model without names takes each row of numbers for a sample, whatever it looks like. */
    model = open_text("0,1,2\n5.5,3.5,1\n4.5,2.5,0\n", &(mica_csv_desc){.label = "2", .header = MICA_HEADER_NO});
    assert_good(model);
    assert_int_equal(model->samples, 3);
    static const struct { const char *text; int rows; } tables[] = {{"0,1\n7.5,8.5\n9.5,6.5\n", 3}, {"a,b\n7.5,8.5\n", 1},
                                                                    {"\"0\",\"1\"\n7,8\n9,6\n", 3}};
    for (size_t i = 0; i < MI_COUNT(tables); i++) {
        inputs = mi_inputs_open(NULL, scratch_text("new.csv", tables[i].text), prepared_of(model), "input", &MICA_SHAPE(2));
        assert_good(inputs);
        assert_int_equal(inputs->samples, tables[i].rows);
        mica_data_destroy(inputs);
    }
    mica_data_destroy(model);
}

static void test_decimal_commas(void **state)
{
    (void)state;
    static const char plain[] = "size,weight,y\n36.5,1,0\n44.25,2.5,1\n";
    static const char *const commas[] = {"size;weight;y\n36,5;1;0\n44,25;2,5;1\n", "36,5;1;0\n44,25;2,5;1\n",
                                         "size\tweight\ty\n36,5\t1\t0\n44,25\t2,5\t1\n",
                                         "size;weight;y\n\"36,5\";1;0\n\"44,25\";\"2,5\";1\n"};
    for (size_t i = 0; i < MI_COUNT(commas); i++)
        assert_same_data(open_text(commas[i], &(mica_csv_desc){.label = "-1"}),
                         mica_csv_open(NULL, scratch_text("plain.csv", plain), &(mica_csv_desc){.label = "-1"}));
    /* Between commas a decimal comma has to be said. */
    static const char quoted[] = "size,weight,y\n\"36,5\",1,0\n\"44,25\",\"2,5\",1\n";
    assert_same_data(open_text(quoted, &(mica_csv_desc){.label = "y", .decimal = ','}),
                     mica_csv_open(NULL, scratch_text("plain.csv", plain), &(mica_csv_desc){.label = "y"}));
    assert_refused(open_text(quoted, &(mica_csv_desc){.label = "y"}), MICA_DATA,
                   "line 2, column 1 (size): \"36,5\" is not a number; numbers with a decimal comma need \"decimal\": \",\"");
    assert_refused(open_text("size,y\n36,5,0\n", &(mica_csv_desc){.label = "y"}), MICA_FORMAT,
                   "line 2 has 3 cells, line 1 has 2; a decimal comma needs quotes, or semicolons between cells");
    assert_refused(open_text("a;y\n1,5;0\n2,5;1\n3.5;0\n", &(mica_csv_desc){.label = "y"}), MICA_DATA,
                   "line 4, column 1 (a): \"3.5\" is not a number; the table has decimal commas");
    assert_refused(open_text("a;y\n1;0\n", &(mica_csv_desc){.label = "y", .decimal = 'x'}), MICA_INVALID_ARGUMENT,
                   "decimal is 'x'");
    mica_data *text = open_text("a,b,y\nx;1,1.5,0\nx;2,2.5,1\n", &(mica_csv_desc){
        .label = "y", .categorical = (const char *const[]){"a", NULL}}); /* semicolons in words do not divide */
    assert_good(text);
    assert_int_equal(input_of(text)->elements, 3);
    mica_data_destroy(text);
}

/* A model knows the mark for a table that does not show it. */
static void test_decimals_of_models(void **state)
{
    (void)state;
    static const char quoted[] = "size,weight,y\n\"36,5\",1,0\n\"44,25\",\"2,5\",1\n";
    mica_data *model = open_text(quoted, &(mica_csv_desc){.label = "y", .decimal = ','});
    const struct mi_prepared *loaded = prepared_of(model);
    mica_data *inputs = mi_inputs_open(NULL, scratch_text("new.csv", "size,weight\n\"1,5\",2\n"), loaded, "input", &MICA_SHAPE(2));
    assert_good(inputs);
    assert_near(input_of(inputs)->floats[0], 1.5f);
    mica_data_destroy(inputs);
    /* Points between commas are points, where the table shows them. */
    inputs = mi_inputs_open(NULL, scratch_text("new.csv", "size,weight\n1.5,2\n"), loaded, "input", &MICA_SHAPE(2));
    assert_good(inputs);
    assert_near(input_of(inputs)->floats[0], 1.5f);
    mica_data_destroy(inputs);
    /* What a job could say is no advice there. */
    static const struct { const char *line, *says; } bad[] = {
        {"\"1,5\",2\n1.5,2\n\"1,5\",2\n", "line 3, column 1 (size): \"1.5\" is not a number; numbers have a decimal comma here"},
        {"1,red\n", "\"red\" is not a number, and the model takes numbers there"},
        {"1,\n", "the value is missing, and the model has nothing to put there"}};
    for (size_t i = 0; i < MI_COUNT(bad); i++) {
        char lines[80];
        mi_format(lines, sizeof lines, "size,weight\n%s", bad[i].line);
        assert_refused(mi_inputs_open(NULL, scratch_text("new.csv", lines), loaded, "input", &MICA_SHAPE(2)), MICA_DATA, bad[i].says);
    }
    mica_data_destroy(model);
}

/* Refusals name the cause. */
static void test_causes(void **state)
{
    (void)state;
    static const struct { const char *text, *label, *says; } cases[] = {
        {"a,b\n36,5,1\n", "b", "line 2 has 3 cells, line 1 has 2; a decimal comma needs quotes, or semicolons between cells"},
        {"a,b\n3.5,1,2\n", "b", "line 2 has 3 cells, line 1 has 2"},
        {"\"a\",\"b\"\n\"1\",2,3\n", "b", "line 2 has 3 cells, line 1 has 2; names of rows need a name in the first line, too"},
        {"a b\n1 2\n", "b", "there is no column \"b\"; there is \"a b\"; cells stand between commas, semicolons or tabs"},
        {"a,y\n\"1,234.5\",0\n", "y", "\"1,234.5\" is not a number; digits stand without marks between thousands"},
        {"a;y\n1.234,5;0\n", "y", "\"1.234,5\" is not a number; digits stand without marks between thousands"}};
    for (size_t i = 0; i < MI_COUNT(cases); i++) {
        mica_data *data = open_text(cases[i].text, &(mica_csv_desc){.label = cases[i].label});
        assert_refused(data, mica_data_status(data), cases[i].says);
    }
}

/* A spreadsheet's first line says what stands between cells. */
static void test_said_separator(void **state)
{
    (void)state;
    static const char *const texts[] = {"sep=;\nx,1;y\n1,5;0\n2,5;1\n", "\xef\xbb\xbfsep=;\r\nx,1;y\r\n1,5;0\r\n2,5;1\r\n"};
    for (size_t i = 0; i < MI_COUNT(texts); i++)
        assert_same_data(open_text(texts[i], &(mica_csv_desc){.label = "y"}),
                         mica_csv_open(NULL, scratch_text("plain.csv", "x,y\n1.5,0\n2.5,1\n"), &(mica_csv_desc){.label = "y"}));
    assert_refused(open_text("sep=;\nx;y\n1;0\nz;1\n", &(mica_csv_desc){.label = "y"}), MICA_DATA, "line 4, column 1 (x)");
    mica_data *data = open_text("sep=,y\n1,0\n", &(mica_csv_desc){.label = "y"}); /* a column of that name */
    assert_good(data);
    assert_string_equal(input_of(data)->preprocess.columns[0].name, "sep=");
    mica_data_destroy(data);
}

/* A quote opens a cell only where that begins, whatever the separator. */
static void test_inch_marks(void **state)
{
    (void)state;
    char text[] = "x,size,y\n0,S,0\n2,12\",1\n1,L,0\n3,S,1\n";
    static const char *const categorical[] = {"size", NULL};
    static const char separators[] = {',', ';', '\t'};
    for (size_t i = 0; i < sizeof separators; i++) {
        for (char *at = text; *at; at++)
            *at = *at == ',' || *at == ';' || *at == '\t' ? separators[i] : *at;
        mica_data *data = open_text(text, &(mica_csv_desc){.label = "y", .categorical = categorical});
        assert_good(data);
        assert_int_equal(data->samples, 4);
        assert_string_equal(input_of(data)->preprocess.columns[1].values[0], "12\"");
        mica_data_destroy(data);
    }
}

static void test_delimiter_at_line_ends(void **state)
{
    (void)state;
    static const char *const texts[] = {"a,b,y,\n1,2,0,\n3,4,1,\n", "a,b,y\n1,2,0,\n3,4,1,\n", "1,2,0,\n3,4,1,\n",
                                        "a;b;y;\n1;2;0;\n3;4;1;\n"};
    for (size_t i = 0; i < MI_COUNT(texts); i++)
        assert_same_data(open_text(texts[i], &(mica_csv_desc){.label = "-1"}),
                         mica_csv_open(NULL, scratch_text("plain.csv", "1,2,0\n3,4,1\n"), &(mica_csv_desc){.label = "-1"}));
    assert_refused(open_text("a,b,z\n1,2,\n3,4,\n", &(mica_csv_desc){.label = "b"}), MICA_DATA,
                   "line 2, column 3 (z): the value is missing"); /* a column with a name is one */
}

static void test_encodings(void **state)
{
    (void)state;
    static const struct { const char *bytes; size_t size; const char *says; } cases[] = {
        {"gr\xf6\xdf" "e,y\n1,0\n", 11, "line 1, column 1 is not UTF-8 (byte 0xf6); iconv"},
        {"a,b,y\n1,2,x\n1,2,\xe9t\xe9\n", 20, "line 3, column 3 is not UTF-8 (byte 0xe9)"},
        {"a,y\n1,\xc0\xaf\n", 9, "line 2, column 2 is not UTF-8 (byte 0xc0)"},     /* overlong */
        {"a,y\n1,\xed\xa0\x80\n", 10, "line 2, column 2 is not UTF-8 (byte 0xed)"}, /* half of a pair of UTF-16 */
        {"a,y\n1,\xf4\x90\x80\x80\n", 11, "(byte 0xf4)"},                           /* beyond Unicode */
        {"a,y\n1,\xe2\x82", 8, "line 2, column 2 is not UTF-8 (byte 0xe2)"},        /* cut */
        {"\xff\xfe" "a\0,\0", 6, "the table is in UTF-16, not UTF-8; iconv -f UTF-16"},
        {"\xfe\xff\0a\0,", 6, "UTF-16"}};
    for (size_t i = 0; i < MI_COUNT(cases); i++)
        assert_refused(mica_csv_open(NULL, scratch_write("t.csv", cases[i].bytes, cases[i].size),
                                     &(mica_csv_desc){.label = "-1"}), MICA_FORMAT, cases[i].says);
    mica_data *data = open_text("gr\xc3\xb6\xc3\x9f" "e,y\n1,\xe2\x82\xac\n2,\xf0\x9f\x8d\x90\n",
                                &(mica_csv_desc){.label = "y"});
    assert_good(data);
    assert_string_equal(mica_data_class_name(data, 0), "\xe2\x82\xac");
    mica_data_destroy(data);
}

/* In quotes a mark for a missing value is a word, unless a number stands there. */
static void test_quoted_marks(void **state)
{
    (void)state;
    static const char *const categorical[] = {"region", NULL};
    mica_data *data = open_text("region,x,y\n\"NA\",1,\"NA\"\nEU,\"2\",EU\n\"NA\",3,EU\n",
                                &(mica_csv_desc){.label = "y", .categorical = categorical});
    assert_good(data);
    assert_int_equal(data->samples, 3);
    assert_int_equal(input_of(data)->elements, 3);
    assert_string_equal(mica_data_class_name(data, 1), "NA");
    assert_string_equal(input_of(data)->preprocess.columns[0].values[1], "NA");
    mica_data_destroy(data);
    data = open_text("region,x,y\nNA,1,a\nEU,\"NA\",b\nEU,3,\"\"\nEU,4,a\n",
                     &(mica_csv_desc){.label = "y", .categorical = categorical, .missing = MICA_MISSING_DROP});
    assert_good(data);
    assert_int_equal(data->samples, 1);
    mica_data_destroy(data);
}

static void test_columns_and_drop(void **state)
{
    (void)state;
    static const char text[] = "id,day,width_a,width_b,height,y\n7,2020-01-05,1,2,3,0\n8,2020-01-06,4,5,6,1\n";
    static const struct { const char *columns[4], *drop[4]; size_t elements; float first; } good[] = {
        {{NULL}, {"id", "day", NULL}, 3, 1},      {{"width_*", NULL}, {NULL}, 2, 1},
        {{"*"}, {"id", "d?y", NULL}, 3, 1},       {{"height", "width_?", NULL}, {"width_a", NULL}, 2, 2},
        {{"-2", "+2", NULL}, {NULL}, 2, 1},       {{NULL}, {"0", "1", NULL}, 3, 1},
        {{"*h*"}, {"*_*", NULL}, 1, 3}};
    for (size_t i = 0; i < MI_COUNT(good); i++) {
        mica_data *data = open_text(text, &(mica_csv_desc){.label = "y", .columns = good[i].columns[0] ? good[i].columns : NULL,
                                                           .drop = good[i].drop});
        assert_good(data);
        assert_int_equal(input_of(data)->elements, good[i].elements);
        assert_near(input_of(data)->floats[0], good[i].first);
        /* the model finds its columns in the whole table, and in one that has no more than them */
        mica_data *again = mi_csv_open(NULL, scratch_text("again.csv", text), &(mica_csv_desc){0}, prepared_of(data));
        assert_good(again);
        assert_near(input_of(again)->floats[0], good[i].first);
        mica_data_destroy(again);
        again = mi_csv_open(NULL, scratch_text("again.csv", strchr(text, '\n') + 1), &(mica_csv_desc){0}, prepared_of(data));
        assert_good(again);
        assert_near(input_of(again)->floats[0], good[i].first);
        mica_data_destroy(again);
        mica_data_destroy(data);
    }
    static const struct { const char *columns[3], *drop[3], *categorical[3], *says; } bad[] = {
        {{NULL}, {"wide*", NULL}, {NULL}, "drop: no column fits \"wide*\""},
        {{NULL}, {"hight", NULL}, {NULL}, "drop: there is no column \"hight\"; did you mean \"height\"?"},
        {{"lenth", NULL}, {NULL}, {NULL}, "columns: there is no column \"lenth\""},
        {{NULL}, {"y", NULL}, {NULL}, "drop: column 6 (y) is the label"},
        {{NULL}, {"day", NULL}, {"day", NULL}, "categorical: column 2 (day) is left out"},
        {{NULL}, {"*", NULL}, {NULL}, "there is no column but the label"},
        {{NULL}, {"+9", NULL}, {NULL}, "drop: there is no column with the index 9; the table has 6 columns, 0 to 5"},
        {{NULL}, {NULL}, {NULL}, "line 2, column 2 (day): \"2020-01-05\" is not a number"}};
    for (size_t i = 0; i < MI_COUNT(bad); i++)
        assert_refused(open_text(text, &(mica_csv_desc){.label = "y", .columns = bad[i].columns[0] ? bad[i].columns : NULL,
                                                        .drop = bad[i].drop, .categorical = bad[i].categorical}),
                       MICA_DATA, bad[i].says);
}

static void assert_notes(mica_data *data, const char *const *notes)
{
    int count = 0;
    assert_good(data);
    for (; notes[count]; count++)
        if (!mica_data_note(data, count) || !strstr(mica_data_note(data, count), notes[count]))
            fail_msg("note %d is \"%s\", not \"%s\"", count, mica_data_note(data, count), notes[count]);
    assert_int_equal(mica_data_notes(data), count);
    assert_null(mica_data_note(data, count));
    mica_data_destroy(data);
}

static void test_what_was_understood(void **state)
{
    (void)state;
    assert_notes(open_text("id;size;city;y;\n1;3,5;Rome;a;\n2;;Oslo;b;\n3;4,5;Oslo;b;\n", &(mica_csv_desc){
        .label = "y", .drop = (const char *const[]){"id", NULL}, .categorical = (const char *const[]){"city", NULL},
        .missing = MICA_MISSING_DROP}),
        (const char *const[]){"table.csv: cells between semicolons, a header, decimal commas, 3 lines",
                              "inputs: size, city (2 words)", "left out: id, and a last column without name and values",
                              "label: y; 2 classes, words in sorted order: a, b",
                              "1 of 3 lines were dropped, since they lack a value; the first is line 3", NULL});
    assert_notes(open_text("1,2,0\n3,4,1\n", &(mica_csv_desc){.label = "-1"}),
                 (const char *const[]){"cells between commas, no header, 2 lines", "inputs: column 1, column 2",
                                       "label: column 3; classes are the outputs 0 to 1", NULL});
    assert_notes(open_text("x\ty\n1\t2.5\n", &(mica_csv_desc){.label = "y", .regression = true}),
                 (const char *const[]){"cells between tabs, a header, 1 lines", "inputs: x", "label: y, a value", NULL});
    mica_data *data = open_text("x,y\n1,1\n2,2\n", &(mica_csv_desc){.label = "y"});
    struct mi_error error = {0};
    assert_good(data);
    assert_string_equal(mica_data_note(data, 2), "label: y; 2 classes, words in sorted order: 1, 2");
    assert_int_equal(mi_data_settle(data, target_of(data), &error, 3), MICA_OK);
    assert_string_equal(mica_data_note(data, 2), "label: y; classes are the outputs 0 to 2");
    mica_data_destroy(data);
    struct mi_text wide = {0};
    for (int i = 0; i < 20; i++)
        mi_text_add(&wide, "%sc%d", i ? "," : "", i);
    mi_text_add(&wide, "\n");
    for (int i = 0; i < 20; i++)
        mi_text_add(&wide, "%s%d", i ? "," : "", i);
    assert_notes(open_text(mi_text_get(&wide), &(mica_csv_desc){0}),
                 (const char *const[]){"table", "inputs: c0, c1, c2, c3, c4, c5, c6, c7 and 12 more", NULL});
    mi_text_destroy(&wide);
}

/* Places of columns go with a model's file, and a name that is a number is a name. */
static void test_places_are_kept(void **state)
{
    (void)state;
    mica_data *data = open_text("2,0,2,1\n5,9,6,0\n7,8,8,1\n", &(mica_csv_desc){
        .label = "1", .header = MICA_HEADER_YES, .drop = (const char *const[]){"0", NULL}});
    assert_good(data);
    assert_near(input_of(data)->floats[0], 5);
    assert_near(input_of(data)->floats[1], 6);
    const struct mi_prepared *loaded = prepared_of(data);
    const struct mi_preprocess *inputs = &loaded->fields[0], *label = &loaded->fields[1];
    assert_int_equal(inputs->table_columns, 4);
    assert_int_equal(label->columns[0].index, 3);
    assert_int_equal(inputs->columns[1].index, 2);
    assert_int_equal(inputs->columns[1].nth, 1);
    mica_data *again = mi_csv_open(NULL, scratch_text("again.csv", "1,2,2\n0,5,6\n"), &(mica_csv_desc){0}, loaded);
    assert_good(again);
    assert_near(input_of(again)->floats[0], 5);
    assert_near(input_of(again)->floats[1], 6);
    mica_data_destroy(again);
    mica_data_destroy(data);
}

/* Times that differ by a second: the deviation is known, a float has lost them. */
static void test_numbers_that_floats_lose(void **state)
{
    (void)state;
    float row[2];
    struct mi_text text = {0};
    mi_text_add(&text, "time,x,y\n");
    for (int i = 0; i < 8; i++)
        mi_text_add(&text, "%d,%d.5,%d\n", 1700000000 + i, i, i % 2);
    const char *path = scratch_text("times.csv", mi_text_get(&text));
    mica_data *data = mica_csv_open(NULL, path, &(mica_csv_desc){.label = "y", .normalize = {.type = MICA_STANDARD}});
    assert_good(data);
    mica_data *inputs = mi_inputs_open(NULL, path, prepared_of(data), "input", &MICA_SHAPE(2));
    assert_good(inputs);
    for (int i = 0; i < 8; i++) {
        float expected = ((float)i - 3.5f) / sqrtf(5.25f);
        assert_int_equal(mica_data_sample(data, MICA_TRAIN, i, row, NULL), MICA_OK);
        assert_near(row[0], expected);
        assert_near(row[1], expected);
        assert_int_equal(mica_data_sample(inputs, MICA_TRAIN, i, row, NULL), MICA_OK);
        assert_near(row[0], expected);
    }
    mica_data_destroy(inputs); /* what the model tells apart counts, not what the new table holds */
    inputs = mi_inputs_open(NULL, scratch_text("new.csv", "time,x\n1700000007,7.5\n0,0\n"), prepared_of(data), "input", &MICA_SHAPE(2));
    assert_good(inputs);
    assert_int_equal(mica_data_sample(inputs, MICA_TRAIN, 0, row, NULL), MICA_OK);
    assert_near(row[0], 3.5f / sqrtf(5.25f));
    /* also where the parameters come back from a model's file */
    cJSON *json = mi_preprocess_to_json(&input_of(data)->preprocess);
    char *written = cJSON_PrintUnformatted(json);
    cJSON *parsed = cJSON_Parse(written);
    struct mi_error error = {0};
    struct mi_preprocess loaded;
    assert_int_equal(mi_preprocess_from_json(&error, "m", parsed, &loaded), MICA_OK);
    mi_preprocess_doubles(&loaded, (const double[]){1700000007, 7.5}, 1, row);
    assert_near(row[0], 3.5f / sqrtf(5.25f));
    mi_preprocess_destroy(&loaded);
    cJSON_Delete(parsed);
    cJSON_Delete(json);
    cJSON_free(written);
    mica_data_destroy(inputs);
    mica_data_destroy(data);
    mi_text_destroy(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_repeat),            cmocka_unit_test(test_headers_of_numbers),
        cmocka_unit_test(test_decimal_commas),          cmocka_unit_test(test_decimals_of_models),
        cmocka_unit_test(test_inch_marks),              cmocka_unit_test(test_causes),
        cmocka_unit_test(test_said_separator),          cmocka_unit_test(test_delimiter_at_line_ends),
        cmocka_unit_test(test_encodings),               cmocka_unit_test(test_quoted_marks),
        cmocka_unit_test(test_columns_and_drop),        cmocka_unit_test(test_what_was_understood),
        cmocka_unit_test(test_places_are_kept),         cmocka_unit_test(test_numbers_that_floats_lose),
    };
    return cmocka_run_group_tests(tests, scratch_begin, scratch_end);
}
