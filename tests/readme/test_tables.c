/* README.md names every layer, activation, loss and initializer, and no operator that does not exist. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nn/layer.h"
#include "nn/loss/loss.h"
#include "ops/ops.h"
#include "train/callback/callback.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* Whether the word stands in the text, and not as a part of another. */
static bool names(const char *text, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = strstr(text, word); at; at = strstr(at + 1, word))
        if ((at == text || !is_word(at[-1])) && !is_word(at[length]))
            return true;
    return false;
}

static int read_readme(void **state)
{
    struct mi_error error = {0};
    unsigned char *bytes;
    size_t size;
    if (mi_file_read(&error, MICA_SOURCE_DIR "/README.md", 1 << 20, &bytes, &size))
        return 1;
    *state = bytes;
    return 0;
}

static int free_readme(void **state)
{
    free(*state);
    return 0;
}

static void test_layers(void **state)
{
    for (const struct mi_layer_type *const *type = mi_layer_types; *type; type++)
        if (!names(*state, (*type)->type))
            fail_msg("README.md does not name the layer %s", (*type)->type);
}

static void test_activations(void **state)
{
    const char *all[64];
    mi_activation_names(all, MI_COUNT(all));
    for (size_t i = 0; all[i]; i++)
        if (!names(*state, all[i]))
            fail_msg("README.md does not name the activation %s", all[i]);
}

/* Rows that are parts of others have no place in the table, but what stands there must exist. */
static void test_operators(void **state)
{
    const char *at = strstr(*state, "| kind | operators |"), *end = at ? strstr(at, "\n\n") : NULL;
    int count = 0;
    assert_true(end);
    while (at < end) {
        char name[64] = "";
        size_t length = 0;
        while (is_word(at[length]) && length + 1 < sizeof name) {
            name[length] = at[length];
            length++;
        }
        if (isupper((unsigned char)name[0])) {
            count++;
            if (!mi_op_find(mi_ops, name))
                fail_msg("README.md names the operator %s, which does not exist", name);
        }
        at += length ? length : 1;
    }
    assert_true(count > 50);
#define NAME(id, defaults, expression, derivative) #id,
    static const char *const activations[] = {MI_ACTIVATIONS(NAME)};
    for (size_t i = 0; i < MI_COUNT(activations); i++)
        if (!names(*state, activations[i]))
            fail_msg("README.md does not name the operator %s", activations[i]);
}

static void test_losses_and_initializers(void **state)
{
    for (const char *const *name = mi_loss_names; *name; name++)
        if (!names(*state, *name))
            fail_msg("README.md does not name the loss %s", *name);
    for (const char *const *name = mi_initializer_names; *name; name++)
        if (!names(*state, *name))
            fail_msg("README.md does not name the initializer %s", *name);
}

/* Callbacks and their keys stand in docs/jobs.md as well. */
static void test_callbacks(void **state)
{
    struct mi_error error = {0};
    unsigned char *bytes = NULL;
    size_t size = 0;
    assert_int_equal(mi_file_read(&error, MICA_SOURCE_DIR "/docs/jobs.md", 1 << 20, &bytes, &size), MICA_OK);
    for (const struct mi_callback_row *const *row = mi_callback_rows; *row; row++) {
        if (!names(*state, (*row)->name) || !names((char *)bytes, (*row)->name))
            fail_msg("README.md or docs/jobs.md does not name the callback %s", (*row)->name);
        for (const struct mi_number *number = (*row)->numbers; number->name; number++)
            if (!names((char *)bytes, number->name))
                fail_msg("docs/jobs.md does not name the key %s of %s", number->name, (*row)->name);
    }
    free(bytes);
}

/* docs/jobs.md names every operator that a caller may, and its attributes. */
static void test_callers(void **state)
{
    struct mi_error error = {0};
    unsigned char *bytes = NULL;
    size_t size = 0;
    (void)state;
    assert_int_equal(mi_file_read(&error, MICA_SOURCE_DIR "/docs/jobs.md", 1 << 20, &bytes, &size), MICA_OK);
    for (const struct mi_caller_op *of = mi_caller_ops; of->op; of++) {
        if (!names((char *)bytes, of->op->name))
            fail_msg("docs/jobs.md does not name the operator %s", of->op->name);
        for (const char *at = of->takes; *at; at += strcspn(at, " "), at += strspn(at, " ")) {
            char attribute[40];
            mi_format(attribute, sizeof attribute, "`%.*s`", (int)strcspn(at, ":"), at);
            if (!strstr((char *)bytes, attribute))
                fail_msg("docs/jobs.md does not name the attribute %s of %s", attribute, of->op->name);
        }
    }
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layers),
        cmocka_unit_test(test_activations),
        cmocka_unit_test(test_operators),
        cmocka_unit_test(test_losses_and_initializers),
        cmocka_unit_test(test_callbacks),
        cmocka_unit_test(test_callers),
    };
    return cmocka_run_group_tests_name("tables", tests, read_readme, free_readme);
}
