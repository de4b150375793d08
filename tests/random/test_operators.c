/* Random graphs of operators, each run in several ways and compared with a reference on the host.
 *
 *   test_random_operators [--count N] [--seed S] [--seconds T] [--all] [--apart]
 *
 * Graph number i has the seed S + i. One that fails is made small and printed. --all runs each in every way, --apart each in a
 * process of its own, so that those that crash are made small too. */
#include "random/draw.h"
#include "random/verdict.h"
#include "support/device.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct {
    uint64_t seed, count;
    double seconds;
    bool all, apart;
} asked = {.seed = 1, .count = 150};

static bool is_small(void)
{
    const char *small = getenv("MICA_TEST_SMALL");
    return small && strcmp(small, "0") != 0;
}

static void report(struct trial *trial, struct recipe *recipe, struct verdict *verdict)
{
    struct mi_text text = {0};
    struct verdict first = *verdict;
    recipe_shrink(trial, recipe, verdict);
    recipe_print(recipe, &text);
    print_error("graph %llu: %s\nmade small: %s\n%s", (unsigned long long)recipe->seed, first.text, verdict->text,
                mi_text_get(&text));
    mi_text_destroy(&text);
}

static struct trial trial;

/* The process is lost; what it ran is not. */
static void crashed(int number)
{
    signal(number, SIG_DFL);
    if (trial.now) {
        struct mi_text text = {0};
        recipe_print(trial.now, &text);
        print_error("graph %llu: crashed; --apart makes it small\n%s", (unsigned long long)trial.now->seed, mi_text_get(&text));
    }
    raise(number);
}

static void test_graphs(void **state)
{
    (void)state;
    double begin = mi_seconds();
    uint64_t failed = 0;
    trial = (struct trial){.all = asked.all, .apart = asked.apart};
    signal(SIGSEGV, crashed);
    if (!trial.apart)
        devices_open(&trial);
    for (uint64_t i = 0; asked.seconds > 0 ? mi_seconds() - begin < asked.seconds : i < asked.count; i++) {
        struct recipe recipe;
        struct verdict verdict = {""};
        recipe_draw(&recipe, asked.seed + i, is_small());
        if (recipe.count > 0)
            verdict_of(&trial, &recipe, &verdict);
        if (verdict.text[0]) {
            report(&trial, &recipe, &verdict);
            failed++;
        }
        recipe_destroy(&recipe);
    }
    print_message("%llu graphs, %llu failed; %llu elements compared, of %llu nothing is known; %llu slopes, %llu bent; %.0f s\n",
                  (unsigned long long)trial.graphs, (unsigned long long)failed, (unsigned long long)trial.elements,
                  (unsigned long long)trial.unknown, (unsigned long long)trial.slopes, (unsigned long long)trial.bent,
                  mi_seconds() - begin);
    devices_close(&trial);
    if (failed)
        fail_msg("%llu graphs failed", (unsigned long long)failed);
}

static bool read_arguments(int count, char **arguments)
{
    for (int i = 1; i < count; i++) {
        const char *value = i + 1 < count ? arguments[i + 1] : NULL;
        bool all = strcmp(arguments[i], "--all") == 0, apart = strcmp(arguments[i], "--apart") == 0;
        asked.all = asked.all || all;
        asked.apart = asked.apart || apart;
        if (all || apart)
            continue;
        if (!value)
            return false;
        if (strcmp(arguments[i], "--seed") == 0)
            asked.seed = strtoull(value, NULL, 10);
        else if (strcmp(arguments[i], "--count") == 0)
            asked.count = strtoull(value, NULL, 10);
        else if (strcmp(arguments[i], "--seconds") == 0)
            asked.seconds = strtod(value, NULL);
        else
            return false;
        i++;
    }
    return true;
}

int main(int count, char **arguments)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_graphs)};
    if (is_small())
        asked.count = 20;
    if (!read_arguments(count, arguments)) {
        fprintf(stderr, "usage: %s [--all] [--count N] [--seed S] [--seconds T]\n", arguments[0]);
        return 2;
    }
    return cmocka_run_group_tests_name("operators", tests, NULL, NULL);
}
