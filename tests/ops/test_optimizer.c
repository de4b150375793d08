#include "support/ops.h"

#include <math.h>
#include <string.h>

/* The harness runs step 3 with a learning rate of 1/8. Formulas as PyTorch's documentation has them. */
enum { STEP = 3 };
static const double rate = 0.125;

static void reference(const struct op_case *c, const struct tensor *in, struct tensor *out)
{
    double momentum = op_float(c, "momentum", 0.9), beta_1 = op_float(c, "beta_1", 0.9),
           beta_2 = op_float(c, "beta_2", 0.999);
    double rho = op_float(c, "rho", 0.9), epsilon = op_float(c, "epsilon", 1e-7),
           decay = op_float(c, "weight_decay", 0);
    for (int64_t i = 0; i < out[0].count; i++) {
        double p = in[0].data[i], g = in[1].data[i] + decay * p;
        double v = c->in[2].shape ? in[2].data[i] : 0, w = c->in[3].shape ? in[3].data[i] : 0;
        if (strcmp(c->op, "SgdUpdate") == 0) {
            p -= rate * g;
        } else if (strcmp(c->op, "MomentumUpdate") == 0) {
            v = momentum * v + g;
            p -= rate * v;
        } else if (strcmp(c->op, "NesterovUpdate") == 0) {
            v = momentum * v + g;
            p -= rate * (g + momentum * v);
        } else if (strcmp(c->op, "AdamUpdate") == 0) {
            v = beta_1 * v + (1 - beta_1) * g;
            w = beta_2 * w + (1 - beta_2) * g * g;
            p -= rate * (v / (1 - pow(beta_1, STEP))) / (sqrt(w / (1 - pow(beta_2, STEP))) + epsilon);
        } else if (strcmp(c->op, "RmspropUpdate") == 0) {
            v = rho * v + (1 - rho) * g * g;
            p -= rate * g / (sqrt(v) + epsilon);
        } else if (strcmp(c->op, "RmspropMomentumUpdate") == 0) {
            v = rho * v + (1 - rho) * g * g;
            w = momentum * w + g / (sqrt(v) + epsilon);
            p -= rate * w;
        } else {
            v += g * g;
            p -= rate * g / (sqrt(v) + epsilon);
        }
        out[0].data[i] = p;
        if (c->outputs > 1)
            out[1].data[i] = v;
        if (c->outputs > 2)
            out[2].data[i] = w;
    }
}

#define POSITIVE(sizes) IN_RANGE(sizes, 0.01, 1)
#define DECAY MI_REAL("weight_decay", 0.0625f)
#define UPDATE(op, count, second, third, ...) \
    {op, {IN("13 5"), IN("13 5"), second, third}, {__VA_ARGS__}, .reference = reference,     \
     .outputs = (count), .no_gradient = true, .tolerance = 4e-6}

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
    };
    OP_CHECK_ALL(state, cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_updates)};
    return cmocka_run_group_tests_name("optimizer", tests, op_devices_open, op_devices_close);
}
