/* Which engine computes which contraction, remembered by the problem: what tuning found, and what a model ran with.
 *
 * As text, one line each:
 *
 *     mica choices 1
 *     device NAME; driver ...; ...
 *     clblast KERNEL NAME=VALUE...
 *     PROBLEM ENGINE NUMBER... MICROSECONDS
 *
 * PROBLEM is a word that says all that engines may look at; MICROSECONDS is "-" where nothing was measured. CLBlast's parameters
 * are the device's, not a model's. */
#ifndef MICA_SRC_CHOICES_H
#define MICA_SRC_CHOICES_H

#include "engines/clblast/clblast.h"
#include "engines/engine.h"

struct mi_known_choice {
    char *problem;
    struct mi_choice choice;
    double microseconds;         /* below zero: not measured */
};

struct mi_choices {
    struct mi_known_choice *list; /* by problem */
    size_t count, capacity;
    struct {
        bool known;
        struct mi_clblast_values values;
    } clblast[MI_CLBLAST_KERNELS];
};

void mi_choices_destroy(struct mi_choices *choices); /* empties it */
const struct mi_known_choice *mi_choices_find(const struct mi_choices *choices, const char *problem);
/* Adds or replaces; false: out of memory. */
bool mi_choices_set(struct mi_choices *choices, const char *problem, const struct mi_choice *choice, double microseconds);

/* The line that names a device as far as choices depend on it: its name, driver, limits, and Mica's version. */
void mi_choices_device(const mica_device *device, struct mi_text *text);
void mi_choices_write(const struct mi_choices *choices, const mica_device *device, struct mi_text *text);
/* Adds what a text holds. MICA_FORMAT names the line that is wrong, MICA_UNSUPPORTED both devices where it is another's; then
 * nothing is added. `place` names the text. */
mica_status mi_choices_read(struct mi_choices *choices, struct mi_error *error, const mica_device *device, const char *place,
                            const char *text);

/* A problem in one word: batch, extents, index maps, shapes and types. "" when out of memory. */
const char *mi_problem_key(struct mi_arena *arena, const struct mi_problem *problem);
/* Whether the choice can be made for the problem: the engine supports it and offers that variant. */
bool mi_choice_fits(const struct mi_choice *choice, const struct mi_problem *problem);

#endif
