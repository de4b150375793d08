/* Optimizers: a row each, and the nodes that update a graph's parameters.
 *
 * Adding one: its row in a file of this folder, and its name in table.c; docs/adding-an-optimizer.md. */
#ifndef MICA_SRC_OPTIMIZER_H
#define MICA_SRC_OPTIMIZER_H

#include "nn/model.h"
#include "nn/schedule/schedule.h"

enum { MI_MOST_OPTIMIZER_KEYS = 8 };

/* Which moments of a parameter are what: the rule's own are the first. */
enum { MI_SUM = MI_MOST_MOMENTS - 2, MI_AVERAGE };

/* One parameter's update, while its nodes are added. */
struct mi_updating {
    mica_model *model;
    struct mi_graph *graph;
    const struct mi_optimizer *optimizer;
    struct mi_variable *parameter;
    mi_value *const *in;                 /* of the operator: the parameter, the gradient (clipped, the mean of several, of the
                                          * unscaled loss) and the moments */
    const struct mi_attribute *attribute; /* (attributes) the operator's */
    int attributes;
};

struct mi_optimizer_row {
    const char *name;
    float learning_rate, weight_decay;   /* where none is given */
    struct mi_number keys[MI_MOST_OPTIMIZER_KEYS + 1]; /* besides those that all have; ends with one without name */
    /* The operator of the update for these values of the keys, which are its attributes of the same names. Its inputs are the
     * parameter, the gradient and the moments; it makes the new parameter and the new moments. */
    const char *(*update)(const float *value);
    const char *first;                   /* the key whose value the first moment begins with; NULL: zeros, as the others */
    /* Adds the nodes of what the rule needs besides, and fills in the operator's last inputs: one number, the same for all
     * parameters, or, where that is `apart`, values of the parameter's own. NULL: nothing. */
    mica_status (*ahead)(const struct mi_updating *of, mi_value **more);
    bool apart;                          /* the update is then a map like any other (updates.c), and no stretch of an arena's */
};

extern const struct mi_optimizer_row *const mi_optimizer_rows[]; /* NULL-terminated (table.c) */

/* An optimizer whose settings are known to be right. */
struct mi_optimizer {
    const struct mi_optimizer_row *row;
    float learning_rate, weight_decay;
    float clip_value, clip_norm, clip_global_norm; /* 0: not */
    float accumulate;                              /* runs to an update; 0 and 1: each is one */
    float use_ema, ema_momentum, ema_overwrite;    /* the last: updates from one overwriting to the next; 0: none */
    struct mi_schedule schedule;                   /* of the rate, where it has a row; learning_rate is its peak then */
    const mica_optimizer_group *groups;            /* (group_count) known to be right; borrowed */
    int group_count;
    bool penalizes;                                /* updates add l1_ * sign(p) + l2_ * p to the gradient (penalty.h) */
    bool scales_loss;                              /* gradients are stored in 16 bits of a small range (scale.c) */
    float value[MI_MOST_OPTIMIZER_KEYS];           /* of the row's keys */
};

/* Reads a name, or an object with a "type", as jobs have it; texts stay the JSON's. `place` is the key that it stands under. */
mica_status mi_optimizer_read(struct mi_error *error, const cJSON *json, const char *place, mica_optimizer *out);

/* The schedule that stands under "learning_rate" of such an object, which mi_optimizer_read passes over; *out is the arena's. NULL:
 * there is none. */
mica_status mi_optimizer_read_schedule(struct mi_error *error, struct mi_arena *arena, const cJSON *json, const char *place,
                                       const mica_schedule **out);
/* schedule NULL: there is none. Before the groups are set. */
mica_status mi_optimizer_set_schedule(struct mi_error *error, const char *place, const mica_schedule *schedule,
                                      struct mi_optimizer *out);

/* The list under "groups" of such an object, which mi_optimizer_read passes over. */
mica_status mi_optimizer_read_groups(struct mi_error *error, struct mi_arena *arena, const cJSON *list, const char *place,
                                     const mica_optimizer_group **groups, int *count);
mica_status mi_optimizer_set_groups(struct mi_error *error, const char *place, const mica_optimizer_group *groups, int count,
                                    struct mi_optimizer *out);

/* Fills in defaults and checks keys and ranges; errors name the place, such as "optimizer". */
mica_status mi_optimizer_resolve(struct mi_error *error, const char *place, const mica_optimizer *given, struct mi_optimizer *out);

/* Adds the keys that all optimizers have to a JSON object, where they are not there as schedules; false: out of memory. */
bool mi_optimizer_describe(const struct mi_optimizer *optimizer, cJSON *object);

/* The operator that updates a parameter. */
const char *mi_optimizer_update(const struct mi_optimizer *optimizer);
/* What optimizers have in common whose moments mean the same. Never 0. */
uint64_t mi_optimizer_kind(const struct mi_optimizer *optimizer);

/* ---- Around the rule (around.c) ---- */

bool mi_optimizer_is_plain(const struct mi_optimizer *optimizer);
bool mi_optimizer_clips(const struct mi_optimizer *optimizer);
/* Whether something is made of the gradients before the updates: these are then as the rule takes them. */
bool mi_optimizer_needs_gradient(const struct mi_optimizer *optimizer);
/* Whether the update itself takes the scale of the loss from the gradients: then the factor is its last input, and the attribute
 * number_ says so. What something else is made of has lost it before. */
bool mi_optimizer_unscales(const struct mi_optimizer *optimizer);
/* The operator of an update with all that stands around it: after the rule's own inputs and outputs the sum of gradients, where
 * `sums` says that the update adds up, and the average. Attributes besides the rule's: rate_ of groups, ema_ of averages.
 * NULL: memory. */
const struct mi_op *mi_optimizer_op(struct mi_graph *graph, const struct mi_optimizer *optimizer, bool sums);
/* The sum of the gradients of a turn with the one of this run. NULL: memory. */
mi_value *mi_optimizer_sum(struct mi_graph *graph, const struct mi_optimizer *optimizer, mi_value *sum, mi_value *gradient);

/* `then` in a run that updates, else the parameter with the bits that it has. NULL: memory. */
mi_value *mi_optimizer_in_turn(struct mi_graph *graph, const struct mi_optimizer *optimizer, mi_value *then, mi_value *parameter,
                               mi_value *gradient, mi_value *factor);

/* ---- Ahead of the rule (ahead.c) ---- */

/* The number of an update, from 1. NULL: memory. */
mi_value *mi_optimizer_count(struct mi_graph *graph, const struct mi_optimizer *optimizer);
/* All elements folded by the reduction `all`; those of a large tensor by rows, which `rows` folds: what has one result is one
 * work-item's. */
mi_value *mi_optimizer_fold(struct mi_graph *graph, mi_value *x, const char *all, const char *rows);
/* The sum of the squares of all elements, and the root of their mean. */
mi_value *mi_optimizer_squares(struct mi_graph *graph, mi_value *x);
mi_value *mi_optimizer_mean_square_root(struct mi_graph *graph, mi_value *x);
/* A state of the rule's own, of any shape: its variable, and what it becomes in runs that update (moments.c). NULL: memory. */
struct mi_variable *mi_optimizer_state(const struct mi_updating *of, int slot, const char *prefix, const struct mi_shape *shape);
mi_value *mi_optimizer_set_state(const struct mi_updating *of, struct mi_variable *state, mi_value *value);

/* The scale of the loss; what takes it from the gradients again, NaN in a step that is to be left out; and the gradients times
 * that, or 0 where they are `sums` of several runs (scale.c). NULL after an error. */
mi_value *mi_loss_scale(mica_model *model, struct mi_graph *graph);
mi_value *mi_loss_factor(mica_model *model, struct mi_graph *graph, mi_value *const *gradient, int count);
/* The scale as it is, and how many steps in a row its gradients were finite; waits. */
mica_status mi_loss_scale_read(mica_model *model, float *scale, float *good_steps);
void mi_loss_unscale(struct mi_graph *graph, mi_value *factor, bool sums, mi_value **gradient, int count);

/* Every pattern of `train` and of groups names a parameter, of `train` also a statistic (named.c). */
mica_status mi_optimizer_check_names(struct mi_error *error, const mica_model *model, const struct mi_optimizer *optimizer,
                                     const char *train);

/* Adds gradients of `loss` (a scalar) and the update of every parameter that it depends on and `train` names (a pattern, as
 * mi_name_matches has it; NULL: all), with their moments. */
mica_status mi_optimizer_add(mica_model *model, struct mi_graph *graph, mi_value *loss, const struct mi_optimizer *optimizer,
                             const char *train);

/* Begins a training: the model's last one is gone on with where its optimizer was of the same kind, unless `restart`. Otherwise the
 * moments, which mi_optimizer_add has made, get their first values, and steps and epochs count from zero. */
mica_status mi_optimizer_begin(mica_model *model, const struct mi_optimizer *optimizer, bool restart);

/* A moment of a parameter, made when first needed; optimizers share them one after another. NULL: memory. */
struct mi_variable *mi_optimizer_moment(mica_model *model, const struct mi_optimizer *optimizer, struct mi_variable *parameter,
                                        int slot);

/* Gives the moments of the parameters that `train` names their first values again. */
mica_status mi_optimizer_reset(mica_model *model, const struct mi_optimizer *optimizer, const char *train);

#endif
