/* Optimizers: names, keys and defaults are Keras 3's (docs/defaults.md lists every exception and has the formulas).
 *
 *     mica_optimizer adam = {"adam", {{"learning_rate", 3e-4}, {"beta_1", 0.5}}};
 */
#ifndef MICA_OPTIMIZER_H
#define MICA_OPTIMIZER_H

#ifdef __cplusplus
extern "C" {
#endif

/* A number by its key. */
typedef struct mica_setting {
    const char *key;
    double value; /* of a key that is true or false: 1 or 0 */
} mica_setting;

#define MICA_MOST_SETTINGS 16
#define MICA_MOST_GROUP_SETTINGS 2

/* Parameters that have a rate or a decay of their own (mica_plan_desc, mica_fit_desc). A parameter belongs to the first group that
 * names it. When mica_plan_set changes the optimizer's rate, theirs change by the same factor. */
typedef struct mica_optimizer_group {
    const char *variables;      /* patterns over names of parameters, as mica_plan_desc has them: "trunk.*, *.bias" */
    mica_setting setting[MICA_MOST_GROUP_SETTINGS]; /* learning_rate, weight_decay */
} mica_optimizer_group;

/* An optimizer by name, and what is not as by default. p is a parameter, g its gradient, the mean over the samples of a step.
 *
 *     sgd      momentum (0), nesterov (false)
 *     adam     beta_1 (0.9), beta_2 (0.999), epsilon (1e-7), amsgrad (false)
 *     adamw    the same, and weight_decay (0.004): p <- p - learning_rate * weight_decay * p before the rule
 *     amsgrad  adam with amsgrad
 *     adamax   beta_1 (0.9), beta_2 (0.999), epsilon (1e-7)
 *     nadam    beta_1 (0.9), beta_2 (0.999), epsilon (1e-7)
 *     rmsprop  rho (0.9), momentum (0), epsilon (1e-7), centered (false)
 *     adagrad  initial_accumulator_value (0.1), epsilon (1e-7)
 *     adadelta rho (0.95), epsilon (1e-7)
 *     lion     beta_1 (0.9), beta_2 (0.99)
 *     ftrl     learning_rate_power (-0.5), initial_accumulator_value (0.1), l1_regularization_strength, l2_regularization_strength,
 *              l2_shrinkage_regularization_strength, beta (all 0)
 *     lamb     beta_1 (0.9), beta_2 (0.999), epsilon (1e-7)
 *     adafactor  beta_2_decay (-0.8), epsilon_1 (1e-30), epsilon_2 (1e-3), clip_threshold (1), relative_step (true): the rate is
 *              at most 1 / sqrt(t)
 *
 * All have learning_rate (0.001; of sgd 0.01); all but adamw weight_decay (0): g <- g + weight_decay * p before the rule, as
 * PyTorch defines it; and before that, where they are given, clipvalue: g <- min(max(g, -clipvalue), clipvalue); clipnorm: each g
 * whose norm is larger is scaled to that norm; global_clipnorm: all g are scaled together, so that the norm of all is at most that.
 *
 * gradient_accumulation_steps (1): g is the mean of the gradients of so many runs; the last of them updates, the others only add.
 * use_ema (false): a moving average of each parameter, average <- ema_momentum (0.99) * average + (1 - ema_momentum) * p after each
 * update, which begins as the parameter after the first; mica_model_take_averages puts the averages in place of the parameters, and
 * ema_overwrite_frequency (0: never) does so after every so many updates. */
typedef struct mica_optimizer {
    const char *type;                          /* NULL: "rmsprop", as Keras's compile() */
    mica_setting setting[MICA_MOST_SETTINGS];  /* up to the first without a key */
} mica_optimizer;

/* A rate that changes: a function of the number of updates so far, t, which goes on where a training is gone on with. Steps are
 * updates: an epoch has as many as batches (with gradient_accumulation_steps, by that fewer). initial is initial_learning_rate, the
 * optimizer's learning_rate where it is not given.
 *
 *     constant                  initial
 *     piecewise_constant_decay  values[i], i the number of boundaries that t is above
 *     step_decay                initial * gamma (0.1) ^ floor(t / step_size)
 *     exponential_decay         initial * decay_rate ^ (t / decay_steps); staircase (false): the power is rounded down
 *     inverse_time_decay        initial / (1 + decay_rate * t / decay_steps); staircase (false)
 *     polynomial_decay          (initial - end_learning_rate (1e-4)) * (1 - t / decay_steps) ^ power (1) + end_learning_rate; cycle
 *                               (false): from decay_steps on that begins again, with twice, three times, ... as many
 *     cosine_decay              initial * ((1 - alpha (0)) * (1 + cos(pi * t / decay_steps)) / 2 + alpha); warmup_target: the
 *                               warm-up rises from initial to it, and the cosine falls from it
 *     cosine_decay_restarts     that over first_decay_steps, again and again, each t_mul (2) times as long, from m_mul (1)
 *                               times the rate
 *     one_cycle                 along half a cosine from max_learning_rate / div_factor (25) up to max_learning_rate in pct_start
 *                               (0.3) of total_steps, and down to the first rate / final_div_factor (1e4) at their end
 *
 * All take warmup_steps (0) and warmup_from (0): so many updates rise in a line from that rate to the schedule's first one, and t
 * counts from there. The rates of groups change by the same factor. */
#define MICA_MOST_SCHEDULE_SETTINGS 12

typedef struct mica_schedule {
    const char *type;                                   /* NULL: "constant" */
    mica_setting setting[MICA_MOST_SCHEDULE_SETTINGS];  /* up to the first without a key */
    const double *boundaries, *values;                  /* of piecewise_constant_decay: (boundary_count), (value_count) */
    int boundary_count, value_count;                    /* one value more than boundaries */
} mica_schedule;

#ifdef __cplusplus
}
#endif
#endif
