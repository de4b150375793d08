/* Plans of a model's steps: of one, of several at once, of what is there before the first, and of states that change places. They
 * have the same states. */
#include "nn/stepper.h"

#include "nn/layer.h"
#include "nn/part.h"
#include "nn/steps.h"
#include "ops/ops.h"
#include "tune/tune.h"

#include <stdlib.h>
#include <string.h>

/* Steps at once, and how many must be waiting before a plan for so many is compiled. */
enum { SEVERAL = 32, WORTH = 2 * SEVERAL };

/* ---- Compiling ---- */

/* A compiled graph, which is taken over; NULL after an error. `of`: the plan whose states it has too. */
static mica_status compile(mica_model *model, struct mi_graph *graph, int64_t batch, const mica_plan *of, mica_plan **plan)
{
    struct mi_store *store = NULL;
    mica_status status = mi_adapted_check(model, graph);
    *plan = NULL;
    if (status == MICA_OK)
        status = mi_model_store(model, &store);
    if (status != MICA_OK) {
        mi_error_report(&model->device->error, &graph->error);
        mi_graph_destroy(graph);
        return status;
    }
    const struct mi_plan_desc how = {.device = model->device, .store = store, .graph = graph, .batch = batch, .exact = model->exact,
                                     .choices = &model->choices, .search = mi_tune, .seed = model->seed, .states_of = of};
    mi_plan_create(&how, plan);
    status = *plan ? mica_plan_status(*plan) : mi_out_of_memory(&model->device->error);
    if (status != MICA_OK) {
        mica_plan_destroy(*plan);
        *plan = NULL;
    }
    return status;
}

/* The same of the part of a graph that its outputs need. */
static mica_status compile_part(mica_model *model, struct mi_graph *graph, int64_t batch, const mica_plan *of, mica_plan **plan)
{
    if (mi_part_take(graph, NULL) == MICA_OK)
        return compile(model, graph, batch, of, plan);
    mica_status status = mi_error_report(&model->device->error, &graph->error);
    mi_graph_destroy(graph);
    return status;
}

mica_status mi_stepper_create(mica_model *model, const mi_value *input, const mi_value *output, int64_t batch,
                              struct mi_stepper *out)
{
    struct mi_steps steps;
    *out = (struct mi_stepper){.model = model, .input = input, .output = output, .batch = batch};
    MI_TRY(mi_model_check(model));
    mi_steps_build(model, input, output, 1, &steps);
    if (!steps.steps)
        return MICA_OK;
    out->most = steps.ends ? input->shape.dim[1].b : 0;
    out->early_count = steps.state_count;
    out->early_states = mi_new((size_t)steps.state_count, sizeof(struct mi_variable *));
    if (out->early_states && steps.state_count)
        memcpy(out->early_states, steps.state, (size_t)steps.state_count * sizeof *steps.state);
    mica_status status = out->early_states ? MICA_OK : mi_out_of_memory(&model->device->error);
    if (status == MICA_OK)
        status = compile_part(model, steps.steps, batch, NULL, &out->plan);
    else
        mi_graph_destroy(steps.steps);
    out->early_graph = steps.early;
    if (status != MICA_OK)
        mi_stepper_destroy(out);
    return status;
}

/* ---- What is there before the first step ---- */

/* Its plan, for so many sources. */
static mica_status compile_early(struct mi_stepper *stepper, int64_t sources)
{
    mica_model *model = stepper->model;
    if (stepper->early && stepper->sources == sources)
        return MICA_OK;
    mica_plan_destroy(stepper->early);
    stepper->early = NULL;
    struct mi_graph *graph = mi_graph_copy(stepper->early_graph, &model->device->error);
    MI_TRY(graph ? MICA_OK : model->device->error.status);
    MI_TRY(compile_part(model, graph, sources, NULL, &stepper->early));
    stepper->sources = sources;
    return MICA_OK;
}

mica_status mi_stepper_read(struct mi_stepper *stepper, const void *const *elements, int64_t sources)
{
    const struct mi_graph *whole = stepper->model->graph;
    if (!stepper->early_count)
        return MICA_OK;
    MI_TRY(compile_early(stepper, sources));
    for (size_t i = 0; i < whole->input_count; i++) {
        const mi_value *input = whole->inputs[i];
        if (input == stepper->input || mi_plan_input(stepper->early, input->name) < 0)
            continue;
        MI_TRY(mica_plan_write_elements(stepper->early, input->name, (mica_type)input->type, elements[i],
                                        (size_t)mi_shape_count(&input->shape, sources)));
    }
    return mica_plan_run(stepper->early, sources);
}

mica_status mi_stepper_begin(struct mi_stepper *stepper)
{
    stepper->taken = 0;
    MI_TRY(mica_plan_reset_states(stepper->plan));
    for (int i = 0; i < stepper->early_count && stepper->early; i++)
        MI_TRY(mi_state_copy(stepper->plan, stepper->early_states[i], stepper->early, i, stepper->sources));
    return MICA_OK;
}

/* ---- Steps ---- */

static mica_status compile_several(struct mi_stepper *stepper)
{
    struct mi_steps steps;
    stepper->tried_several = true;
    mi_steps_build(stepper->model, stepper->input, stepper->output, SEVERAL, &steps);
    mi_graph_destroy(steps.early);
    if (!steps.steps)
        return MICA_OK;
    return compile_part(stepper->model, steps.steps, stepper->batch, stepper->plan, &stepper->several);
}

mica_status mi_stepper_length(struct mi_stepper *stepper, int64_t waiting, int64_t *length)
{
    if (waiting > WORTH && !stepper->tried_several && stepper->input->shape.dim[1].b > SEVERAL)
        MI_TRY(compile_several(stepper));
    *length = waiting > SEVERAL && stepper->several ? SEVERAL : 1; /* the answer is read behind a single one */
    return MICA_OK;
}

/* `length` steps, which the plan's input has. */
static mica_status run(struct mi_stepper *stepper, mica_plan *plan, int64_t length)
{
    stepper->taken += length;
    return mi_plan_step(plan, &(struct mi_step){.n = (int32_t)stepper->batch, .step = (uint64_t)stepper->taken});
}

mica_status mi_stepper_run(struct mi_stepper *stepper)
{
    return run(stepper, stepper->plan, 1);
}

mica_status mi_stepper_take(struct mi_stepper *stepper, const float *steps, int64_t length)
{
    mica_plan *plan = length == 1 ? stepper->plan : stepper->several;
    MI_TRY(mica_plan_write(plan, NULL, steps, (size_t)(stepper->batch * length)));
    return run(stepper, plan, length);
}

mica_status mi_stepper_answer(struct mi_stepper *stepper, float *values, size_t count)
{
    return mica_plan_read(stepper->plan, NULL, values, count);
}

/* ---- Changing places ---- */

/* The axis of a state that counts samples. */
static int axis_of_samples(const struct mi_variable *state)
{
    int axis = 0;
    while (axis < state->shape.rank && !state->shape.dim[axis].a)
        axis++;
    return axis;
}

static bool is_early(const struct mi_stepper *stepper, const struct mi_variable *state)
{
    bool early = false;
    for (int i = 0; i < stepper->early_count; i++)
        early = early || stepper->early_states[i] == state;
    return early;
}

/* Each state becomes what it has at other samples; all of one source have the same early ones. */
static mica_status compile_places(struct mi_stepper *stepper)
{
    const struct mi_shape samples = {.rank = 1, .dim = {{1, 0}}};
    mica_model *model = stepper->model;
    struct mi_variable *state;
    struct mi_graph *graph = mi_graph_create(mi_ops, &model->variables);
    if (!graph)
        return mi_out_of_memory(&model->device->error);
    mi_value *from = mi_input(graph, "from", MI_INT32, &samples);
    mi_output(graph, "places", mi_op1(graph, "Neg", from));
    for (int i = 0; (state = mi_plan_state(stepper->plan, i)) != NULL; i++) {
        int axis = axis_of_samples(state);
        mi_value *in[] = {mi_variable(graph, state), from};
        if (axis < state->shape.rank && !is_early(stepper, state))
            mi_assign(graph, state, mi_apply(graph, "Gather", in, 2, (const struct mi_attribute[]){
                MI_INT("axis", axis), MI_INT("checked", 1)}, 2));
    }
    return compile(model, graph, stepper->batch, stepper->plan, &stepper->places);
}

mica_status mi_stepper_reorder(struct mi_stepper *stepper, const int32_t *from)
{
    if (!stepper->places)
        MI_TRY(compile_places(stepper));
    MI_TRY(mica_plan_write_elements(stepper->places, "from", MICA_INT32, from, (size_t)stepper->batch));
    return mica_plan_run(stepper->places, stepper->batch);
}
