/* Schedules: a row each, the rate of every update as a function of how many there were before.
 *
 * Adding one: its row in a file of this folder, and its name in table.c; docs/adding-an-optimizer.md. */
#ifndef MICA_SRC_SCHEDULE_H
#define MICA_SRC_SCHEDULE_H

#include "nn/settings.h"

#include <mica/optimizer.h>

enum { MI_MOST_SCHEDULE_KEYS = 8 };

/* A schedule whose settings are known to be right. */
struct mi_schedule {
    const struct mi_schedule_row *row;       /* NULL: there is none */
    float value[MI_MOST_SCHEDULE_KEYS];      /* of the row's keys; the first is a rate */
    float warmup_steps, warmup_from;
    const double *boundaries, *values;       /* (count, count + 1); borrowed */
    int count;
};

struct mi_schedule_row {
    const char *name;
    /* Besides those that all have; ends with one without name. The first is the initial rate; MI_OF_OPTIMIZER: the optimizer's
     * own, where it is not given. A row of lists has no keys. */
    struct mi_number keys[MI_MOST_SCHEDULE_KEYS + 1];
    bool lists;
    /* The rate of an update, `step` updates after the warm-up. */
    double (*rate)(const struct mi_schedule *schedule, double step);
    /* From which rate the warm-up rises to rate(0); NULL: warmup_from. */
    double (*from)(const struct mi_schedule *schedule);
};

#define MI_OF_OPTIMIZER (-1.0f)
/* The key of the initial rate. */
#define MI_INITIAL_RATE {"initial_learning_rate", MI_OF_OPTIMIZER, .most = 1e30f}
#define MI_STEPS(name, otherwise) {name, otherwise, .least = 1, .most = 1e30f, .whole = true}

extern const struct mi_schedule_row *const mi_schedule_rows[]; /* NULL-terminated (table.c) */

/* Reads an object with a "type", as jobs have it; texts stay the JSON's, lists are the arena's. */
mica_status mi_schedule_read(struct mi_error *error, struct mi_arena *arena, const cJSON *json, const char *place,
                             mica_schedule *out);
/* Fills in defaults and checks; errors name the place, such as "optimizer.learning_rate". otherwise: the optimizer's own rate. */
mica_status mi_schedule_resolve(struct mi_error *error, const char *place, const mica_schedule *given, float otherwise,
                                struct mi_schedule *out);

/* The rate of the update behind `step` others. */
double mi_schedule_rate(const struct mi_schedule *schedule, uint64_t step);
/* What a group's rate is measured by: where the warm-up ends, or the first rate, but for one that only rises to it. */
double mi_schedule_peak(const struct mi_schedule *schedule);

#endif
