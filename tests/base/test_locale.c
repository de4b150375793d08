/* Numbers and letters as text, in any locale. tests/locale runs this again where the application's decimal sign is a comma. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/base.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the C library makes of 0.5 by itself, which must be the same before and after. */
static const char *half(void)
{
    static char text[16];
    snprintf(text, sizeof text, "%.1f", 0.5);
    return text;
}

static void test_formatted(void **state)
{
    (void)state;
    char text[64], before[16];
    struct mi_error error = {0};
    struct mi_text grown = {0};
    struct mi_arena arena = {0};
    snprintf(before, sizeof before, "%s", half());
    assert_int_equal(strcmp(before, "0,5") == 0, *localeconv()->decimal_point == ',');
    assert_int_equal(mi_format(text, sizeof text, "%g %.9g %e %s", 0.5, (double)0.1f, 1.5, "1,5"), 32);
    assert_string_equal(text, "0.5 0.100000001 1.500000e+00 1,5");
    mi_text_add(&grown, "%.9gf, %.1f", 1e-3, 2.25);
    assert_string_equal(mi_text_get(&grown), "0.001f, 2.2");
    assert_string_equal(mi_arena_format(&arena, "%g", -0.25), "-0.25");
    mi_fail(&error, MICA_DATA, "%g is not %g", 0.5, 1.5);
    assert_string_equal(error.text, "0.5 is not 1.5");
    assert_string_equal(half(), before);
    mi_text_destroy(&grown);
    mi_arena_destroy(&arena);
}

static void test_read(void **state)
{
    (void)state;
    char *end;
    assert_true(mi_read_double("0.5", &end) == 0.5 && !*end);
    assert_true(mi_read_double("-1.25e3 x", &end) == -1250 && *end == ' ');
    assert_true(mi_read_double("0,5", &end) == 0 && *end == ',');
}

static void test_json(void **state)
{
    (void)state;
    static const char text[] = "{\"rate\":0.1,\"list\":[-2.5e-07,3]}";
    const char *end = NULL;
    cJSON *json = mi_json_read(text, strlen(text), &end);
    assert_non_null(json);
    assert_ptr_equal(end, text + strlen(text));
    assert_true(cJSON_GetObjectItemCaseSensitive(json, "rate")->valuedouble == 0.1);
    char *written = mi_json_write(json, false);
    assert_string_equal(written, text);
    free(written);
    cJSON_Delete(json);
    assert_null(mi_json_read("{\"rate\": 0,1}", 13, &end));
    assert_null(mi_json_read("", 0, NULL));
}

static void test_system_errors(void **state)
{
    (void)state;
    assert_string_equal(mi_system_error(ENOENT), "No such file or directory");
    assert_non_null(strstr(mi_system_error(987654), "987654"));
}

static void test_letters(void **state)
{
    (void)state;
    for (int i = 1; i < 256; i++) {
        char c = (char)i;
        bool digit = strchr("0123456789", c), lower = strchr("abcdefghijklmnopqrstuvwxyz", c);
        bool upper = strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZ", c);
        assert_int_equal(mi_is_digit(c), digit);
        assert_int_equal(mi_is_letter(c), lower || upper);
        assert_int_equal(mi_is_word(c), digit || lower || upper || c == '_');
        assert_int_equal(mi_is_space(c), strchr(" \t\n\v\f\r", c) != NULL);
        assert_int_equal(mi_to_lower(c), upper ? c + 32 : c);
        assert_int_equal(mi_to_upper(c), lower ? c - 32 : c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_formatted),
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_system_errors),
        cmocka_unit_test(test_letters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
