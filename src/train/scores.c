/* Scores by their names. */
#include "train/training.h"

#include "plan/plan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct score {
    char *name;
    double value;
    float *parts;
    int part_count;
};

struct mica_scores {
    struct score *list;
    int count;
    size_t capacity;
};

mica_scores *mi_scores_create(void)
{
    return mi_new(1, sizeof(struct mica_scores));
}

void mica_scores_destroy(mica_scores *scores)
{
    for (int i = 0; scores && i < scores->count; i++) {
        free(scores->list[i].name);
        free(scores->list[i].parts);
    }
    if (scores)
        free(scores->list);
    free(scores);
}

bool mi_scores_add(mica_scores *scores, const char *prefix, const char *name, double value, const float *parts, int part_count)
{
    struct mi_text text = {0};
    mi_text_add(&text, "%s%s", prefix, name);
    float *copy = parts ? mi_new((size_t)part_count, sizeof *copy) : NULL;
    bool made = !text.failed && (copy || !parts) &&
                mi_grow(&scores->list, &scores->capacity, (size_t)scores->count + 1, sizeof *scores->list);
    if (!made) {
        mi_text_destroy(&text);
        free(copy);
        return false;
    }
    if (copy)
        memcpy(copy, parts, (size_t)part_count * sizeof *copy);
    scores->list[scores->count++] = (struct score){text.data, value, copy, copy ? part_count : 0};
    return true;
}

mica_status mi_scores_take(mica_scores *scores, struct mi_error *error, const mica_plan *plan, const char *prefix)
{
    for (int i = 0; i < mica_plan_metric_count(plan); i++) {
        int places;
        const float *sums = mi_plan_metric_sums(plan, i, &places);
        if (!mi_scores_add(scores, prefix, mica_plan_metric_name(plan, i), mi_plan_metric_value(plan, i), places > 1 ? sums : NULL,
                           places))
            return mi_out_of_memory(error);
    }
    return MICA_OK;
}

mica_status mi_scores_read(mica_scores *scores, struct mi_error *error, mica_plan *plan, const char *prefix)
{
    MI_TRY(mi_plan_measure(plan));
    return mi_scores_take(scores, error, plan, prefix);
}

int mica_scores_count(const mica_scores *scores)
{
    return scores ? scores->count : 0;
}

const char *mica_scores_name(const mica_scores *scores, int i)
{
    return scores && i >= 0 && i < scores->count ? scores->list[i].name : NULL;
}

double mica_scores_value(const mica_scores *scores, int i)
{
    return scores && i >= 0 && i < scores->count ? scores->list[i].value : (double)NAN;
}

static const struct score *find(const mica_scores *scores, const char *name)
{
    for (int i = 0; scores && name && i < scores->count; i++)
        if (!strcmp(scores->list[i].name, name))
            return &scores->list[i];
    return NULL;
}

void mi_scores_set(mica_scores *scores, const char *name, double value)
{
    for (int i = 0; i < scores->count; i++)
        if (!strcmp(scores->list[i].name, name))
            scores->list[i].value = value;
}

double mica_scores_get(const mica_scores *scores, const char *name)
{
    const struct score *score = find(scores, name);
    return score ? score->value : (double)NAN;
}

const float *mica_scores_parts(const mica_scores *scores, const char *name, int *count)
{
    const struct score *score = find(scores, name);
    if (count)
        *count = score ? score->part_count : 0;
    return score ? score->parts : NULL;
}
