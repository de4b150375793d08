/* Sequences that grow: by a stepper, which takes what was pushed once somebody asks what comes next, or by whole windows. */
#include "train/sequences.h"

#include "nn/loss/loss.h"
#include "train/training.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct mi_error *error_of(const struct mi_sequences *s)
{
    return &s->model->device->error;
}

/* ---- What the model gives ---- */

mica_status mi_sequences_check(struct mi_sequences *s, int64_t least)
{
    struct mi_arena arena = {0};
    MI_TRY(mi_model_check_samples(error_of(s), s->output));
    const struct mi_dim *dim = s->output->shape.dim;
    bool both = s->output->shape.rank == 3;
    s->window = mi_shape_count(&s->input->shape, 1);
    s->classes_last = false;
    if (both && dim[2].b == s->window && dim[1].b >= least) {
        s->classes = dim[1].b;
    } else if (both && dim[1].b == s->window && dim[2].b >= least) {
        s->classes = dim[2].b;
        s->classes_last = true;
    } else {
        mi_fail(error_of(s), MICA_SHAPE, "the model's output has shape %s; to continue a text it must be (%lld classes, %lld "
                "places), or these the other way round", mi_shape_text(&arena, &s->output->shape), (long long)least,
                (long long)s->window);
        mi_arena_destroy(&arena);
        return MICA_SHAPE;
    }
    return mi_gives_shares(error_of(s), s->output, &s->shares);
}

static float score(const struct mi_sequences *s, int64_t row, int64_t place, int64_t token)
{
    if (s->stepper.plan)
        return s->outputs[row * s->classes + token];
    const float *outputs = s->outputs + row * s->window * s->classes;
    return outputs[s->classes_last ? place * s->classes + token : token * s->window + place];
}

mica_status mi_sequences_logarithms(const struct mi_sequences *s, int64_t row, int64_t count, const bool *never, double *out)
{
    double most = -INFINITY, sum = 0;
    for (int64_t c = 0; c < count; c++) {
        double value = (double)score(s, row, s->count - 1, c);
        if (!isfinite(value))
            return mi_fail(error_of(s), MICA_DIVERGED, "the network's output is %g, which is no number", value);
        out[c] = never[c] ? (double)-INFINITY : s->shares ? log(value > 1e-30 ? value : 1e-30) : value;
        most = out[c] > most ? out[c] : most;
    }
    for (int64_t c = 0; c < count; c++)
        sum += exp(out[c] - most);
    for (int64_t c = 0; c < count; c++)
        out[c] -= most + log(sum);
    return MICA_OK;
}

/* ---- Whole windows ---- */

/* Each sequence reads its source. */
static mica_status write_given(const struct mi_sequences *s, const struct mi_given *given)
{
    size_t each = (size_t)mi_shape_count(&given->input->shape, 1), bytes = each * mi_types[given->input->type].bytes;
    int64_t beside = s->rows / s->sources;
    if (mi_plan_input(s->model->predictor, given->input->name) < 0)
        return MICA_OK; /* nothing depends on it */
    if (beside == 1)
        return mica_plan_write_elements(s->model->predictor, given->input->name, (mica_type)given->input->type, given->elements,
                                        (size_t)s->rows * each);
    unsigned char *all = mi_new((size_t)s->rows, bytes);
    if (!all)
        return mi_out_of_memory(error_of(s));
    for (int64_t i = 0; i < s->rows; i++)
        memcpy(all + (size_t)i * bytes, (unsigned char *)given->elements + (size_t)(i / beside) * bytes, bytes);
    mica_status status = mica_plan_write_elements(s->model->predictor, given->input->name, (mica_type)given->input->type, all,
                                                  (size_t)s->rows * each);
    free(all);
    return status;
}

/* The plan is kept from turn to turn, but whoever is told of a token may have trained the model, or asked it something. */
static mica_status run(struct mi_sequences *s)
{
    MI_TRY(mi_model_predictor(s->model, s->rows));
    mica_plan *plan = s->model->predictor;
    if (mi_plan_input(plan, s->input->name) < 0)
        return mi_fail(error_of(s), MICA_UNSUPPORTED, "the model's output does not depend on its input: it cannot continue a text");
    MI_TRY(mica_plan_write(plan, s->input->name, s->tokens, (size_t)(s->rows * s->window)));
    for (int i = 0; i < s->given_count; i++)
        MI_TRY(write_given(s, &s->given[i]));
    MI_TRY(mica_plan_reset_states(plan));
    MI_TRY(mica_plan_run(plan, s->rows));
    const char *output = s->output_name ? s->output_name : s->model->graph->outputs[0]->name;
    return mica_plan_read(plan, output, s->outputs, (size_t)(s->rows * s->window * s->classes));
}

/* Whether the answer at the first place hangs on what stands behind it: it is asked for with other tokens there. */
static mica_status check_reading(struct mi_sequences *s)
{
    int64_t many = s->classes;
    float *first = mi_new((size_t)many, sizeof *first);
    bool same = true;
    s->tokens[0] = 1; /* 0 may be padding */
    mica_status status = first ? run(s) : mi_out_of_memory(error_of(s));
    for (int64_t c = 0; status == MICA_OK && c < many; c++)
        first[c] = score(s, 0, 0, c);
    for (int64_t i = 1; i < s->window; i++)
        s->tokens[i] = 1;
    if (status == MICA_OK)
        status = run(s);
    for (int64_t c = 0; status == MICA_OK && c < many; c++)
        same = same && !(fabsf(first[c] - score(s, 0, 0, c)) > 1e-3f * (1 + fabsf(first[c])));
    memset(s->tokens, 0, (size_t)(s->rows * s->window) * sizeof *s->tokens);
    free(first);
    if (same)
        return status;
    return mi_fail(error_of(s), MICA_UNSUPPORTED, "the model reads what stands behind a place, as a bidirectional layer does: it "
                   "cannot say what comes next");
}

/* ---- Step by step ---- */

static mica_status read_given(struct mi_sequences *s)
{
    const struct mi_graph *graph = s->model->graph;
    const void **elements = mi_new(graph->input_count, sizeof *elements);
    for (size_t i = 0; elements && i < graph->input_count; i++)
        for (int k = 0; k < s->given_count; k++)
            if (s->given[k].input == graph->inputs[i])
                elements[i] = s->given[k].elements;
    mica_status status = elements ? mi_stepper_read(&s->stepper, elements, s->sources) : mi_out_of_memory(error_of(s));
    free(elements);
    return status;
}

/* The stepper of an earlier call, where it is such a one, or made now; a call within this one makes its own. */
static mica_status take_stepper(struct mi_sequences *s)
{
    struct mi_stepper *kept = &s->model->stepper;
    if (kept->plan && kept->input == s->input && kept->output == s->output && kept->batch == s->rows) {
        s->stepper = *kept;
        *kept = (struct mi_stepper){NULL};
    } else {
        MI_TRY(mi_stepper_create(s->model, s->input, s->output, s->rows, &s->stepper));
    }
    if (!s->stepper.plan)
        return MICA_OK;
    MI_TRY(read_given(s));
    return mi_stepper_begin(&s->stepper);
}

/* What was pushed and not taken yet. */
static mica_status catch_up(struct mi_sequences *s)
{
    while (s->read < s->count) {
        int64_t steps;
        MI_TRY(mi_stepper_length(&s->stepper, s->count - s->read, &steps));
        for (int64_t i = 0; i < s->rows; i++)
            memcpy(s->column + i * steps, s->tokens + i * s->window + s->read, (size_t)steps * sizeof *s->column);
        MI_TRY(mi_stepper_take(&s->stepper, s->column, steps));
        s->read += steps;
    }
    return MICA_OK;
}

/* ---- All together ---- */

mica_status mi_sequences_create(struct mi_sequences *s, int64_t least)
{
    size_t all, answers;
    MI_TRY(mi_sequences_check(s, least));
    if (!mi_mul_size((size_t)s->rows, (size_t)s->window, &all) || !mi_mul_size(all, (size_t)s->classes, &answers))
        return mi_out_of_memory(error_of(s));
    s->tokens = mi_new(all, sizeof *s->tokens);
    s->column = mi_new(all, sizeof *s->column);
    if (!s->tokens || !s->column)
        return mi_out_of_memory(error_of(s));
    MI_TRY(take_stepper(s));
    if (s->stepper.plan)
        answers = (size_t)(s->rows * s->classes);
    s->outputs = mi_new(answers, sizeof *s->outputs);
    if (!s->outputs)
        return mi_out_of_memory(error_of(s));
    return s->stepper.plan ? MICA_OK : check_reading(s);
}

void mi_sequences_destroy(struct mi_sequences *s)
{
    if (s->stepper.plan) {
        mi_stepper_destroy(&s->model->stepper);
        s->model->stepper = s->stepper;
    }
    for (int i = 0; i < s->given_count; i++)
        free(s->given[i].elements);
    free(s->given);
    free(s->tokens);
    free(s->column);
    free(s->outputs);
}

bool mi_sequences_go_on(const struct mi_sequences *s)
{
    return s->stepper.plan && !s->stepper.most;
}

/* Makes room in a full window. A stepper that goes on for ever takes all of it, one at its end begins anew with the last half. */
static mica_status slide(struct mi_sequences *s)
{
    int64_t kept = mi_sequences_go_on(s) ? 0 : s->stepper.plan ? s->window / 2 - 1 : s->window - 1;
    if (mi_sequences_go_on(s))
        MI_TRY(catch_up(s));
    for (int64_t i = 0; i < s->rows; i++)
        memmove(s->tokens + i * s->window, s->tokens + (i + 1) * s->window - kept, (size_t)kept * sizeof *s->tokens);
    s->count = kept;
    s->read = 0;
    return s->stepper.plan && s->stepper.most ? mi_stepper_begin(&s->stepper) : MICA_OK;
}

mica_status mi_sequences_push(struct mi_sequences *s, const int32_t *tokens)
{
    if (s->count == s->window)
        MI_TRY(slide(s));
    for (int64_t i = 0; i < s->rows; i++)
        s->tokens[i * s->window + s->count] = (float)tokens[i];
    s->count++;
    return MICA_OK;
}

mica_status mi_sequences_answer(struct mi_sequences *s)
{
    if (!s->stepper.plan)
        return run(s);
    MI_TRY(catch_up(s));
    return mi_stepper_answer(&s->stepper, s->outputs, (size_t)(s->rows * s->classes));
}

mica_status mi_sequences_reorder(struct mi_sequences *s, const int32_t *from)
{
    bool same = true;
    for (int64_t i = 0; i < s->rows; i++)
        same = same && from[i] == i;
    if (same)
        return MICA_OK;
    memcpy(s->column, s->tokens, (size_t)(s->rows * s->window) * sizeof *s->tokens);
    for (int64_t i = 0; i < s->rows; i++)
        memcpy(s->tokens + i * s->window, s->column + from[i] * s->window, (size_t)s->count * sizeof *s->tokens);
    return s->stepper.plan ? mi_stepper_reorder(&s->stepper, from) : MICA_OK;
}
