/* Random graphs of operators, each run in several ways and compared with a reference on the host.
 *
 *   test_random_operators [--count N] [--seed S] [--seconds T] [--all] [--apart]
 *
 * Graph number i has the seed S + i. One that fails is made small and printed. --all runs each in every way, --apart each in a
 * process of its own, so that those that crash are made small too. */
#include "random/asked.h"
#include "random/draw.h"
#include "random/verdict.h"
#include "support/device.h"

#include <signal.h>

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

static bool draw_next(void *context, uint64_t i, struct recipe *recipe)
{
    const struct asked *asked = context;
    if (i >= asked->count)
        return false;
    recipe_draw(recipe, asked->seed + i, asked->small);
    return true;
}

static void test_graphs(void **state)
{
    struct asked *asked = *state;
    double begin = mi_seconds();
    uint64_t failed = 0;
    trial = (struct trial){.all = asked->all, .apart = asked->apart};
    signal(SIGSEGV, crashed);
    if (!trial.apart)
        devices_open(&trial);
    if (!(asked->seconds > 0))
        kernels_build(&trial, draw_next, asked);
    for (uint64_t i = 0; asked_goes_on(asked, i, begin); i++) {
        struct recipe recipe;
        struct verdict verdict = {""};
        recipe_draw(&recipe, asked->seed + i, asked->small);
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

int main(int count, char **arguments)
{
    static struct asked asked;
    const struct CMUnitTest tests[] = {cmocka_unit_test_prestate(test_graphs, &asked)};
    if (!asked_read(&asked, 80, count, arguments))
        return 2;
    return cmocka_run_group_tests_name("operators", tests, NULL, NULL);
}
