/* Continues a text: the model's answer at the last token that it reads is drawn from, and what was drawn is read next. */
#include "nn/loss/loss.h"
#include "nn/stepper.h"
#include "train/training.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct weighted {
    double weight;
    int32_t token;
};

struct generating {
    mica_model *model;
    const mica_generate_desc *desc;
    struct mi_prepared prepared;
    const struct mi_vocabulary *vocabulary;
    int64_t window, classes;       /* the model's output has at least as many classes as the vocabulary */
    bool classes_last, shares;     /* the output is (window, classes); it has probabilities already */
    struct mi_stepper stepper;     /* takes token after token; without a plan the model runs its whole window for each */
    float *inputs, *outputs;       /* (window), (window x classes), or (classes) of the last token that a stepper took */
    int64_t count;                 /* tokens that the window holds */
    struct weighted *candidates;   /* (of the vocabulary) */
    struct mi_text bytes;          /* of a character that is not whole yet */
};

static struct mi_error *error_of(const struct generating *g)
{
    return &g->model->device->error;
}

/* ---- What is asked for ---- */

static mica_status check_desc(mica_model *model, const char *prompt, const mica_generate_desc *desc)
{
    struct mi_error *error = &model->device->error;
    if (!prompt || !desc)
        return mi_fail(error, MICA_INVALID_ARGUMENT, "to continue a text takes a prompt and a description; the %s NULL",
                       !prompt ? "prompt is" : "description is");
    if (desc->tokens < 1)
        return mi_fail(error, MICA_INVALID_ARGUMENT, "tokens is %lld, must be at least 1", (long long)desc->tokens);
    if (!(desc->temperature >= 0) || isinf(desc->temperature))
        return mi_fail(error, MICA_INVALID_ARGUMENT, "temperature is %g, must be at least 0", (double)desc->temperature);
    if (desc->top_k < 0)
        return mi_fail(error, MICA_INVALID_ARGUMENT, "top_k is %d, must be at least 0", desc->top_k);
    if (!(desc->top_p >= 0 && desc->top_p <= 1))
        return mi_fail(error, MICA_INVALID_ARGUMENT, "top_p is %g, must be from 0 to 1", (double)desc->top_p);
    size_t size = strlen(prompt), fault = mi_text_fault(prompt, size);
    if (fault == size)
        return MICA_OK;
    return mi_fail(error, MICA_DATA, "the prompt: byte %zu (0x%02x) is no text in UTF-8", fault, (unsigned char)prompt[fault]);
}

static mica_status find_vocabulary(struct generating *g)
{
    const struct mi_graph *graph = g->model->graph;
    if (graph->input_count != 1)
        return mi_fail(error_of(g), MICA_UNSUPPORTED, mi_inputs_beside_lengths(graph) == 1
                       ? "a model that continues a text reads all steps of its window, and the length of this one's input varies"
                       : "the model has %zu inputs, one that continues a text has one", graph->input_count);
    MI_TRY(mi_prepared_parse(error_of(g), "the model", g->model->preprocess, &g->prepared));
    const struct mi_preprocess *p = mi_prepared_find(&g->prepared, MICA_INPUT, graph->inputs[0]->name);
    if (!p || !p->vocabulary.count)
        return mi_fail(error_of(g), MICA_DATA, "the model has no vocabulary: it was not trained on a text");
    if (p->vocabulary.padded)
        return mi_fail(error_of(g), MICA_UNSUPPORTED, "the model was trained on a column of texts, not to say what comes next");
    g->vocabulary = &p->vocabulary;
    g->window = mi_shape_count(&graph->inputs[0]->shape, 1);
    return MICA_OK;
}

/* Which axis of the output is that of the classes. */
static mica_status find_classes(struct generating *g)
{
    const mi_value *output = mi_model_output(g->model->graph, NULL);
    struct mi_arena arena = {0};
    if (!output)
        return mi_fail(error_of(g), MICA_INVALID_ARGUMENT, "the model has no output: mica_output declares one");
    MI_TRY(mi_model_check_samples(error_of(g), output));
    const struct mi_dim *dim = output->shape.dim;
    bool both = output->shape.rank == 3;
    if (both && dim[2].b == g->window && dim[1].b >= g->vocabulary->count) {
        g->classes = dim[1].b;
    } else if (both && dim[1].b == g->window && dim[2].b >= g->vocabulary->count) {
        g->classes = dim[2].b;
        g->classes_last = true;
    } else {
        mi_fail(error_of(g), MICA_SHAPE, "the model's output has shape %s; to continue a text it must be (%d classes, %lld "
                "places), or these the other way round", mi_shape_text(&arena, &output->shape), g->vocabulary->count,
                (long long)g->window);
        mi_arena_destroy(&arena);
        return MICA_SHAPE;
    }
    return mi_gives_shares(error_of(g), output, &g->shares);
}

/* ---- Running ---- */

static float score(const struct generating *g, int64_t place, int64_t token)
{
    if (g->stepper.plan)
        return g->outputs[token];
    return g->outputs[g->classes_last ? place * g->classes + token : token * g->window + place];
}

static mica_status run(struct generating *g)
{
    const struct mi_graph *graph = g->model->graph;
    MI_TRY(mi_model_predictor(g->model, 1)); /* kept from turn to turn, but whoever is told of a token may have trained the model */
    mica_plan *plan = g->model->predictor;
    if (mi_plan_input(plan, graph->inputs[0]->name) < 0)
        return mi_fail(error_of(g), MICA_UNSUPPORTED, "the model's output does not depend on its input: it cannot continue a text");
    MI_TRY(mica_plan_write(plan, graph->inputs[0]->name, g->inputs, (size_t)g->window));
    MI_TRY(mica_plan_run(plan, 1));
    return mica_plan_read(plan, graph->outputs[0]->name, g->outputs, (size_t)(g->window * g->classes));
}

/* The stepper, of an earlier call or made now; a call within this one makes its own. */
static mica_status take_stepper(struct generating *g)
{
    g->stepper = g->model->stepper;
    g->model->stepper.plan = NULL;
    if (!g->stepper.plan)
        MI_TRY(mi_stepper_create(g->model, &g->stepper));
    return g->stepper.plan ? mi_stepper_begin(&g->stepper) : MICA_OK;
}

static void give_stepper(struct generating *g)
{
    mica_plan_destroy(g->model->stepper.plan);
    g->model->stepper = g->stepper;
}

static mica_status take_step(struct generating *g, float token)
{
    MI_TRY(mica_plan_write(g->stepper.plan, NULL, &token, 1));
    return mi_stepper_run(&g->stepper);
}

/* A stepper that is at its end begins anew with the last half of the window. */
static mica_status step(struct generating *g)
{
    int64_t from = g->count - 1;
    if (g->stepper.most && g->stepper.taken == g->stepper.most) {
        MI_TRY(mi_stepper_begin(&g->stepper));
        from = g->window - g->window / 2;
    }
    for (int64_t i = from; i < g->count; i++)
        MI_TRY(take_step(g, g->inputs[i]));
    return MICA_OK;
}

/* The scores of what comes behind the window's last token. */
static mica_status answer(struct generating *g)
{
    if (!g->stepper.plan)
        return run(g);
    return mica_plan_read(g->stepper.plan, NULL, g->outputs, (size_t)g->classes);
}

/* Whether the answer at the first place hangs on what stands behind it: it is asked for with other tokens there. */
static mica_status check_reading(struct generating *g)
{
    int64_t many = g->vocabulary->count;
    float *first = mi_new((size_t)many, sizeof *first);
    bool same = true;
    mica_status status = first ? run(g) : mi_out_of_memory(error_of(g));
    for (int64_t c = 0; status == MICA_OK && c < many; c++)
        first[c] = score(g, 0, c);
    for (int64_t i = 1; i < g->window; i++)
        g->inputs[i] = (float)(many - 1);
    if (status == MICA_OK)
        status = run(g);
    for (int64_t c = 0; status == MICA_OK && c < many; c++)
        same = same && !(fabsf(first[c] - score(g, 0, c)) > 1e-3f * (1 + fabsf(first[c])));
    free(first);
    if (same)
        return status;
    return mi_fail(error_of(g), MICA_UNSUPPORTED, "the model reads what stands behind a place, as a bidirectional layer does: it "
                   "cannot say what comes next");
}

/* ---- The prompt ---- */

/* Behind the last token; the oldest leaves a full window. */
static mica_status push(struct generating *g, int32_t token)
{
    if (g->count == g->window)
        memmove(g->inputs, g->inputs + 1, (size_t)(g->window - 1) * sizeof *g->inputs);
    else
        g->count++;
    g->inputs[g->count - 1] = (float)token;
    return g->stepper.plan ? step(g) : MICA_OK;
}

/* A model whose window ends reads the last tokens that it holds, one that goes on for ever all of them. */
static mica_status push_all(struct generating *g, const struct mi_tokens *tokens)
{
    bool for_ever = g->stepper.plan && !g->stepper.most;
    size_t from = for_ever || tokens->count < (size_t)g->window ? 0 : tokens->count - (size_t)g->window;
    for (size_t i = from; i < tokens->count; i++)
        MI_TRY(push(g, tokens->list[i]));
    return MICA_OK;
}

static void note_unknown(const struct generating *g, const struct mi_words *words, const struct mi_numbering *numbering)
{
    const char **unknown = mi_new(words->count + 1, sizeof *unknown);
    size_t count = 0;
    for (size_t i = 0; unknown && i < words->count; i++)
        if (numbering->list[numbering->begin[i]] == mi_vocabulary_unknown(g->vocabulary))
            unknown[count++] = words->list[i];
    struct mi_text line = {0};
    mi_text_add(&line, "the model does not know %zu of the prompt's %s", count,
                mi_tokens_noun(g->vocabulary->tokens));
    for (size_t i = 0; i < count && i <= 8; i++)
        mi_text_add(&line, i == 8 ? ", ..." : i ? ", \"%s\"" : ": \"%s\"", mi_show(unknown[i]).text);
    if (count && !line.failed)
        g->desc->note(g->desc->user, mi_text_get(&line));
    mi_text_destroy(&line);
    free(unknown);
}

static mica_status read_prompt(struct generating *g, const char *prompt)
{
    struct mi_words words = {0};
    struct mi_tokens tokens = {0};
    struct mi_numbering numbering = {0};
    bool read = mi_tokens_read(g->vocabulary, prompt, &words, &tokens) &&
                mi_vocabulary_number(g->vocabulary, &words, &numbering) && mi_tokens_number(&numbering, &tokens, NULL, 0);
    mica_status status = read ? MICA_OK : mi_out_of_memory(error_of(g));
    if (read && !tokens.count)
        status = mi_fail(error_of(g), MICA_INVALID_ARGUMENT, "the prompt is empty: the model continues at least one token");
    if (read && g->desc->note)
        note_unknown(g, &words, &numbering);
    if (status == MICA_OK)
        status = push_all(g, &tokens);
    mi_numbering_destroy(&numbering);
    free(tokens.list);
    mi_words_destroy(&words);
    return status;
}

/* ---- Drawing ---- */

/* The heaviest first, those of one weight in the order of the vocabulary. */
static int by_weight(const void *a, const void *b)
{
    const struct weighted *left = a, *right = b;
    return left->weight > right->weight ? -1 : left->weight < right->weight ? 1 : left->token - right->token;
}

/* The candidates in the order of their probability, as weights whose largest is 1. */
static mica_status weigh(struct generating *g)
{
    int64_t many = mi_vocabulary_known(g->vocabulary); /* nothing unknown is added */
    double temperature = g->desc->temperature > 0 ? (double)g->desc->temperature : 1;
    for (int64_t c = 0; c < many; c++) {
        double value = (double)score(g, g->count - 1, c);
        if (!isfinite(value))
            return mi_fail(error_of(g), MICA_DIVERGED, "the network's output is %g, which is no number", value);
        g->candidates[c] = (struct weighted){g->shares ? log(value > 1e-30 ? value : 1e-30) : value, (int32_t)c};
    }
    qsort(g->candidates, (size_t)many, sizeof *g->candidates, by_weight);
    for (int64_t c = many - 1; c >= 0; c--)
        g->candidates[c].weight = exp((g->candidates[c].weight - g->candidates[0].weight) / temperature);
    return MICA_OK;
}

static int32_t draw(const struct generating *g, int64_t turn)
{
    const mica_generate_desc *desc = g->desc;
    int64_t count = mi_vocabulary_known(g->vocabulary), kept = 0;
    double sum = 0, share = 0;
    if (desc->greedy)
        return g->candidates[0].token;
    count = desc->top_k && desc->top_k < count ? desc->top_k : count;
    for (int64_t c = 0; c < count; c++)
        sum += g->candidates[c].weight;
    double most = desc->top_p > 0 && desc->top_p < 1 ? (double)desc->top_p * sum : sum;
    while (kept < count && (!kept || share < most))
        share += g->candidates[kept++].weight;
    double at = (double)mi_uniform(desc->seed, 0, (uint64_t)turn) * share;
    for (int64_t c = 0; c + 1 < kept; c++) {
        at -= g->candidates[c].weight;
        if (at < 0)
            return g->candidates[c].token;
    }
    return g->candidates[kept - 1].token;
}

/* ---- All together ---- */

/* A token of byte pairs may end within a character, which is told with the next one, or after the last. */
static void add_token(struct generating *g, int32_t token, bool last, struct mi_text *out)
{
    const char *text = g->vocabulary->texts[token];
    bool bytes = g->vocabulary->tokens == MICA_BPE, blank = g->vocabulary->tokens == MICA_WORDS && !mi_is_mark(text);
    if (!bytes)
        mi_text_add(out, blank ? " %s" : "%s", text);
    if (!bytes)
        return;
    mi_token_bytes(text, &g->bytes);
    mi_characters_take(&g->bytes, last, out);
}

static mica_status tell(struct generating *g, int32_t token, bool last)
{
    struct mi_text spaced = {0};
    if (!g->desc->on_token)
        return MICA_OK;
    add_token(g, token, last, &spaced);
    bool failed = spaced.failed, goes_on = failed || g->desc->on_token(g->desc->user, mi_text_get(&spaced), token);
    mi_text_destroy(&spaced);
    if (failed)
        return mi_out_of_memory(error_of(g));
    return goes_on ? MICA_OK : MICA_CANCELLED;
}

static mica_status generate(struct generating *g, const char *prompt)
{
    size_t outputs;
    MI_TRY(find_vocabulary(g));
    MI_TRY(find_classes(g));
    if (g->vocabulary->count < 2 || !mi_mul_size((size_t)g->window, (size_t)g->classes, &outputs))
        return mi_fail(error_of(g), MICA_DATA, "the model's vocabulary has nothing that could be added");
    g->inputs = mi_new((size_t)g->window, sizeof *g->inputs);
    g->outputs = mi_new(outputs, sizeof *g->outputs);
    g->candidates = mi_new((size_t)g->vocabulary->count, sizeof *g->candidates);
    if (!g->inputs || !g->outputs || !g->candidates)
        return mi_out_of_memory(error_of(g));
    MI_TRY(take_stepper(g));
    if (!g->stepper.plan)
        MI_TRY(check_reading(g));
    MI_TRY(read_prompt(g, prompt));
    for (int64_t turn = 0; turn < g->desc->tokens; turn++) {
        MI_TRY(answer(g));
        MI_TRY(weigh(g));
        int32_t token = draw(g, turn);
        MI_TRY(tell(g, token, turn + 1 == g->desc->tokens));
        if (turn + 1 < g->desc->tokens)
            MI_TRY(push(g, token));
    }
    return MICA_OK;
}

mica_status mica_generate(mica_model *model, const char *prompt, const mica_generate_desc *desc)
{
    struct generating g = {.model = model, .desc = desc};
    if (!model)
        return MICA_INVALID_ARGUMENT;
    MI_TRY(mi_model_begin(model));
    MI_TRY(check_desc(model, prompt, desc));
    mica_status status = generate(&g, prompt);
    give_stepper(&g);
    mi_prepared_destroy(&g.prepared);
    free(g.inputs);
    free(g.outputs);
    free(g.candidates);
    mi_text_destroy(&g.bytes);
    return status;
}
