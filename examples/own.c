/* Parts of one's own: an operator, as an expression with a slope of its own; a loss, written with operators; a layer, a C function
 * that JSON knows by its name. A network of spiking units, which give 0 or 1 and learn by a smooth slope, finds a ring of points
 * among others. Ends with 0 where 95 of 100 new points are told right: with seeds 1 to 5 it is 96.3 to 97.7 %.
 * Usage: own [SEED] */
#include <mica/mica.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { POINTS = 1000, STEPS = 1500 };

/* The operator: a step forward, and backward the slope of a curve. */
static mica_node *spike(mica_node *x)
{
    return mica_map(&x, 1, &(mica_map_desc){.expression = "x > 0", .derivative = {"1 / ((1 + abs(x)) * (1 + abs(x)))"}});
}

/* The layer: so many spiking units. The keys are those of the JSON below. */
static mica_node *spiking(mica_model *model, mica_node *const *x, int count, mica_layer_keys *keys)
{
    (void)model;
    if (count != 1)
        return NULL;
    return spike(mica_dense(x[0], &(mica_dense_desc){.units = (int64_t)mica_layer_number(keys, "units", 16)}));
}

static const char network[] = "{\"input_shape\": [2], \"layers\": ["
                              "{\"type\": \"spiking\", \"name\": \"first\", \"units\": 64},"
                              "{\"type\": \"spiking\", \"name\": \"second\", \"units\": 32},"
                              "{\"type\": \"dense\", \"name\": \"score\", \"units\": 1}]}";

/* The loss: the hinge of Keras, max(0, 1 - y t) for t of -1 or 1. */
static mica_node *hinge(mica_node *y, mica_node *t)
{
    return mica_op_relu(mica_op_shift(mica_op_neg(mica_op_mul(y, t)), 1));
}

static uint32_t seed = 1;

/* From -1 to 1. */
static float uniform(void)
{
    seed = seed * 1664525u + 1013904223u;
    return (float)(seed >> 8) / 8388608.0f - 1;
}

/* Points of a square, and whether they lie in a ring. */
static void fill(float *points, float *targets)
{
    for (int i = 0; i < POINTS; i++) {
        float x = points[2 * i] = uniform(), y = points[2 * i + 1] = uniform(), from_middle = sqrtf(x * x + y * y);
        targets[i] = from_middle > 0.4f && from_middle < 0.8f ? 1.0f : -1.0f;
    }
}

int main(int argc, char **argv)
{
    static float points[2 * POINTS], targets[POINTS], scores[POINTS];
    int right = 0;
    seed = argc > 1 ? (uint32_t)atoi(argv[1]) : 1;
    mica_device *device = mica_device_open(NULL);
    mica_model *model = mica_model_create(device, &(mica_model_desc){.seed = seed});
    mica_layer_register(device, "spiking", spiking, NULL);
    mica_model_add_json(model, network);
    mica_node *score = mica_model_node(model, "score"), *target = mica_input(model, "target", MICA_SHAPE(1));
    mica_plan *learn = mica_compile(model, &(mica_plan_desc){.batch = POINTS, .loss = hinge(score, target),
                                                             .optimizer = {"adam", {{"learning_rate", 0.01}}}});
    mica_plan *answer = mica_compile(model, &(mica_plan_desc){.batch = POINTS, .outputs = &score, .output_count = 1});
    for (int step = 0; step < STEPS; step++) {
        fill(points, targets);
        mica_plan_write(learn, "input", points, 2 * POINTS);
        mica_plan_write(learn, "target", targets, POINTS);
        if (mica_plan_run(learn, POINTS) != MICA_OK)
            break;
    }
    fill(points, targets);
    mica_plan_write(answer, "input", points, 2 * POINTS);
    mica_plan_run(answer, POINTS);
    mica_plan_read(answer, "score", scores, POINTS);
    for (int i = 0; i < POINTS; i++)
        right += (scores[i] > 0) == (targets[i] > 0);
    int failed = mica_device_status(device);
    if (failed)
        fprintf(stderr, "own: %s\n", mica_device_error(device));
    else
        printf("%.1f %% of %d new points\n", 100.0 * right / POINTS, POINTS);
    mica_plan_destroy(learn);
    mica_plan_destroy(answer);
    mica_model_destroy(model);
    mica_device_destroy(device);
    return failed ? failed : right < 950;
}
