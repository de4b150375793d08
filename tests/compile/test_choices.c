/* Choices of engines: their text, good and bad; a search with a small budget; what a model recorded is taken again. */
#if !defined(_POSIX_C_SOURCE)
#define _POSIX_C_SOURCE 200809L
#endif
#include "tune/tune.h"
#include "nn/model.h"
#include "support/network.h"

#include <mica/layers.h>
#include <mica/tune.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Text ---- */

static char *head_of(mica_device *device)
{
    struct mi_text text = {0};
    struct mi_choices none = {0};
    mi_choices_write(&none, device, &text);
    char *copy = mi_strdup(mi_text_get(&text));
    mi_text_destroy(&text);
    return copy;
}

static mica_status read_text(mica_device *device, const char *head, const char *lines, struct mi_choices *out, struct mi_error *error)
{
    struct mi_text text = {0};
    *error = (struct mi_error){0};
    mi_text_add(&text, "%s%s", head, lines);
    mica_status status = mi_choices_read(out, error, device, "t", mi_text_get(&text));
    mi_text_destroy(&text);
    return status;
}

static void test_text_again(void **state)
{
    mica_device *device = *state;
    struct mi_choices choices = {0}, read = {0};
    struct mi_error error = {0};
    struct mi_text text = {0}, again = {0};
    struct mi_choice gemm = {&mi_engine_gemm, {{1, -2, 3, 0, 0, 0, 0, 999999999}}}, nest = {&mi_engine_nest, {{0}}};
    assert_true(mi_choices_set(&choices, "b;2", &gemm, 12.4));
    assert_true(mi_choices_set(&choices, "a;1", &nest, -1));
    assert_true(mi_choices_set(&choices, "c;3", &nest, 0));
    mi_choices_write(&choices, device, &text);
    assert_int_equal(mi_choices_read(&read, &error, device, "t", mi_text_get(&text)), MICA_OK);
    assert_int_equal(read.count, 3);
    const struct mi_known_choice *known = mi_choices_find(&read, "b;2");
    assert_non_null(known);
    assert_ptr_equal(known->choice.engine, &mi_engine_gemm);
    assert_memory_equal(&known->choice.variant, &gemm.variant, sizeof gemm.variant);
    assert_null(mi_choices_find(&read, "b"));
    mi_choices_write(&read, device, &again);
    assert_string_equal(mi_text_get(&text), mi_text_get(&again));
    mi_text_destroy(&text);
    mi_text_destroy(&again);
    mi_choices_destroy(&choices);
    mi_choices_destroy(&read);
}

static void test_bad_text(void **state)
{
    mica_device *device = *state;
    static const struct { const char *lines, *part;
    } rows[] = {
        {"a;1\n", "line 3: there is no engine"},
        {"a;1 no_engine 0 0 0 0 0 0 0 0 -\n", "line 3: there is no engine"},
        {"a;1 gemm 0 0 0 0 0 0 0 0 -\n", "line 3"},
        {"a;1 gemm 0 0 0 0 0 0 0 0 x -\n", "line 3: a variant's number"},
        {"a;1 gemm 0 0 0 0 0 0 0 0 99999999999 -\n", "line 3: a variant's number"},
        {"a;1 gemm 0 0 0 0 0 0 0 0 0\n", "line 3: the time"},
        {"a;1 gemm 0 0 0 0 0 0 0 0 0 -5\n", "line 3: the time"},
        {"a;1 gemm 0 0 0 0 0 0 0 0 0 - more\n", "line 3: something follows"},
        {"a;1 gemm 0 0 0 0 0 0 0 0 0 -\n\nb;1 gemm 0 0 0 0 0 0 0 0 0 1.5\n", "line 5: the time"},
        {" \n", "line 3: a problem"},
        {"clblast\n", "line 3: CLBlast has no kernel"},
        {"clblast Xaxpy VW=1\n", "line 3: CLBlast has no kernel"},
        {"clblast GemmRoutine\n", "line 3: a parameter of CLBlast"},
        {"clblast GemmRoutine XGEMM_MIN_INDIRECT_SIZE=\n", "line 3: a parameter of CLBlast"},
        {"clblast GemmRoutine XGEMM_MIN_INDIRECT=64\n", "line 3: a parameter of CLBlast"},
        {"clblast GemmRoutine XGEMM_MIN_INDIRECT_SIZE=64 more\n", "line 3: something follows"},
        {"clblast GemmRoutine XGEMM_MIN_INDIRECT_SIZE=0\n", "line 3: the device cannot"},
        {"clblast XgemmDirect KWID=2 MDIMAD=8 MDIMCD=8 NDIMBD=8 NDIMCD=8 PADA=1 PADB=1 VWMD=3 VWND=1 WGD=24\n",
         "line 3: the device cannot"},
    };
    char *head = head_of(device);
    struct mi_choices choices = {0};
    struct mi_error error;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(read_text(device, head, rows[i].lines, &choices, &error), MICA_FORMAT);
        if (!strstr(error.text, rows[i].part))
            fail_msg("\"%s\" lacks \"%s\"", error.text, rows[i].part);
        assert_int_equal(choices.count, 0);
    }
    assert_int_equal(read_text(device, "", "", &choices, &error), MICA_FORMAT);
    assert_int_equal(read_text(device, "mica choices 2\n", "", &choices, &error), MICA_FORMAT);
    assert_int_equal(read_text(device, "mica choices 1\ndevice other\n", "", &choices, &error), MICA_UNSUPPORTED);
    assert_non_null(strstr(error.text, "device other"));
    assert_int_equal(read_text(device, head, "\r\na;1 nest 0 0 0 0 0 0 0 0 0 7\r\n", &choices, &error), MICA_OK);
    assert_int_equal(choices.count, 1);
    mi_choices_destroy(&choices);
    free(head);
}

/* CLBlast's parameters that are worth a try fit the device, are taken, and are the same when they are read again. */
static void test_clblast(void **state)
{
    mica_device *device = *state;
    struct mi_choices choices = {0}, read = {0};
    struct mi_error error = {0};
    struct mi_text text = {0};
    struct mi_clblast_values list[16];
    for (int k = 0; k < MI_CLBLAST_THRESHOLD; k++) {
        int count = mi_clblast_candidates(device, k, list, 16);
        assert_in_range(count, 1, 16);
        for (int i = 0; i < count; i++) {
            assert_true(mi_clblast_fits(device, k, &list[i]));
            for (int j = 0; j < i; j++)
                assert_memory_not_equal(&list[i], &list[j], sizeof list[i]);
        }
        assert_int_equal(mi_clblast_set(device, k, &list[0]), mi_clblast_ready(device));
        choices.clblast[k].known = true;
        choices.clblast[k].values = list[count - 1];
        list[0].number[0] = -1;
        assert_false(mi_clblast_set(device, k, &list[0]));
    }
    choices.clblast[MI_CLBLAST_THRESHOLD].known = true;
    choices.clblast[MI_CLBLAST_THRESHOLD].values.number[0] = 384;
    mi_choices_write(&choices, device, &text);
    assert_int_equal(mi_choices_read(&read, &error, device, "t", mi_text_get(&text)), MICA_OK);
    for (int k = 0; k < MI_CLBLAST_KERNELS; k++) {
        assert_true(read.clblast[k].known);
        assert_memory_equal(&read.clblast[k].values, &choices.clblast[k].values, sizeof read.clblast[k].values);
    }
    mi_text_destroy(&text);
}

/* ---- Searching ---- */

static mica_model *small_model(mica_device *device)
{
    mica_model *model = mica_model_create(device, &(mica_model_desc){.seed = 1});
    mica_node *x = mica_dense(mica_input(model, NULL, MICA_SHAPE(24)), &(mica_dense_desc){.units = 40, .activation = "relu"});
    mica_output(model, NULL, mica_dense(x, &(mica_dense_desc){.units = 8}));
    assert_int_equal(mica_model_status(model), MICA_OK);
    return model;
}

static char *run(mica_model *model)
{
    float x[3 * 24], *y = calloc(3 * 8, sizeof *y);
    for (int i = 0; i < 3 * 24; i++)
        x[i] = (float)(i % 11) / 7 - 0.5f;
    mica_plan *plan = mica_compile(model, &(mica_plan_desc){.batch = 3});
    assert_int_equal(mica_plan_status(plan), MICA_OK);
    assert_int_equal(mica_plan_write(plan, NULL, x, 3 * 24), MICA_OK);
    assert_int_equal(mica_plan_run(plan, 3), MICA_OK);
    assert_int_equal(mica_plan_read(plan, NULL, y, 3 * 8), MICA_OK);
    mica_plan_destroy(plan);
    return (char *)y;
}

static mica_device *open_with(const char *folder, mica_tuning tuning)
{
    setenv("MICA_CACHE_DIR", folder, 1);
    mica_device *device = mica_device_open(&(mica_device_desc){.tuning = tuning});
    assert_int_equal(mica_device_status(device), MICA_OK);
    return device;
}

static char *read_all(const char *path, size_t *size)
{
    struct mi_error error = {0};
    unsigned char *bytes = NULL;
    assert_int_equal(mi_file_read(&error, path, 1 << 20, &bytes, size), MICA_OK);
    return (char *)bytes;
}

/* A search finds something for each problem and keeps it; the next one has nothing left to time; a file that is damaged is
 * ignored with a note. */
static void test_search(void **state)
{
    char folder[] = "/tmp/mica-tuning-XXXXXX", path[512];
    mica_tune_result result;
    size_t size;
    (void)state;
    assert_non_null(mkdtemp(folder));
    mica_device *device = open_with(folder, MICA_TUNING_OFF);
    mica_model *model = small_model(device);
    char *before = run(model);
    assert_int_equal(mica_tune(model, &(mica_tune_desc){.batch = 3, .seconds = 1e-9}, &result), MICA_OK);
    assert_int_equal(result.tried, 0); /* no time at all */
    assert_int_equal(mica_tune(model, &(mica_tune_desc){.batch = 3, .seconds = 3}, &result), MICA_OK);
    assert_true(result.tried >= 1);
    assert_string_equal(result.note, "");
    snprintf(path, sizeof path, "%s", result.path);
    char *text = read_all(path, &size);
    assert_non_null(strstr(text, "mica choices 1\ndevice "));
    struct mi_tuner *tuner = mi_tuner_of(device);
    assert_int_equal(tuner->level, MICA_TUNING_OFF); /* as it was */
    assert_int_equal(tuner->table.count, 2);
    float *x = (float *)(void *)before, *y = (float *)(void *)run(model);
    for (int i = 0; i < 3 * 8; i++)
        assert_true(x[i] - y[i] < 1e-4f && y[i] - x[i] < 1e-4f);
    free(y);
    free(before);
    free(text);
    mica_model_destroy(model);
    mica_device_destroy(device);

    device = open_with(folder, MICA_TUNING_QUICK);
    model = small_model(device);
    free(run(model));
    assert_int_equal(mi_tuner_of(device)->tried, 0); /* both problems are in the file */
    mica_model_destroy(model);
    mica_device_destroy(device);

    FILE *file = fopen(path, "ab");
    fputs("b1;1 nobody 0\n", file);
    fclose(file);
    device = open_with(folder, MICA_TUNING_QUICK);
    tuner = mi_tuner_of(device);
    assert_int_equal(tuner->table.count, 0);
    assert_int_equal(tuner->note.status, MICA_FORMAT);
    assert_int_equal(mica_device_status(device), MICA_OK);
    mica_device_destroy(device);
    remove(path);
}

static int files_in(const char *folder, bool remove_them)
{
    char path[600];
    int count = 0;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL; count += *entry->d_name != '.') {
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (remove_them && *entry->d_name != '.')
            remove(path);
    }
    closedir(dir);
    return count;
}

/* A start that searched leaves the programs that the next one asks for. */
static void test_second_start(void **state)
{
    char folder[] = "/tmp/mica-tuning-XXXXXX", programs[64], tuning[64];
    int files[2];
    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(programs, sizeof programs, "%s/programs", folder);
    snprintf(tuning, sizeof tuning, "%s/tuning", folder);
    setenv("MICA_PROGRAM_CACHE", "on", 1);
    for (int start = 0; start < 2; start++) {
        mica_device *device = open_with(folder, MICA_TUNING_QUICK);
        mica_model *model = small_model(device);
        free(run(model));
        assert_true(start ? mi_tuner_of(device)->tried == 0 : mi_tuner_of(device)->tried > 0);
        mica_model_destroy(model);
        mica_device_destroy(device);
        files[start] = files_in(programs, start == 1);
    }
    unsetenv("MICA_PROGRAM_CACHE");
    assert_true(files[0] > 0);
    assert_int_equal(files[0], files[1]);
    files_in(tuning, true);
    remove(programs);
    remove(tuning);
    remove(folder);
}

/* A search is ended between candidates and within one, at any kernel that it builds; then nothing is kept of what it had not
 * come to, and the next start searches again. */
static bool stop_after(void *user, const mica_compile_progress *now)
{
    int *calls = user;
    assert_true(now->done >= 0 && now->done <= now->total);
    return --*calls > 0;
}

static void test_ended(void **state)
{
    char folder[] = "/tmp/mica-tuning-XXXXXX", tuning[64];
    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(tuning, sizeof tuning, "%s/tuning", folder);
    for (int stop = 1; stop <= 7; stop += 2) {
        int calls = stop;
        mica_device *device = open_with(folder, MICA_TUNING_QUICK);
        mica_model *model = small_model(device);
        mica_device_on_compile(device, stop_after, &calls);
        mica_plan *plan = mica_compile(model, NULL);
        assert_int_equal(mica_plan_status(plan), MICA_CANCELLED);
        assert_true(mi_tuner_of(device)->tried <= stop);
        assert_int_equal(calls, 0); /* nobody is asked again */
        assert_int_equal(mica_device_status(device), MICA_OK);
        mica_plan_destroy(plan);
        mica_device_on_compile(device, NULL, NULL);
        plan = mica_compile(model, NULL);
        assert_int_equal(mica_plan_status(plan), MICA_OK);
        assert_true(mi_tuner_of(device)->tried > 0);
        mica_plan_destroy(plan);
        mica_model_destroy(model);
        mica_device_destroy(device);
        files_in(tuning, true);
    }
    remove(tuning);
    remove(folder);
}

/* ---- Recording ---- */

/* A model that ran with one engine runs with it again after it was saved and loaded, whatever the rules prefer. */
static void test_recorded(void **state)
{
    mica_device *device = *state;
    mica_model *model = small_model(device);
    char path[] = "/tmp/mica-choices-XXXXXX";
    struct mi_choice nest = {&mi_engine_nest, {{0}}};
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    free(run(model));
    assert_int_equal(model->choices.count, 2);
    for (size_t i = 0; i < model->choices.count; i++)
        model->choices.list[i].choice = nest;
    char *first = run(model);
    assert_int_equal(mica_model_save(model, path), MICA_OK);
    mica_model_destroy(model);
    model = mica_model_load(device, path);
    assert_int_equal(mica_model_status(model), MICA_OK);
    assert_int_equal(model->choices.count, 2);
    char *again = run(model);
    assert_ptr_equal(model->choices.list[0].choice.engine, &mi_engine_nest);
    assert_memory_equal(first, again, 3 * 8 * sizeof(float));
    free(first);
    free(again);
    mica_model_destroy(model);
    remove(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_again), cmocka_unit_test(test_bad_text),     cmocka_unit_test(test_recorded),
        cmocka_unit_test(test_search),     cmocka_unit_test(test_second_start), cmocka_unit_test(test_clblast),
        cmocka_unit_test(test_ended),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
