/* A perceptron (Rosenblatt 1958): one unit with a step, which learns from its mistakes alone, w <- w + (t - y) x. The slope of a
 * step is 0 wherever there is one, so gradient descent would never move. Here it counts as 1 on the way back, and then a step of
 * gradient descent on (t - y)^2 / 2 is Rosenblatt's rule.
 * AND and OR are learned; no line divides what exclusive or tells apart, so it makes mistakes for ever.
 * Ends with 0 where it came so. Usage: perceptron */
#include <mica/mica.h>

#include <stdio.h>

enum { INPUTS = 2, SAMPLES = 4, EPOCHS = 20 };

struct perceptron {
    mica_model *model;
    mica_plan *learn, *answer;
};

static void create(struct perceptron *perceptron, mica_device *device)
{
    const mica_parameter_desc zeros = {.initializer = {"zeros"}};
    mica_model *model = mica_model_create(device, NULL);
    mica_node *x = mica_input(model, "x", MICA_SHAPE(INPUTS)), *truth = mica_input(model, "truth", MICA_SHAPE(1));
    mica_node *score = mica_dense(x, &(mica_dense_desc){.name = "unit", .units = 1, .kernel = zeros});
    mica_node *y = mica_map(&score, 1, &(mica_map_desc){.name = "y", .expression = "x > 0", .derivative = {"1"}});
    mica_node *mistake = mica_op_sub(truth, y);
    perceptron->model = model;
    perceptron->learn = mica_compile(model, &(mica_plan_desc){.loss = mica_op_scale(mica_op_mul(mistake, mistake), 0.5f),
                                                              .optimizer = {"sgd", {{"learning_rate", 1}}}});
    perceptron->answer = mica_compile(model, &(mica_plan_desc){.batch = SAMPLES, .outputs = &y, .output_count = 1});
}

static void destroy(struct perceptron *perceptron)
{
    mica_plan_destroy(perceptron->learn);
    mica_plan_destroy(perceptron->answer);
    mica_model_destroy(perceptron->model);
}

/* A batch of one sample, as Rosenblatt's rule has it. */
static mica_status learn(struct perceptron *perceptron, const float *x, float truth)
{
    mica_plan_write(perceptron->learn, "x", x, INPUTS);
    mica_plan_write(perceptron->learn, "truth", &truth, 1);
    return mica_plan_run(perceptron->learn, 1);
}

static mica_status answer(struct perceptron *perceptron, const float *x, float *y)
{
    mica_plan_write(perceptron->answer, "x", x, SAMPLES * INPUTS);
    mica_plan_run(perceptron->answer, SAMPLES);
    return mica_plan_read(perceptron->answer, "y", y, SAMPLES);
}

/* The epochs until all four answers are right; 0: never. */
static int teach(struct perceptron *perceptron, const float (*x)[INPUTS], const float *truths)
{
    for (int epoch = 1; epoch <= EPOCHS; epoch++) {
        float y[SAMPLES], w[INPUTS], b;
        int mistakes = 0;
        for (int i = 0; i < SAMPLES; i++)
            learn(perceptron, x[i], truths[i]);
        if (answer(perceptron, x[0], y) != MICA_OK)
            return 0;
        for (int i = 0; i < SAMPLES; i++)
            mistakes += y[i] != truths[i];
        mica_model_read(perceptron->model, "unit.weight", w, INPUTS);
        mica_model_read(perceptron->model, "unit.bias", &b, 1);
        if (epoch <= 6 || !mistakes)
            printf("  epoch %d: %d wrong, 1 where %g a + %g b > %g\n", epoch, mistakes, w[0], w[1], 0 - b);
        if (!mistakes)
            return epoch;
    }
    printf("  ... not learned in %d epochs\n", EPOCHS);
    return 0;
}

int main(void)
{
    static const float x[SAMPLES][INPUTS] = {{0, 0}, {0, 1}, {1, 0}, {1, 1}};
    static const struct {
        const char *name;
        float truths[SAMPLES];
        bool learnable;
    } tasks[] = {{"a and b", {0, 0, 0, 1}, true}, {"a or b", {0, 1, 1, 1}, true}, {"a xor b", {0, 1, 1, 0}, false}};
    mica_device *device = mica_device_open(NULL);
    bool as_told = true;
    for (int i = 0; i < 3; i++) {
        struct perceptron perceptron;
        create(&perceptron, device);
        printf("%s\n", tasks[i].name);
        as_told = (teach(&perceptron, x, tasks[i].truths) > 0) == tasks[i].learnable && as_told;
        destroy(&perceptron);
    }
    int failed = mica_device_status(device);
    if (failed)
        fprintf(stderr, "perceptron: %s\n", mica_device_error(device));
    mica_device_destroy(device);
    return failed ? failed : !as_told;
}
