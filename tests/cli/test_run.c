/* Runs: their folder, and what is left of them when they are stopped, killed, or cannot write. */
#if !defined(_XOPEN_SOURCE)
#define _XOPEN_SOURCE 700
#endif
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/program.h"
#include "support/files.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void shell(const char *command)
{
    if (system(command))
        fail_msg("%s", command);
}

static int setup(void **state)
{
    (void)state;
    shell("rm -rf runs && mkdir runs");
    write_text("runs/job.json",
               "{\"model\": {\"layers\": [{\"type\": \"dense\", \"units\": 16, \"activation\": \"relu\"}, {\"type\": \"dropout\", "
               "\"rate\": 0.2}, {\"type\": \"dense\", \"units\": 3}]}, \"data\": {\"format\": \"csv\", \"path\": \"table.csv\", "
               "\"label\": \"kind\", \"normalize\": \"standard\"}, \"loss\": \"sparse_categorical_crossentropy\", "
               "\"metrics\": [\"accuracy\"], \"optimizer\": {\"type\": \"adam\", \"learning_rate\": 0.002}, "
               "\"callbacks\": [{\"type\": \"reduce_lr_on_plateau\", \"patience\": 2}], \"validation_split\": 0.2, "
               "\"batch_size\": 4, \"epochs\": 60, \"seed\": 2}");
    FILE *file = fopen("runs/table.csv", "wb");
    fputs("a,b,kind\n", file);
    for (int i = 0; i < 150; i++)
        fprintf(file, "%d,%g,%s\n", i % 3 + i * 37 % 11, 3 - i % 3 + i * 17 % 7 / 4.0, i % 3 ? i % 3 == 1 ? "green" : "red" : "blue");
    fclose(file);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return system("rm -rf runs");
}

static bool same_files(const char *a, const char *b)
{
    char command[512];
    snprintf(command, sizeof command, "cmp -s %s %s", a, b);
    return system(command) == 0;
}

static void trains(const char *words)
{
    struct run run = mica(words);
    if (run.status)
        fail_msg("mica %s: status %d: %s", words, run.status, run.err);
    run_free(&run);
}

static void folder(void **state)
{
    (void)state;
    trains("train runs/job.json --run runs/whole --set tensorboard=true");
    char *log = slurp("runs/whole/log.csv");
    int lines = 0;
    for (const char *at = log; (at = strchr(at, '\n')) != NULL; at++)
        lines++;
    assert_int_equal(lines, 61);
    assert_memory_equal(log, "epoch,loss,accuracy,val_loss,val_accuracy,learning_rate,seconds\n1,", 65);
    free(log);
    char *text = slurp("runs/whole/run.json");
    cJSON *json = cJSON_Parse(text);
    assert_true(number(cJSON_GetObjectItem(json, "samples"), "train") > 0);
    assert_true(cJSON_IsString(cJSON_GetObjectItem(cJSON_GetObjectItem(json, "device"), "driver")));
    cJSON_Delete(json);
    free(text);
    assert_fails("train runs/job.json --run runs/whole", 1, "runs/whole holds a run already");
    /* What it was is the same job once more, and says so again. */
    trains("train runs/whole/job.json --run runs/again --set callbacks.0.cooldown=0");
    assert_true(same_files("runs/whole/model.safetensors", "runs/again/model.safetensors"));
    shell("sed 's/whole/again/' runs/whole/job.json | cmp -s - runs/again/job.json");
    trains("evaluate runs/whole/best.safetensors --data runs/job.json");
    struct run run = mica("train runs/job.json --run runs/quiet --set epochs=1 --quiet");
    assert_string_equal(run.out, "");
    assert_string_equal(run.err, "");
    run_free(&run);
}

/* Killed at any moment, the run ends with the bits of the one that was not. */
static void killed(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        char behind[512];
        snprintf(behind, sizeof behind, "& until [ $(grep -c ^epoch $err) -ge %d ] || ! kill -0 $!; do sleep 0.01; done 2>/dev/null; "
                 "kill -KILL $! 2>/dev/null; wait $!", 1 + 6 * i);
        struct run run = mica_and("train runs/job.json --run runs/killed "
                                  "$([ -f runs/killed/last.safetensors ] && echo --resume)", behind);
        assert_true(run.status == 137 || run.status == 0); /* it may have been faster */
        run_free(&run);
    }
    trains("train runs/job.json --run runs/killed $([ -f runs/killed/last.safetensors ] && echo --resume)");
    assert_true(same_files("runs/whole/model.safetensors", "runs/killed/model.safetensors"));
    shell("cut -d, -f1-6 runs/whole/log.csv >runs/a; cut -d, -f1-6 runs/killed/log.csv | cmp -s - runs/a");
}

static void interrupted(void **state)
{
    (void)state;
    struct run run = mica_and("train runs/job.json --run runs/stopped --set epochs=100000",
                              "& until grep -qs ^epoch $err || ! kill -0 $!; do sleep 0.02; done; kill -INT $!; wait $!");
    assert_failed("INT", run, 130, "of 100000 epochs, saved ");
    trains("train runs/job.json --run runs/stopped --resume");
    assert_true(same_files("runs/whole/model.safetensors", "runs/stopped/model.safetensors"));
    trains("train runs/job.json --resume-from runs/stopped/last.safetensors --set epochs=61 --out runs/longer.safetensors");
}

/* Where the disk is full one line says so, and what was saved before is there. */
static void full(void **state)
{
    (void)state;
    if (access("/dev/full", W_OK))
        return;
    trains("train runs/job.json --run runs/full --set epochs=2");
    shell("cp runs/full/last.safetensors runs/kept.safetensors && ln -sf /dev/full runs/full/best.safetensors");
    assert_fails("train runs/job.json --run runs/full --resume", 1, "runs/full/best.safetensors: No space left on device");
    assert_true(same_files("runs/full/last.safetensors", "runs/kept.safetensors"));
    shell("rm runs/full/best.safetensors");
    trains("train runs/job.json --run runs/full --resume");
    assert_true(same_files("runs/whole/model.safetensors", "runs/full/model.safetensors"));
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* What the program writes on a terminal; ends when it does. */
static void on_terminal(char *text, size_t most)
{
    char program[1024];
    int terminal = posix_openpt(O_RDWR | O_NOCTTY), status;
    assert_true(terminal >= 0 && !grantpt(terminal) && !unlockpt(terminal));
    snprintf(program, sizeof program, "%s/mica", MICA_BINARY_DIR);
    int other = open(ptsname(terminal), O_RDWR | O_NOCTTY);
    pid_t child = fork();
    if (child == 0) {
        dup2(other, STDERR_FILENO);
        close(terminal);
        execl(program, "mica", "train", "runs/job.json", "--set", "epochs=200", "--set", "log_every=200", "--out",
              "runs/bar.safetensors", (char *)NULL);
        _exit(127);
    }
    close(other);
    size_t size = 0;
    for (ssize_t got; size + 1 < most && (got = read(terminal, text + size, most - size - 1)) > 0;)
        size += (size_t)got;
    text[size] = 0;
    close(terminal);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* A bar that is drawn at most ten times a second, with what is left, the speed, and in time the loss and the metrics so far; no line is
 * longer than the terminal. */
static void bar(void **state)
{
    static char text[1 << 16];
    int bars = 0;
    (void)state;
    double began = seconds();
    on_terminal(text, sizeof text);
    double took = seconds() - began;
    for (char *at = text; (at = strstr(at, "\repoch ")) != NULL; at++) {
        assert_true(strcspn(at + 1, "\r\n\033") < 80);
        bars++;
    }
    assert_true(bars >= 1 && bars <= 10 * took + 2);
    assert_non_null(strstr(text, " left  "));
    assert_non_null(strstr(text, " samples/s"));
    assert_non_null(strstr(text, "\033[Kepoch 200/200  loss "));
}

static void mistakes(void **state)
{
    (void)state;
    assert_fails("train runs/job.json --resume", 2, "--resume goes on with a run");
    assert_fails("train runs/job.json --run runs/none --resume", 1, "none/last.safetensors: No such file or directory");
    assert_fails("train runs/job.json --run runs/table.csv/x", 1, "the folder of the run cannot be made");
    assert_fails("train runs/job.json --run ''", 2, "--run is empty");
    assert_fails("train runs/job.json --resume --resume-from x", 2, "give one of them");
    assert_fails("train runs/job.json --set tensorboard=true", 1, "tensorboard: is written into the folder of a run");
    assert_fails("train runs/job.json --resume-from runs/table.csv", 1, "runs/table.csv: ");
    assert_fails("train runs/job.json --resume-from runs/whole/model.safetensors", 1, "holds no state of a training");
    assert_fails("train runs/job.json --run runs/whole --resume --set optimizer.type=sgd", 1, "was saved with another optimizer");
    assert_fails("train runs/job.json --run runs/whole --resume --set model.layers.0.units=8", 1, "it is the state of another model");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(folder), cmocka_unit_test(killed), cmocka_unit_test(interrupted),
                                       cmocka_unit_test(full), cmocka_unit_test(bar), cmocka_unit_test(mistakes)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
