#include "random/verdict.h"

#include "plan/inside.h"
#include "engines/engine.h"
#include "random/reference.h"
#include "support/device.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const int deadly[] = {SIGSEGV, SIGBUS, SIGFPE, SIGABRT, SIGILL};

void devices_open(struct trial *trial)
{
    trial->plain = mica_device_open(NULL);
    trial->debug = mica_device_open(&(mica_device_desc){.debug = true});
    trial->gpu = mica_device_open(&(mica_device_desc){.limits = {.gpu_kernels = true}});
    if (mica_device_status(trial->plain) != MICA_OK)
        fail_msg("no device to test on: %s", mica_device_error(trial->plain));
}

void devices_close(struct trial *trial)
{
    mica_device_destroy(trial->plain);
    mica_device_destroy(trial->debug);
    mica_device_destroy(trial->gpu);
}

/* ---- Running ---- */

static void *to_elements(const struct balls *t)
{
    char *bytes = mi_new((size_t)t->count + 1, mi_types[t->type].bytes);
    assert_non_null(bytes);
    for (int64_t i = 0; i < t->count; i++)
        mi_element_set(t->type, bytes, (size_t)i, t->of[i].at);
    return bytes;
}

static double element(const void *bytes, enum mi_type type, int64_t i)
{
    return mi_element(type, bytes, (size_t)i);
}

struct run {
    struct trial *trial;
    const struct recipe *recipe;
    const struct variant *variant;
    mica_device *device;
    struct mi_store *store;
    struct mica_plan *plan;
    struct verdict *verdict;
};

static void feed_all(struct run *run, const struct reference *r)
{
    for (size_t i = 0; i < r->graph->node_count; i++) {
        const struct mi_node *node = r->graph->nodes[i];
        cl_event done = NULL;
        if (node->op != &mi_op_input)
            continue;
        int input = mi_plan_input(run->plan, node->out[0]->name);
        void *elements = to_elements(&r->host.values[node->out[0]->id]);
        if (input >= 0 && mi_plan_feed(run->plan, input, elements, r->host.step.n, &done) != MICA_OK)
            verdict_add(run->verdict, "%s: input %s: %s", run->variant->name, node->out[0]->name, mica_plan_error(run->plan));
        mi_event_wait(run->device, &done);
        free(elements);
    }
}

static void compare(struct run *run, const char *name, const struct balls *want, const void *bytes, int64_t n)
{
    run->trial->elements += (uint64_t)want->count;
    for (int64_t i = 0; i < want->count; i++) {
        double got = element(bytes, want->type, i);
        if (isinf(want->of[i].radius))
            run->trial->unknown++;
        else if (!ball_holds(want->of[i], got))
            verdict_add(run->verdict, "%s, n %lld: %s[%lld] of %lld is %.9g, expected %.9g +- %.3g", run->variant->name, (long long)n, name,
                (long long)i, (long long)want->count, got, want->of[i].at, want->of[i].radius);
    }
}

/* All outputs one after the other; the caller frees them. */
static char *step_once(struct run *run, const struct reference *r, size_t *size)
{
    char *all = NULL;
    int64_t n = r->host.step.n;
    *size = 0;
    feed_all(run, r);
    if (mi_plan_step(run->plan, &r->host.step) != MICA_OK)
        verdict_add(run->verdict, "%s: step: %s", run->variant->name, mica_plan_error(run->plan));
    for (size_t i = 0; i < r->graph->output_count && !run->verdict->text[0]; i++) {
        const mi_value *y = r->graph->outputs[i];
        const struct balls *want = &r->host.values[y->id];
        size_t bytes = (size_t)want->count * mi_types[want->type].bytes;
        all = realloc(all, *size + bytes + 16);
        assert_non_null(all);
        memset(all + *size, 0, bytes + 16);
        if (mi_plan_fetch(run->plan, mi_plan_output(run->plan, y->name), all + *size, n) != MICA_OK)
            verdict_add(run->verdict, "%s: output %s: %s", run->variant->name, y->name, mica_plan_error(run->plan));
        else
            compare(run, y->name, want, all + *size, n);
        *size += (bytes + 15) / 16 * 16;
    }
    return all;
}

static void run_batch(struct run *run, const struct reference *r)
{
    size_t sizes[2];
    char *first = step_once(run, r, &sizes[0]), *second = run->verdict->text[0] ? NULL : step_once(run, r, &sizes[1]);
    if (!run->verdict->text[0] && first && second)
        for (size_t i = 0; i < sizes[0]; i++)
            if (first[i] != second[i]) {
                verdict_add(run->verdict, "%s, n %lld: two runs differ", run->variant->name, (long long)r->host.step.n);
                break;
            }
    free(first);
    free(second);
}

static void upload_variables(struct run *run, const struct mi_variables *variables, const struct reference *r)
{
    for (size_t i = 0; i < r->graph->node_count; i++) {
        const struct mi_node *node = r->graph->nodes[i];
        if (node->op != &mi_op_variable)
            continue;
        void *elements = to_elements(&r->host.values[node->out[0]->id]);
        if (mi_store_write(run->store, mi_variable_find(variables, node->variable->name), elements) != MICA_OK)
            verdict_add(run->verdict, "%s: variable %s: %s", run->variant->name, node->variable->name, mica_device_error(run->device));
        free(elements);
    }
}

static void run_batches(struct run *run, const struct mi_variables *variables, const struct references *list)
{
    for (int i = 0; i < list->count && !run->verdict->text[0]; i++) {
        if (i == 0)
            upload_variables(run, variables, &list->of[0]);
        run_batch(run, &list->of[i]);
    }
}

static void run_variant(struct run *run, const struct references *list)
{
    struct built built;
    run->device = run->variant->debug ? run->trial->debug : run->variant->gpu ? run->trial->gpu : run->trial->plain;
    mica_device_clear_error(run->device);
    assert_true(recipe_build(run->recipe, true, &built));
    assert_int_equal(mi_store_create(run->device, &built.variables, &run->store), MICA_OK);
    const struct mi_plan_desc desc = {.device = run->device,
                                      .store = run->store,
                                      .graph = built.graph,
                                      .batch = run->recipe->batch,
                                      .engine = run->variant->engine,
                                      .no_fusion = run->variant->no_fusion,
                                      .no_blocked = run->variant->no_blocked,
                                      .exact = run->variant->exact};
    built.graph = NULL;
    mi_plan_create(&desc, &run->plan);
    if (run->trial->gathering) {
        gather_plan(&run->trial->gathering[run->variant->gpu], run->plan);
    } else if (mica_plan_status(run->plan) != MICA_OK) {
        verdict_add(run->verdict, "%s: cannot be compiled: %s", run->variant->name, mica_plan_error(run->plan));
    } else if (plan_uses_winograd(run->plan)) {
        struct references rounder;
        references_create(run->recipe, true, &rounder, run->verdict);
        run_batches(run, &built.variables, &rounder);
        references_destroy(&rounder);
    } else {
        run_batches(run, &built.variables, list);
    }
    mica_plan_destroy(run->plan);
    mi_store_destroy(run->store);
    built_destroy(&built);
}

static bool has_contraction(const struct mi_graph *graph)
{
    for (size_t i = 0; i < graph->node_count; i++)
        if (graph->nodes[i]->op->kind == MI_CONTRACT)
            return true;
    return false;
}

/* CLBlast's kernels compile for seconds on a CPU: only where everything is asked for. */
static bool is_quick(const struct mi_engine *engine)
{
    return engine != &mi_engine_clblast && engine != &mi_engine_im2col && engine != &mi_engine_col2im;
}

/* Each engine, or the one whose turn it is. */
static void run_engines(struct trial *trial, const struct recipe *recipe, const struct references *list, struct verdict *verdict)
{
    int count = 0, number = 0;
    for (const struct mi_engine *const *engine = mi_engines; *engine; engine++)
        count += is_quick(*engine);
    for (const struct mi_engine *const *engine = mi_engines; *engine && !verdict->text[0]; engine++) {
        const struct variant variant = {.name = (*engine)->name, .engine = (*engine)->name};
        struct run run = {.trial = trial, .recipe = recipe, .variant = &variant, .verdict = verdict};
        if (trial->all || (is_quick(*engine) && number++ == (int)(recipe->seed / 2 % (uint64_t)count)))
            run_variant(&run, list);
    }
}

/* The first way and another one, or all. */
static void run_ways(struct trial *trial, const struct recipe *recipe, bool contracts, const struct references *list,
                     struct verdict *verdict)
{
    int other = 1 + (int)(recipe->seed % (uint64_t)(variant_count() - 1));
    bool engine = contracts && recipe->seed % 2;
    for (int v = 0; v < variant_count() && !verdict->text[0]; v++) {
        struct run run = {.trial = trial, .recipe = recipe, .variant = &variants[v], .verdict = verdict};
        if (trial->all || v == 0 || (v == other && !engine))
            run_variant(&run, list);
    }
    if (!verdict->text[0] && (engine || (contracts && trial->all)))
        run_engines(trial, recipe, list, verdict);
}

static void run_all(struct trial *trial, const struct recipe *recipe, struct verdict *verdict)
{
    struct references list;
    references_create(recipe, false, &list, verdict);
    if (!verdict->text[0])
        check_reference(trial, recipe, verdict);
    if (!verdict->text[0])
        run_ways(trial, recipe, list.count > 0 && has_contraction(list.of[0].graph), &list, verdict);
    references_destroy(&list);
}

static void gather_recipe(struct trial *trial, const struct recipe *recipe)
{
    struct verdict verdict = {""};
    struct built built;
    trial->now = recipe;
    if (recipe_build(recipe, true, &built))
        run_ways(trial, recipe, has_contraction(built.graph), NULL, &verdict);
    built_destroy(&built);
    trial->now = NULL;
}

void kernels_build(struct trial *trial, bool (*next)(void *context, uint64_t i, struct recipe *recipe), void *context)
{
    mica_device *const devices[] = {trial->plain, trial->debug, trial->gpu};
    struct mi_compiling told[MI_COUNT(devices)];
    struct gathering gathering[2] = {{0}};
    struct recipe recipe;
    if (trial->apart)
        return;
    trial->gathering = gathering;
    for (size_t d = 0; d < MI_COUNT(devices); d++)
        told[d] = gather_from(devices[d]);
    for (uint64_t i = 0; next(context, i, &recipe); i++) {
        if (recipe.count > 0)
            gather_recipe(trial, &recipe);
        recipe_destroy(&recipe);
    }
    for (size_t d = 0; d < MI_COUNT(devices); d++)
        gather_build(&gathering[devices[d] == trial->gpu], devices[d], told[d]);
    gather_end(&gathering[0]);
    gather_end(&gathering[1]);
    trial->gathering = NULL;
}

/* The child's verdict comes through a pipe. */
static void run_apart(const struct trial *trial, const struct recipe *recipe, struct verdict *verdict)
{
    int ends[2], status = 0;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct trial own = *trial;
        for (int s = 0; s < (int)MI_COUNT(deadly); s++)
            signal(deadly[s], SIG_DFL);
        alarm(120);
        devices_open(&own);
        run_all(&own, recipe, verdict);
        _exit(write(ends[1], verdict, sizeof *verdict) != (ssize_t)sizeof *verdict);
    }
    close(ends[1]);
    bool said = read(ends[0], verdict, sizeof *verdict) == (ssize_t)sizeof *verdict;
    close(ends[0]);
    waitpid(child, &status, 0);
    if (!said) {
        verdict->text[0] = 0;
        verdict_add(verdict, WIFSIGNALED(status) ? "ended by signal %d" : "ended with status %d",
            WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    }
}

void verdict_of(struct trial *trial, const struct recipe *recipe, struct verdict *verdict)
{
    trial->now = recipe;
    verdict->text[0] = 0;
    if (trial->apart)
        run_apart(trial, recipe, verdict);
    else
        run_all(trial, recipe, verdict);
    trial->graphs++;
    trial->now = NULL;
}
