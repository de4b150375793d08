/* Words from elsewhere: how they are shown, and which one was meant. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/base.h"

#include <stdio.h>
#include <string.h>

static void test_printable(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"plain words", "plain words"},
        {"", ""},
        {"two\nlines\r\n\tand \"quotes\"", "two\\nlines\\r\\n\\tand \"quotes\""},
        {"\033[31mred\033[0m\a", "\\x1b[31mred\\x1b[0m\\x07"},
        {"n r t \\n", "n r t \\n"},
        {"Größe, 大小, 🌱", "Größe, 大小, 🌱"},
        {"\x7f\xc2\x9b" "31m", "\\x7f\\u009b31m"},                /* C1: CSI in one character */
        {"a\xe2\x80\xae" "b\xe2\x81\xa6\xd8\x9c", "a\\u202eb\\u2066\\u061c"},
        {"a\xe2\x80\xa8" "b", "a\\u2028b"},                       /* a line separator */
        {"caf\xe9, \xff", "caf\\xe9, \\xff"},                     /* Latin-1 */
        {"\xc0\xaf\xe0\x80\x8a", "\\xc0\\xaf\\xe0\\x80\\x8a"},    /* longer than it has to be */
        {"\xed\xa0\x80\xf5\x80", "\\xed\\xa0\\x80\\xf5\\x80"},    /* a surrogate, a number too large */
        {"\xe2\x82", "\\xe2\\x82"},                               /* half a character */
    };
    char out[128], again[128];
    for (size_t i = 0; i < MI_COUNT(cases); i++) {
        assert_ptr_equal(mica_printable(cases[i][0], out, sizeof out), out);
        assert_string_equal(out, cases[i][1]);
        assert_string_equal(mica_printable(out, again, sizeof again), out);
    }
    assert_string_equal(mica_printable(NULL, out, sizeof out), "");
}

/* Whatever the room, what comes out is zero-terminated UTF-8 and ends with "..." where something is missing. */
static void test_cut(void **state)
{
    (void)state;
    static const char text[] = "aß大🌱\033\xff|";
    static const char *const expected[] = {"", "", "", "...", "a...", "a...", "aß...", "aß...", "aß...", "aß大..."};
    char out[64], guard = 'x';
    for (size_t size = 1; size <= 10; size++) {
        memset(out, guard, sizeof out);
        mica_printable(text, out, size);
        assert_string_equal(out, expected[size - 1]);
        assert_int_equal(out[size], guard);
    }
    assert_string_equal(mica_printable(text, out, 20), "aß大🌱\\x1b\\xff|");
    assert_string_equal(mica_printable(text, out, 19), "aß大🌱\\x1b...");
    memset(out, guard, sizeof out);
    mica_printable(text, out, 0);
    assert_int_equal(out[0], guard);
    char longer[1000];
    memset(longer, 'y', sizeof longer);
    longer[sizeof longer - 1] = 0;
    struct mi_shown shown = mi_show(longer);
    assert_int_equal(strlen(shown.text), sizeof shown.text - 1);
    assert_string_equal(shown.text + strlen(shown.text) - 4, "y...");
}

/* No error has two lines, whoever wrote the words in it. */
static void test_errors(void **state)
{
    (void)state;
    struct mi_error error = {0};
    mi_fail(&error, MICA_DATA, "x.csv: the label \"%s\" is unknown", "a\nmica: all is well\033[2K");
    assert_string_equal(error.text, "x.csv: the label \"a\\nmica: all is well\\x1b[2K\" is unknown");
    char longer[3000];
    memset(longer, 'y', sizeof longer);
    longer[sizeof longer - 1] = 0;
    error = (struct mi_error){0};
    mi_fail(&error, MICA_IO, "%s: no such file", longer);
    assert_int_equal(strlen(error.text), sizeof error.text - 1);
    assert_string_equal(error.text + sizeof error.text - 5, "y...");
}

static const char *const words[] = {
    "dense", "conv1d", "conv2d", "max_pooling2d", "batch_normalization", "embedding", "flatten", "linear", "relu", "elu", "gelu",
    "activation", "kernel_initializer", "kernel_size", "normalize", "learning_rate", "adam", "adagrad", "mse", "csv", "epochs", "label",
    "Alter", NULL};

static void test_slips(void **state)
{
    (void)state;
    static const char *const meant[][2] = {
        {"dens", "dense"}, {"dence", "dense"}, {"Dense", "dense"}, {"conv2D", "conv2d"}, {"con2d", "conv2d"},
        {"rleu", "relu"}, {"rellu", "relu"}, {"RELU", "relu"}, {"cvs", "csv"}, {"batchnormalization", "batch_normalization"},
        {"batch-normalisation", "batch_normalization"}, {"embeding", "embedding"}, {"kernal_size", "kernel_size"},
        {"learning_rat", "learning_rate"}, {"epoch", "epochs"}, {"lable", "label"}, {"alter", "Alter"}, {"ALTRE", "Alter"},
        {"max_poling2d", "max_pooling2d"}, {"normalise", "normalize"}, {"mes", "mse"},
    };
    /* Other words, not slips: proposing something else would be worse than saying nothing. */
    static const char *const others[] = {"gru", "lstm", "attention", "kernel_regularizer", "normalize_labels", "layer_normalization",
                                         "mae", "rmse", "nadam", "prelu", "lr", "x", "", "tsv", "dropout", "conv"};
    for (size_t i = 0; i < MI_COUNT(meant); i++) {
        const char *nearest = mi_nearest(meant[i][0], words);
        if (!nearest != !meant[i][1] || (nearest && strcmp(nearest, meant[i][1])))
            fail_msg("\"%s\": \"%s\", not \"%s\"", meant[i][0], nearest ? nearest : "none", meant[i][1] ? meant[i][1] : "none");
    }
    for (size_t i = 0; i < MI_COUNT(others); i++)
        if (mi_nearest(others[i], words))
            fail_msg("\"%s\" is no slip of \"%s\"", others[i], mi_nearest(others[i], words));
    for (size_t i = 0; words[i]; i++)
        assert_ptr_equal(mi_nearest(words[i], words), words[i]);
    char longer[200];
    memset(longer, 'y', sizeof longer);
    longer[sizeof longer - 1] = 0;
    assert_null(mi_nearest(longer, words));
}

static void test_advice(void **state)
{
    (void)state;
    static const char *const few[] = {"red", "gr\033een", NULL}, *const one[] = {"red", NULL}, *const none[] = {NULL};
    assert_string_equal(mi_advise("rde", few).text, "; did you mean \"red\"?");
    assert_string_equal(mi_advise("blue", few).text, "; there are \"red\", \"gr\\x1been\"");
    assert_string_equal(mi_advise("blue", one).text, "; there is \"red\"");
    assert_string_equal(mi_advise("blue", none).text, "");
    static char names[200][16];
    const char *many[201] = {NULL};
    for (int i = 0; i < 200; i++) {
        snprintf(names[i], sizeof names[i], "column%d", i);
        many[i] = names[i];
    }
    struct mi_advice advice = mi_advise("blue", many);
    assert_int_equal(strncmp(advice.text, "; there are \"column0\", \"column1\", ", 34), 0);
    int last = -1, more = -1;
    assert_int_equal(sscanf(strrchr(advice.text, ','), ", \"column%d\" and %d more", &last, &more), 2);
    assert_int_equal(last + 1 + more, 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_printable), cmocka_unit_test(test_cut),    cmocka_unit_test(test_errors),
        cmocka_unit_test(test_slips),     cmocka_unit_test(test_advice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
