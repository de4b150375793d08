/* The search for the fastest engine of each contraction. A candidate is an engine and one of its variants. Each is compiled alone,
 * checked against sums in double, and timed in a filled queue. */
#include "tune/tune.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Problems ---- */

static const double clear_gain = 0.95; /* of the first guess's time: less is noise */

struct wanted {
    struct mi_problem problem;
    const char *key;
    const struct mi_engine *guess;
    double cost;                 /* of all its nodes */
};

struct search {
    struct mica_plan *plan;
    struct mi_tuner *tuner;
    struct mi_arena arena;       /* keys */
    struct wanted *list;         /* dearest first */
    size_t count;
    double began, longest;       /* when; what the slowest candidate took, its compiling included */
    int left;                    /* candidates that may still be compiled */
};

static bool is_known(const struct search *search, const char *key)
{
    const struct mi_known_choice *known = mi_choices_find(&search->tuner->table, key);
    if (search->plan->desc.choices && mi_choices_find(search->plan->desc.choices, key))
        return true;
    return known && (known->microseconds >= 0 || search->tuner->level == MICA_TUNING_QUICK);
}

static int dearest_first(const void *x, const void *y)
{
    const struct wanted *a = x, *b = y;
    return a->cost > b->cost ? -1 : a->cost < b->cost ? 1 : strcmp(a->key, b->key);
}

/* Filling its operands takes as long as a quick search may. */
static bool is_large(const struct mi_problem *problem)
{
    enum { MOST_ELEMENTS = 1 << 26 };
    const mi_value *const values[] = {problem->c.a.value, problem->c.b.value, problem->c.out.value};
    for (size_t i = 0; i < MI_COUNT(values); i++) {
        int64_t count = mi_shape_count(&values[i]->shape, problem->batch);
        if (count < 0 || count > MOST_ELEMENTS)
            return true;
    }
    return false;
}

static mica_status find_problems(struct search *search)
{
    const struct mi_graph *graph = search->plan->graph;
    search->list = mi_new(graph->node_count, sizeof *search->list);
    if (!search->list)
        return mi_out_of_memory(&search->plan->error);
    for (size_t i = 0; i < graph->node_count; i++) {
        struct wanted wanted = {0};
        size_t same = 0;
        if (graph->nodes[i]->op->kind != MI_CONTRACT || search->plan->inside[i])
            continue;
        MI_TRY(mi_read_problem(search->plan, graph->nodes[i], &wanted.problem));
        if (wanted.problem.by_rows) /* no launch of its own, whose time would say what it costs */
            continue;
        wanted.key = mi_problem_key(&search->arena, &wanted.problem);
        if (search->arena.failed)
            return mi_out_of_memory(&search->plan->error);
        if (is_known(search, wanted.key) || (search->tuner->level == MICA_TUNING_QUICK && is_large(&wanted.problem)))
            continue;
        wanted.guess = mi_cheapest(search->plan, &wanted.problem);
        wanted.cost = wanted.guess->cost(&wanted.problem);
        while (same < search->count && strcmp(search->list[same].key, wanted.key) != 0)
            same++;
        if (same < search->count)
            search->list[same].cost += wanted.cost;
        else
            search->list[search->count++] = wanted;
    }
    if (search->count)
        qsort(search->list, search->count, sizeof *search->list, dearest_first);
    return MICA_OK;
}

/* ---- Candidates ---- */

struct candidate {
    const struct mi_engine *engine;
    int variant;
    struct mi_variant numbers;
    double order;                /* the guess first, then engines by cost, then their variants */
};

enum { MOST_CANDIDATES = 256 };

static int by_order(const void *x, const void *y)
{
    const struct candidate *a = x, *b = y;
    return a->order < b->order ? -1 : a->order > b->order;
}

/* What a library compiles by itself nobody can end, and on a CPU it takes minutes: a quick search tries only what the rules
 * take. */
static bool is_too_slow(const struct search *search, const struct wanted *wanted, const struct mi_engine *engine)
{
    return engine->calls && engine != wanted->guess && search->plan->device->is_cpu &&
           search->tuner->level == MICA_TUNING_QUICK;
}

/* What is worth a try: engines whose cost is within ten times that of the guess, each variant later than the one before. */
static int find_candidates(const struct search *search, const struct wanted *wanted, struct candidate *list)
{
    int count = 0;
    double guess = wanted->guess->cost(&wanted->problem);
    for (const struct mi_engine *const *engine = mi_engines; *engine; engine++) {
        struct mi_variant variant[MI_MOST_VARIANTS] = {{{0}}};
        if (is_too_slow(search, wanted, *engine) || !(*engine)->supports(&wanted->problem))
            continue;
        double cost = (*engine)->cost(&wanted->problem);
        int variants = (*engine)->variants ? (*engine)->variants(&wanted->problem, variant, MI_MOST_VARIANTS) : 1;
        for (int v = 0; v < variants && count < MOST_CANDIDATES && (*engine == wanted->guess || cost < 10 * guess); v++)
            list[count++] = (struct candidate){*engine, v, variant[v],
                                               *engine == wanted->guess ? v : v + 0.5 + cost / (100 * guess + cost)};
    }
    qsort(list, (size_t)count, sizeof *list, by_order);
    return count;
}

static bool may_go_on(const struct search *search)
{
    double elapsed = mi_seconds() - search->began, seconds = search->tuner->seconds;
    return search->left > 0 && elapsed < seconds && elapsed + search->longest < 1.5 * seconds;
}

/* Times one candidate; what goes wrong in it is forgotten, save a cancellation and the lack of memory. */
static mica_status try_candidate(struct search *search, struct mi_trial *trial, const struct candidate *candidate,
                                 double *seconds)
{
    mica_device *device = search->plan->device;
    double began = mi_seconds();
    device->compiling.trial = true;
    mica_status status = mi_trial_time(trial, candidate->engine, candidate->variant, seconds);
    device->compiling.trial = false;
    double took = mi_seconds() - began;
    search->longest = took > search->longest ? took : search->longest;
    search->left--;
    search->tuner->tried++;
    if (status == MICA_OUT_OF_MEMORY || status == MICA_CANCELLED)
        return status;
    if (status != MICA_OK) {
        mi_device_forget(device);
        *seconds = (double)INFINITY;
    }
    return mi_compiling_add(device, 1);
}

static mica_status search_problem(struct search *search, const struct wanted *wanted)
{
    struct candidate *list = mi_new(MOST_CANDIDATES, sizeof *list);
    struct mi_trial trial = {0};
    struct mi_choice best = {0};
    double least = (double)INFINITY, seconds;
    if (!list)
        return mi_out_of_memory(&search->plan->device->error);
    int count = find_candidates(search, wanted, list), most = search->tuner->candidates_each;
    bool first_won = true;
    mica_status status = count > 1 ? mi_trial_begin(&trial, &wanted->problem) : MICA_UNSUPPORTED;
    for (int i = 0; i < count && i < most && status == MICA_OK && may_go_on(search); i++) {
        status = try_candidate(search, &trial, &list[i], &seconds);
        if (status == MICA_OK && seconds < (i ? clear_gain : 1) * least) {
            least = seconds;
            best = (struct mi_choice){list[i].engine, list[i].numbers};
            first_won = i == 0;
        }
    }
    mi_trial_end(&trial);
    free(list);
    if (status != MICA_OK && status != MICA_CANCELLED && status != MICA_OUT_OF_MEMORY) {
        mi_device_forget(search->plan->device);
        status = MICA_OK; /* the reference itself could not be had */
    }
    if (status == MICA_OK && best.engine) {
        search->tuner->changed += !first_won;
        if (!mi_choices_set(&search->tuner->table, wanted->key, &best, least * 1e6))
            return mi_out_of_memory(&search->plan->device->error);
    }
    return status;
}

/* Problems that the search did not come to keep the guess, so that the next quick search does not begin again. */
static mica_status keep_guesses(struct search *search)
{
    for (size_t i = 0; i < search->count; i++) {
        const struct wanted *wanted = &search->list[i];
        struct mi_choice guess = {wanted->guess, mi_variant_of(wanted->guess, &wanted->problem, 0)};
        if (!mi_choices_find(&search->tuner->table, wanted->key) &&
            !mi_choices_set(&search->tuner->table, wanted->key, &guess, -1))
            return mi_out_of_memory(&search->plan->device->error);
    }
    return MICA_OK;
}

static mica_status run_search(struct search *search)
{
    mica_status status = find_problems(search);
    size_t most = search->count * (size_t)(search->tuner->candidates_each < 8 ? search->tuner->candidates_each : 8);
    if (status != MICA_OK || !search->count)
        return status;
    mi_compiling_begin(search->plan->device, (int)(most < (size_t)search->left ? most : (size_t)search->left));
    for (size_t i = 0; i < search->count && status == MICA_OK && may_go_on(search); i++)
        status = search_problem(search, &search->list[i]);
    if (status == MICA_OK)
        status = keep_guesses(search);
    mi_tuner_keep(search->tuner, search->plan->device);
    return status == MICA_OK ? status : mi_error_report(&search->plan->error, &search->plan->device->error);
}

mica_status mi_tune(struct mica_plan *plan)
{
    struct mi_tuner *tuner = mi_tuner_of(plan->device);
    if (!tuner)
        return mi_out_of_memory(&plan->error);
    if (tuner->level == MICA_TUNING_OFF || plan->desc.engine || plan->desc.variant || plan->device->debug)
        return MICA_OK;
    /* What is built for trials is forgotten: the plan's kernels are then joined into the same programs on every start, which
     * caches find again. */
    mica_device *device = plan->device;
    struct mi_programs *programs = device->programs;
    struct search search = {.plan = plan, .tuner = tuner, .began = mi_seconds(), .left = tuner->candidates};
    device->programs = NULL;
    mica_status status = run_search(&search);
    mi_programs_destroy(device);
    device->programs = programs;
    mi_arena_destroy(&search.arena);
    free(search.list);
    return status;
}
