#include "ops/ops.h"
#include "support/ops.h"

#include <math.h>
#include <string.h>

/* The harness runs step 3 with a learning rate of 1/8. Formulas as PyTorch's documentation has them. */
enum { STEP = 3 };
static const double rate = 0.125;

/* One element: the inputs after p and g, which become the outputs after p_new. */
struct element {
    double p, g, s[3];
};

#define OF(name, otherwise) op_float(c, name, otherwise)

static void sgd(const struct op_case *c, struct element *e)
{
    bool momentum = c->outputs > 1, nesterov = strcmp(c->op, "NesterovUpdate") == 0;
    e->s[0] = momentum ? OF("momentum", 0.9) * e->s[0] + e->g : e->g;
    e->p -= rate * (nesterov ? e->g + OF("momentum", 0.9) * e->s[0] : e->s[0]);
}

/* Whatever divides by the root of a mean of squares. */
static void adam(const struct op_case *c, struct element *e)
{
    double beta_1 = OF("beta_1", 0.9), beta_2 = OF("beta_2", 0.999);
    bool amsgrad = strncmp(c->op, "Amsgrad", 7) == 0;
    e->s[0] = beta_1 * e->s[0] + (1 - beta_1) * e->g;
    e->s[1] = beta_2 * e->s[1] + (1 - beta_2) * e->g * e->g;
    e->s[2] = amsgrad ? fmax(e->s[2], e->s[1]) : e->s[2];
    double root = sqrt(e->s[amsgrad ? 2 : 1] / (1 - pow(beta_2, STEP))) + OF("epsilon", 1e-7);
    if (strcmp(c->op, "NadamUpdate") == 0) {
        double mu = beta_1 * (1 - 0.5 * pow(0.96, STEP / 250.0)), next = beta_1 * (1 - 0.5 * pow(0.96, (STEP + 1) / 250.0));
        double product = e->s[2];
        e->p -= rate * (next * e->s[0] / (1 - product * next) + (1 - mu) * e->g / (1 - product)) / root;
    } else
        e->p -= rate * (strcmp(c->op, "LambUpdate") == 0 ? e->s[2] : 1) * (e->s[0] / (1 - pow(beta_1, STEP))) / root;
}

static void adamax(const struct op_case *c, struct element *e)
{
    double beta_1 = OF("beta_1", 0.9);
    e->s[0] = beta_1 * e->s[0] + (1 - beta_1) * e->g;
    e->s[1] = fmax(OF("beta_2", 0.999) * e->s[1], fabs(e->g));
    e->p -= rate / (1 - pow(beta_1, STEP)) * e->s[0] / (e->s[1] + OF("epsilon", 1e-7));
}

static void lion(const struct op_case *c, struct element *e)
{
    double mixed = OF("beta_1", 0.9) * e->s[0] + (1 - OF("beta_1", 0.9)) * e->g;
    e->s[0] = OF("beta_2", 0.99) * e->s[0] + (1 - OF("beta_2", 0.99)) * e->g;
    e->p -= mixed > 0 ? rate : mixed < 0 ? -rate : 0;
}

static void rmsprop(const struct op_case *c, struct element *e)
{
    double rho = OF("rho", 0.9);
    bool centered = strncmp(c->op, "RmspropCentered", 15) == 0, momentum = strstr(c->op, "Momentum") != NULL;
    double *v = &e->s[0], *a = &e->s[1], *b = &e->s[centered ? 2 : 1];
    *v = rho * *v + (1 - rho) * e->g * e->g;
    if (centered)
        *a = rho * *a + (1 - rho) * e->g;
    double scaled = e->g / (sqrt(centered ? fmax(*v - *a * *a, 0) : *v) + OF("epsilon", 1e-7));
    if (momentum)
        *b = OF("momentum", 0.9) * *b + scaled;
    e->p -= rate * (momentum ? *b : scaled);
}

static void adagrad(const struct op_case *c, struct element *e)
{
    e->s[0] += e->g * e->g;
    e->p -= rate * e->g / (sqrt(e->s[0]) + OF("epsilon", 1e-7));
}

static void adadelta(const struct op_case *c, struct element *e)
{
    double rho = OF("rho", 0.95), epsilon = OF("epsilon", 1e-7);
    e->s[0] = rho * e->s[0] + (1 - rho) * e->g * e->g;
    double change = sqrt(e->s[1] + epsilon) / sqrt(e->s[0] + epsilon) * e->g;
    e->s[1] = rho * e->s[1] + (1 - rho) * change * change;
    e->p -= rate * change;
}

static void ftrl(const struct op_case *c, struct element *e)
{
    double power = -OF("learning_rate_power", -0.5), l1 = OF("l1_regularization_strength", 0), n = e->s[0] + e->g * e->g;
    double z = e->s[1] + e->g + 2 * OF("l2_shrinkage_regularization_strength", 0) * e->p -
               (pow(n, power) - pow(e->s[0], power)) / rate * e->p;
    e->p = (fmax(fmin(z, l1), -l1) - z) /
           (pow(n, power) / rate + 2 * (OF("l2_regularization_strength", 0) + OF("beta", 0) / (2 * rate)));
    e->s[0] = n;
    e->s[1] = z;
}

static const struct rule {
    const char *begin; /* of the operator's name */
    void (*update)(const struct op_case *c, struct element *e);
} rules[] = {{"Sgd", sgd},       {"Momentum", sgd},    {"Nesterov", sgd},      {"Adamax", adamax},
             {"Adam", adam},     {"Amsgrad", adam},    {"Nadam", adam},        {"Lion", lion},
             {"Lamb", adam},
             {"Rmsprop", rmsprop}, {"Adagrad", adagrad}, {"Adadelta", adadelta}, {"Ftrl", ftrl}};

static void reference(const struct op_case *c, const struct tensor *in, struct tensor *out)
{
    bool decoupled = strcmp(c->op, "AdamwUpdate") == 0 || strcmp(c->op, "AmsgradwUpdate") == 0;
    double decay = OF("weight_decay", 0);
    for (int64_t i = 0; i < out[0].count; i++) {
        struct element e = {.p = in[0].data[i], .g = in[1].data[i]};
        for (int k = 0; k < 3 && c->in[2 + k].shape; k++)
            e.s[k] = in[2 + k].data[in[2 + k].count == 1 ? 0 : i];
        if (decoupled)
            e.p -= rate * decay * e.p;
        else
            e.g += decay * e.p;
        for (size_t r = 0; r < MI_COUNT(rules); r++)
            if (strncmp(c->op, rules[r].begin, strlen(rules[r].begin)) == 0) {
                rules[r].update(c, &e);
                break;
            }
        out[0].data[i] = e.p;
        for (int k = 1; k < c->outputs; k++)
            out[k].data[i] = e.s[k - 1];
    }
}

/* Of p, g, the factors of rows and columns, the size of p and that of the change. */
static void adafactor(const struct op_case *c, const struct tensor *in, struct tensor *out)
{
    for (int64_t i = 0; i < out[0].count; i++) {
        double both = in[6].data[0], row = in[2].data[i / 5], column = in[3].data[i % 5];
        double left = (in[1].data[i] + OF("weight_decay", 0) * in[0].data[i]) * row * column * both;
        double size = fmax(in[4].data[0], OF("epsilon_2", 1e-3)), change = in[5].data[0] * both / OF("clip_threshold", 1);
        out[0].data[i] = in[0].data[i] - rate * size * left / fmax(change, 1);
    }
}

#define POSITIVE(sizes) IN_RANGE(sizes, 0.01, 1)
#define DECAY MI_REAL("weight_decay", 0.0625f)
#define AS_REFERENCE(count) .reference = reference, .outputs = (count), .no_gradient = true, .tolerance = 4e-6
#define UPDATE(op, count, second, third, ...) \
    {op, {IN("13 5"), IN("13 5"), second, third}, {__VA_ARGS__}, AS_REFERENCE(count)}
#define UPDATE3(op, count, second, third, fourth, ...) \
    {op, {IN("13 5"), IN("13 5"), second, third, fourth}, {__VA_ARGS__}, AS_REFERENCE(count)}

/* The product of Nadam's momentums in closed form, times the number of the update, against the long way. */
static mi_value *product_of(struct mi_graph *graph, mi_value *const *in, const struct op_case *c)
{
    const struct mi_shape terms = mi_shape_of(1, &(const struct mi_dim){.b = 24});
    mi_value *sum = mi_op1(graph, "NadamTerm", mi_expand_to(graph, in[0], &terms));
    sum = MI_APPLY(graph, "ReduceSum", ((mi_value *[]){sum}), MI_INT("keepdims", 0));
    mi_value *product = mi_apply(graph, "NadamProduct", (mi_value *[]){in[0], sum}, 2, c->attribute, 1);
    return mi_op2(graph, "Mul", product, mi_op1(graph, "UpdateCount", mi_scalar(graph, 2)));
}

static void product(const struct op_case *c, const struct tensor *in, struct tensor *out)
{
    out[0].data[0] = STEP / 2;
    for (int i = 1; i <= (int)in[0].data[0]; i++)
        out[0].data[0] *= OF("beta_1", 0.9) * (1 - 0.5 * pow(0.96, i / 250.0));
}

static void test_momentums(void **state)
{
#define PRODUCT(step, beta_1)                                                                                                    \
    {"NadamProduct", {IN_RANGE("", step, step)}, {MI_REAL("beta_1", beta_1)}, .reference = product, .build = product_of,          \
     .no_gradient = true, .tolerance = 4e-6}
    const struct op_case cases[] = {PRODUCT(1, 0.9f), PRODUCT(2, 0.5f), PRODUCT(7, 0.9375f), PRODUCT(40, 0.9375f)};
    OP_CHECK_ALL(state, cases);
}

static void test_updates(void **state)
{
    const struct op_case cases[] = {
        UPDATE("SgdUpdate", 1, {0}, {0}, {0}),
        UPDATE("SgdUpdate", 1, {0}, {0}, DECAY),
        UPDATE("MomentumUpdate", 2, IN("13 5"), {0}, DECAY),
        UPDATE("NesterovUpdate", 2, IN("13 5"), {0}, DECAY, MI_REAL("momentum", 0.5f)),
        UPDATE("AdamUpdate", 3, IN("13 5"), POSITIVE("13 5"), {0}),
        UPDATE("AdamUpdate", 3, IN("13 5"), POSITIVE("13 5"), DECAY, MI_REAL("beta_1", 0.5f),
               MI_REAL("beta_2", 0.875f)),
        UPDATE("RmspropUpdate", 2, POSITIVE("13 5"), {0}, DECAY, MI_REAL("epsilon", 0.125f)),
        UPDATE("RmspropMomentumUpdate", 3, POSITIVE("13 5"), IN("13 5"), DECAY, MI_REAL("epsilon", 0.125f)),
        UPDATE("AdagradUpdate", 2, POSITIVE("13 5"), {0}, DECAY),
        UPDATE("AdamwUpdate", 3, IN("13 5"), POSITIVE("13 5"), DECAY),
        UPDATE("AdamaxUpdate", 3, IN("13 5"), POSITIVE("13 5"), DECAY),
        UPDATE3("AmsgradUpdate", 4, IN("13 5"), POSITIVE("13 5"), POSITIVE("13 5"), DECAY, MI_REAL("beta_2", 0.5f)),
        UPDATE3("AmsgradwUpdate", 4, IN("13 5"), POSITIVE("13 5"), POSITIVE("13 5"), DECAY, MI_REAL("beta_2", 0.5f)),
        UPDATE3("NadamUpdate", 3, IN("13 5"), POSITIVE("13 5"), IN_RANGE("", 0.125, 0.5), DECAY),
        UPDATE3("LambUpdate", 3, IN("13 5"), POSITIVE("13 5"), IN_RANGE("", 0.5, 2), DECAY),
        UPDATE("LionUpdate", 2, IN("13 5"), {0}, DECAY),
        UPDATE("RmspropCenteredUpdate", 3, IN_RANGE("13 5", 1, 2), IN("13 5"), DECAY, MI_REAL("epsilon", 0.125f)),
        UPDATE3("RmspropCenteredMomentumUpdate", 4, IN_RANGE("13 5", 1, 2), IN("13 5"), IN("13 5"), DECAY,
                MI_REAL("epsilon", 0.125f)),
        UPDATE("AdadeltaUpdate", 3, POSITIVE("13 5"), POSITIVE("13 5"), DECAY, MI_REAL("epsilon", 0.125f)),
        UPDATE("FtrlUpdate", 3, POSITIVE("13 5"), IN("13 5"), {0}),
        UPDATE("FtrlUpdate", 3, POSITIVE("13 5"), IN("13 5"), DECAY, MI_REAL("learning_rate_power", -0.75f),
               MI_REAL("l1_regularization_strength", 0.5f), MI_REAL("l2_regularization_strength", 0.25f),
               MI_REAL("l2_shrinkage_regularization_strength", 0.125f), MI_REAL("beta", 0.5f)),
    };
    OP_CHECK_ALL(state, cases);
}

static void test_adafactor(void **state)
{
#define ADAFACTOR(op, least, ...)                                                                                                \
    {op, {IN("13 5"), IN("13 5"), POSITIVE("13 1"), POSITIVE("1 5"), POSITIVE(""), IN_RANGE("", least, (least) + 1),              \
          IN_RANGE("", 0.5, 2)},                                                                                                 \
     {__VA_ARGS__}, .reference = adafactor, .outputs = 1, .no_gradient = true, .tolerance = 4e-6}
    const struct op_case cases[] = {
        ADAFACTOR("AdafactorUpdate", 2, {0}), ADAFACTOR("AdafactorUpdate", 0.25, DECAY),
        ADAFACTOR("AdafactorFixedUpdate", 2, MI_REAL("epsilon_2", 2)),
        ADAFACTOR("AdafactorFixedUpdate", 1, DECAY, MI_REAL("clip_threshold", 0.5f)),
    };
    OP_CHECK_ALL(state, cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_updates), cmocka_unit_test(test_momentums), cmocka_unit_test(test_adafactor)};
    return cmocka_run_group_tests_name("optimizer", tests, op_devices_open, op_devices_close);
}
