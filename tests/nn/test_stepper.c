/* Models step by step: each step's result beside that of the whole sequence, what begins anew, and what cannot be taken apart. */
#include "nn/stepper.h"
#include "plan/inside.h"
#include "support/device.h"

#include <mica/train.h>

#include <math.h>
#include <string.h>

enum { WINDOW = 9, TOKENS = 7 };

#define HEAD "{\"type\": \"embedding\", \"name\": \"e\", \"input_dim\": 7, \"output_dim\": 8}, "
#define TAIL "{\"type\": \"dense\", \"units\": 7}"
#define TURNED ", {\"type\": \"permute\", \"dims\": [2, 1]}"
#define DECODER "{\"type\": \"transformer_decoder\", \"intermediate_dim\": 12, \"num_heads\": 2"
#define CAUSAL ", \"use_causal_mask\": true}, "
#define PLACES(type) HEAD "{\"type\": " type ", \"name\": \"p\", \"inputs\": [\"e\"]}, {\"type\": \"add\", \"inputs\": [\"e\", \"p\"]}, "

static mica_model *described(mica_device *device, const char *layers)
{
    char json[1200];
    mica_model *model = mica_model_create(device, &(mica_model_desc){.seed = 5});
    mi_format(json, sizeof json, "{\"input_shape\": [%d], \"layers\": [%s]}", WINDOW, layers);
    if (mica_model_add_json(model, json) != MICA_OK)
        fail_msg("%s", mica_model_error(model));
    return model;
}

static void fine(mica_device *device, mica_status status)
{
    if (status != MICA_OK)
        fail_msg("%s", mica_device_error(device));
}

/* The model's layers, of its first input and its first output. */
static void make(mica_device *device, mica_model *model, int64_t batch, struct mi_stepper *stepper)
{
    fine(device, mi_stepper_create(model, model->graph->inputs[0], mi_model_output(model->graph, NULL), batch, stepper));
}

static void take(mica_device *device, struct mi_stepper *stepper, float token, float *out)
{
    fine(device, mi_stepper_take(stepper, &token, 1));
    fine(device, mi_stepper_answer(stepper, out, TOKENS));
}

static void compare(mica_device *device, const char *layers, bool turned, bool ends)
{
    float tokens[WINDOW], whole[WINDOW * TOKENS], one[TOKENS], first[TOKENS];
    struct mi_stepper stepper;
    mica_model *model = described(device, layers);
    for (int t = 0; t < WINDOW; t++)
        tokens[t] = (float)((t * 5 + 2) % TOKENS);
    mica_plan *plan = mica_compile(model, NULL);
    mica_plan_write(plan, NULL, tokens, WINDOW);
    mica_plan_run(plan, 1);
    fine(device, mica_plan_read(plan, NULL, whole, WINDOW * TOKENS));
    mica_plan_destroy(plan);
    make(device, model, 1, &stepper);
    if (!stepper.plan)
        fail_msg("%s: it cannot be taken apart", layers);
    assert_int_equal(stepper.most, ends ? WINDOW : 0);
    for (int round = 0; round < 2; round++) {
        fine(device, mi_stepper_begin(&stepper));
        for (int t = 0; t < WINDOW; t++) {
            take(device, &stepper, tokens[t], one);
            for (int c = 0; c < TOKENS; c++) {
                float want = whole[turned ? c * WINDOW + t : t * TOKENS + c];
                if (!(fabsf(one[c] - want) <= 2e-6f * fmaxf(1, fabsf(want))))
                    fail_msg("%s: step %d, class %d is %.9g, not %.9g", layers, t, c, (double)one[c], (double)want);
            }
            if (round && t == 0)
                assert_memory_equal(one, first, sizeof first);
            else if (t == 0)
                memcpy(first, one, sizeof first);
        }
    }
    mi_stepper_destroy(&stepper);
    mica_model_destroy(model);
}

static const struct { const char *layers; bool turned, ends; } steps[] = {
    {HEAD TAIL, false, false},
    {HEAD "{\"type\": \"lstm\", \"units\": 6, \"return_sequences\": true}, " TAIL TURNED, true, false},
    {HEAD "{\"type\": \"gru\", \"units\": 6, \"return_sequences\": true, \"stateful\": true}, " TAIL, false, false},
    {HEAD "{\"type\": \"gru\", \"units\": 6, \"return_sequences\": true, \"reset_after\": false}, "
          "{\"type\": \"layer_normalization\"}, {\"type\": \"simple_rnn\", \"units\": 5, \"return_sequences\": true}, "
          "{\"type\": \"dropout\", \"rate\": 0.5}, " TAIL ", {\"type\": \"softmax\"}" TURNED, true, false},
    {PLACES("\"position_embedding\", \"sequence_length\": 12") DECODER "}, " DECODER ", \"normalize_first\": true}, " TAIL TURNED, true,
     true},
    {PLACES("\"sine_position_encoding\"") DECODER "}, " TAIL, false, true},
    {HEAD "{\"type\": \"rotary_embedding\"}, {\"type\": \"multi_head_attention\", \"num_heads\": 2, \"key_dim\": 3, \"value_dim\": 5" CAUSAL TAIL,
     false, true},
    {HEAD "{\"type\": \"multi_head_attention\", \"num_heads\": 3, \"key_dim\": 4, \"alibi\": true" CAUSAL TAIL, false, true},
    {HEAD "{\"type\": \"grouped_query_attention\", \"head_dim\": 4, \"num_query_heads\": 4, \"num_key_value_heads\": 2" CAUSAL TAIL,
     false, true},
    {HEAD "{\"type\": \"multi_head_attention\", \"num_heads\": 2, \"key_dim\": 4, \"rotary\": true" CAUSAL TAIL, false, true},
    {HEAD "{\"type\": \"grouped_query_attention\", \"head_dim\": 4, \"num_query_heads\": 4, \"num_key_value_heads\": 2, "
          "\"rotary\": true" CAUSAL "{\"type\": \"dense\", \"units\": 7, \"use_bias\": false, \"tied_to\": \"e\"}", false, true},
    {"{\"type\": \"embedding\", \"input_dim\": 7, \"output_dim\": 8, \"mask_zero\": true}, " DECODER "}, " TAIL, false, true},
    {"{\"type\": \"embedding\", \"input_dim\": 7, \"output_dim\": 8, \"mask_zero\": true}, "
     "{\"type\": \"lstm\", \"units\": 6, \"return_sequences\": true}, " TAIL, false, false},
    {HEAD "{\"type\": \"time_distributed\", \"layer\": {\"type\": \"dense\", \"units\": 4}}, {\"type\": \"map\", \"expression\": \"x * x\"}, " TAIL,
     false, false},
};

static void step_by_step(void **state)
{
    for (size_t i = 0; i < MI_COUNT(steps); i++)
        compare(*state, steps[i].layers, steps[i].turned, steps[i].ends);
}

static void debug(void **state)
{
    (void)state;
    mica_device *device = mica_device_open(&(mica_device_desc){.debug = true});
    compare(device, steps[1].layers, steps[1].turned, steps[1].ends);
    compare(device, steps[4].layers, steps[4].turned, steps[4].ends);
    mica_device_destroy(device);
}

/* Many steps in a run, of two sequences, which then change places. */
static void several(void **state)
{
    enum { LONG = 40, AT_ONCE = 32 };
    static const char *const layers[] = {
        PLACES("\"position_embedding\", \"sequence_length\": 40") DECODER "}, " TAIL,
        HEAD "{\"type\": \"multi_head_attention\", \"num_heads\": 2, \"key_dim\": 4, \"rotary\": true" CAUSAL
             "{\"type\": \"lstm\", \"units\": 6, \"return_sequences\": true}, " TAIL};
    for (size_t k = 0; k < MI_COUNT(layers); k++) {
        char json[1200];
        float tokens[2][LONG], whole[2][LONG * TOKENS], first[2 * AT_ONCE], two[2], out[2][TOKENS];
        const int32_t turned[] = {1, 0};
        struct mi_stepper stepper;
        int64_t length = 0;
        mica_model *model = mica_model_create(*state, &(mica_model_desc){.seed = 5});
        mi_format(json, sizeof json, "{\"input_shape\": [%d], \"layers\": [%s]}", LONG, layers[k]);
        assert_int_equal(mica_model_add_json(model, json), MICA_OK);
        for (int t = 0; t < LONG; t++) {
            tokens[0][t] = (float)((t * 5 + 2) % TOKENS);
            tokens[1][t] = (float)((t * t + 1) % TOKENS);
        }
        assert_int_equal(mica_predict(model, tokens[0], 2, whole[0], 2 * LONG * TOKENS), MICA_OK);
        make(*state, model, 2, &stepper);
        fine(*state, mi_stepper_begin(&stepper));
        fine(*state, mi_stepper_length(&stepper, LONG, &length));
        assert_int_equal(length, 1); /* no plan is compiled for so few */
        fine(*state, mi_stepper_length(&stepper, 2 * LONG, &length));
        assert_int_equal(length, AT_ONCE);
        for (int i = 0; i < 2 * AT_ONCE; i++)
            first[i] = tokens[i / AT_ONCE][i % AT_ONCE];
        fine(*state, mi_stepper_take(&stepper, first, AT_ONCE));
        for (int t = AT_ONCE; t < LONG; t++) {
            int other = t >= LONG - 4; /* since the sequences have changed places */
            if (t == LONG - 4)
                fine(*state, mi_stepper_reorder(&stepper, turned));
            for (int i = 0; i < 2; i++)
                two[i] = tokens[i ^ other][t];
            fine(*state, mi_stepper_take(&stepper, two, 1));
            fine(*state, mi_stepper_answer(&stepper, out[0], 2 * TOKENS));
            for (int i = 0; i < 2 * TOKENS; i++) {
                float want = whole[(i / TOKENS) ^ other][t * TOKENS + i % TOKENS], is = out[i / TOKENS][i % TOKENS];
                if (!(fabsf(is - want) <= 3e-6f * fmaxf(1, fabsf(want))))
                    fail_msg("%s: step %d is %.9g, not %.9g", layers[k], t, (double)is, (double)want);
            }
        }
        mi_stepper_destroy(&stepper);
        mica_model_destroy(model);
    }
}

/* What is trained meanwhile counts: the plan reads the model's variables. */
static void shared(void **state)
{
    float weight[8 * TOKENS] = {0}, out[TOKENS], bias[TOKENS];
    struct mi_stepper stepper;
    mica_model *model = described(*state, steps[4].layers);
    make(*state, model, 1, &stepper);
    take(*state, &stepper, 3, out);
    for (int c = 0; c < TOKENS; c++)
        bias[c] = (float)c;
    fine(*state, mica_model_write(model, "dense.weight", weight, 8 * TOKENS));
    fine(*state, mica_model_write(model, "dense.bias", bias, TOKENS));
    take(*state, &stepper, 3, out);
    assert_memory_equal(out, bias, sizeof bias);
    mi_stepper_destroy(&stepper);
    mica_model_destroy(model);
}

/* No key of a layer that is not there yet, no later step, no axis but the steps' own. */
static void whole_alone(void **state)
{
    static const char *const layers[] = {
        HEAD "{\"type\": \"gru\", \"units\": 6, \"return_sequences\": true, \"go_backwards\": true}, " TAIL,
        HEAD "{\"type\": \"bidirectional\", \"layer\": {\"type\": \"gru\", \"units\": 6, \"return_sequences\": true}}, " TAIL,
        HEAD "{\"type\": \"transformer_encoder\", \"intermediate_dim\": 12, \"num_heads\": 2}, " TAIL,
        HEAD DECODER ", \"use_causal_mask\": false}, " TAIL,
        HEAD "{\"type\": \"softmax\", \"axis\": 1}, " TAIL,
        HEAD "{\"type\": \"unit_normalization\", \"axis\": [-2, -1]}, " TAIL,
        HEAD "{\"type\": \"layer_normalization\", \"axis\": 1}, " TAIL,
        HEAD "{\"type\": \"batch_normalization\"}, " TAIL,
        HEAD "{\"type\": \"permute\", \"dims\": [2, 1]}, {\"type\": \"dense\", \"units\": 9}, {\"type\": \"permute\", \"dims\": [2, 1]}, " TAIL,
        HEAD "{\"type\": \"flatten\"}, {\"type\": \"dense\", \"units\": 63}, {\"type\": \"reshape\", \"target_shape\": [9, 7]}",
    };
    for (size_t i = 0; i < MI_COUNT(layers); i++) {
        struct mi_stepper stepper;
        mica_model *model = described(*state, layers[i]);
        make(*state, model, 1, &stepper);
        if (stepper.plan)
            fail_msg("%s: it was taken apart", layers[i]);
        assert_int_equal(mica_model_status(model), MICA_OK);
        assert_int_equal(mica_device_status(*state), MICA_OK);
        mica_model_destroy(model);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(step_by_step), cmocka_unit_test(debug), cmocka_unit_test(several), cmocka_unit_test(shared), cmocka_unit_test(whole_alone),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
