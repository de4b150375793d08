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
 *     adam     beta_1 (0.9), beta_2 (0.999), epsilon (1e-7)
 *     rmsprop  rho (0.9), momentum (0), epsilon (1e-7)
 *     adagrad  initial_accumulator_value (0.1), epsilon (1e-7)
 *
 * All have learning_rate (0.001; of sgd 0.01); weight_decay (0): g <- g + weight_decay * p before the rule, as PyTorch defines
 * it; and before that, where they are given, clipvalue: g <- min(max(g, -clipvalue), clipvalue); clipnorm: each g whose norm is
 * larger is scaled to that norm; global_clipnorm: all g are scaled together, so that the norm of all is at most that.
 *
 * gradient_accumulation_steps (1): g is the mean of the gradients of so many runs; the last of them updates, the others only add.
 * use_ema (false): a moving average of each parameter, average <- ema_momentum (0.99) * average + (1 - ema_momentum) * p after each
 * update, which begins as the parameter after the first; mica_model_take_averages puts the averages in place of the parameters, and
 * ema_overwrite_frequency (0: never) does so after every so many updates. */
typedef struct mica_optimizer {
    const char *type;                          /* NULL: "rmsprop", as Keras's compile() */
    mica_setting setting[MICA_MOST_SETTINGS];  /* up to the first without a key */
} mica_optimizer;

#ifdef __cplusplus
}
#endif
#endif
