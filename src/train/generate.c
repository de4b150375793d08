/* Continues texts: the model's answer at the last token that it reads is drawn from, and what was drawn is read next. Prompts
 * side by side are read from their first tokens on: a shorter one is continued while longer ones are still read. */
#include "train/beams.h"
#include "train/training.h"
#include "train/writing.h"

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
    int64_t first, count;          /* prompts side by side, from a number on */
    struct mi_prepared prepared;
    const struct mi_vocabulary *vocabulary;
    int64_t known;                 /* classes that may be added */
    bool *never;                   /* (known) which may not: none */
    int32_t end;                   /* -1: there is none */
    struct mi_sequences sequences;
    struct mi_tokens *prompts;     /* (count) */
    struct mi_writing *written;    /* (count) */
    int32_t *next;                 /* (count) the token that each reads next */
    struct weighted *candidates;   /* (known) */
    double *logarithms;            /* (known) */
};

static struct mi_error *error_of(const struct generating *g)
{
    return &g->model->device->error;
}

static int beams_of(const mica_generate_desc *desc)
{
    return desc->num_beams > 1 ? desc->num_beams : 1;
}

/* ---- What is asked for ---- */

static mica_status check_drawing(struct mi_error *error, const mica_generate_desc *desc)
{
    if (!(desc->temperature >= 0) || isinf(desc->temperature))
        return mi_fail(error, MICA_INVALID_ARGUMENT, "temperature is %g, must be at least 0", (double)desc->temperature);
    if (desc->top_k < 0)
        return mi_fail(error, MICA_INVALID_ARGUMENT, "top_k is %d, must be at least 0", desc->top_k);
    if (!(desc->top_p >= 0 && desc->top_p <= 1))
        return mi_fail(error, MICA_INVALID_ARGUMENT, "top_p is %g, must be from 0 to 1", (double)desc->top_p);
    if (beams_of(desc) > 1 && (desc->temperature > 0 || desc->top_k || desc->top_p > 0))
        return mi_fail(error, MICA_INVALID_ARGUMENT, "num_beams is %d: beam search draws nothing, and takes no temperature, "
                       "top_k or top_p", desc->num_beams);
    return MICA_OK;
}

static mica_status check_prompt(struct mi_error *error, const char *prompt)
{
    if (!prompt)
        return mi_fail(error, MICA_INVALID_ARGUMENT, "to continue a text takes a prompt and a description; the prompt is NULL");
    size_t size = strlen(prompt), fault = mi_text_fault(prompt, size);
    if (fault == size)
        return MICA_OK;
    return mi_fail(error, MICA_DATA, "the prompt: byte %zu (0x%02x) is no text in UTF-8", fault, (unsigned char)prompt[fault]);
}

static mica_status check(mica_model *model, const char *const *prompts, int64_t count, const mica_generate_desc *desc)
{
    struct mi_error *error = &model->device->error;
    if (!desc || !prompts)
        return mi_fail(error, MICA_INVALID_ARGUMENT, "to continue a text takes a prompt and a description; the %s NULL",
                       desc ? "prompts are" : "description is");
    if (count < 0)
        return mi_fail(error, MICA_INVALID_ARGUMENT, "%lld prompts to continue", (long long)count);
    for (int64_t i = 0; i < count; i++)
        MI_TRY(check_prompt(error, prompts[i]));
    if (desc->tokens < 1)
        return mi_fail(error, MICA_INVALID_ARGUMENT, "tokens is %lld, must be at least 1", (long long)desc->tokens);
    MI_TRY(mi_beams_check(error, desc->num_beams, desc->length_penalty));
    return check_drawing(error, desc);
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
    g->known = mi_vocabulary_known(g->vocabulary); /* nothing unknown is added */
    if (g->vocabulary->count < 2)
        return mi_fail(error_of(g), MICA_DATA, "the model's vocabulary has nothing that could be added");
    return MICA_OK;
}

/* ---- Prompts ---- */

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

/* The numbers of a text's tokens; the caller frees them, also after an error. */
static mica_status read_tokens(struct generating *g, const char *text, bool note, struct mi_tokens *tokens)
{
    struct mi_words words = {0};
    struct mi_numbering numbering = {0};
    bool read = mi_tokens_read(g->vocabulary, text, &words, tokens) && mi_vocabulary_number(g->vocabulary, &words, &numbering) &&
                mi_tokens_number(&numbering, tokens, NULL, 0);
    if (read && note)
        note_unknown(g, &words, &numbering);
    mi_numbering_destroy(&numbering);
    mi_words_destroy(&words);
    return read ? MICA_OK : mi_out_of_memory(error_of(g));
}

static mica_status read_end(struct generating *g)
{
    const char *end = g->desc->end;
    struct mi_tokens tokens = {0};
    g->end = -1;
    if (!end)
        return MICA_OK;
    if (mi_text_fault(end, strlen(end)) < strlen(end))
        return mi_fail(error_of(g), MICA_DATA, "end is no text in UTF-8");
    mica_status status = read_tokens(g, end, false, &tokens);
    bool one = status == MICA_OK && tokens.count == 1 && tokens.list[0] < g->known;
    if (status == MICA_OK && !one)
        status = mi_fail(error_of(g), MICA_INVALID_ARGUMENT, "end is \"%s\", which is %s of the model's %s, and must be one",
                         mi_show(end).text, tokens.count > 1 ? "several" : "none", mi_tokens_noun(g->vocabulary->tokens));
    g->end = one ? tokens.list[0] : -1;
    free(tokens.list);
    return status;
}

/* A model whose window ends reads the last tokens that it holds, one that goes on for ever all of them. */
static mica_status read_prompt(struct generating *g, const char *prompt, struct mi_tokens *tokens)
{
    size_t window = (size_t)g->sequences.window;
    MI_TRY(read_tokens(g, prompt, g->desc->note != NULL, tokens));
    if (!tokens->count)
        return mi_fail(error_of(g), MICA_INVALID_ARGUMENT, "the prompt is empty: the model continues at least one token");
    if (tokens->count > window && !mi_sequences_go_on(&g->sequences)) {
        memmove(tokens->list, tokens->list + (tokens->count - window), window * sizeof *tokens->list);
        tokens->count = window;
    }
    return MICA_OK;
}

/* ---- Drawing ---- */

/* The heaviest first, those of one weight in the order of the vocabulary. */
static int by_weight(const void *a, const void *b)
{
    const struct weighted *left = a, *right = b;
    return left->weight > right->weight ? -1 : left->weight < right->weight ? 1 : left->token - right->token;
}

/* The candidates in the order of their probability, as weights whose largest is 1. */
static mica_status weigh(struct generating *g, int64_t row)
{
    double temperature = g->desc->temperature > 0 ? (double)g->desc->temperature : 1;
    MI_TRY(mi_sequences_logarithms(&g->sequences, row, g->known, g->never, g->logarithms));
    for (int64_t c = 0; c < g->known; c++)
        g->candidates[c] = (struct weighted){g->logarithms[c], (int32_t)c};
    qsort(g->candidates, (size_t)g->known, sizeof *g->candidates, by_weight);
    for (int64_t c = g->known - 1; c >= 0; c--)
        g->candidates[c].weight = exp((g->candidates[c].weight - g->candidates[0].weight) / temperature);
    return MICA_OK;
}

static int32_t draw(const struct generating *g, uint64_t seed, uint64_t turn)
{
    const mica_generate_desc *desc = g->desc;
    int64_t count = g->known, kept = 0;
    double sum = 0, share = 0;
    if (desc->greedy)
        return g->candidates[0].token;
    count = desc->top_k && desc->top_k < count ? desc->top_k : count;
    for (int64_t c = 0; c < count; c++)
        sum += g->candidates[c].weight;
    double most = desc->top_p > 0 && desc->top_p < 1 ? (double)desc->top_p * sum : sum;
    while (kept < count && (!kept || share < most))
        share += g->candidates[kept++].weight;
    double at = (double)mi_uniform(seed, 0, turn) * share;
    for (int64_t c = 0; c + 1 < kept; c++) {
        at -= g->candidates[c].weight;
        if (at < 0)
            return g->candidates[c].token;
    }
    return g->candidates[kept - 1].token;
}

/* ---- Telling ---- */

static mica_status take(struct generating *g, int64_t i, int32_t token, bool last)
{
    struct mi_writing *writing = &g->written[i];
    size_t from;
    if (!mi_writing_add(writing, token, last, &from))
        return mi_out_of_memory(error_of(g));
    if (g->desc->on_token && !g->desc->on_token(g->desc->user, mi_text_get(&writing->text) + from, token))
        return MICA_CANCELLED;
    return MICA_OK;
}

static mica_status tell(struct generating *g, int64_t i)
{
    const mica_written told = mi_writing_told(&g->written[i], g->first + i);
    g->written[i].over = true;
    return !g->desc->on_written || g->desc->on_written(g->desc->user, &told) ? MICA_OK : MICA_CANCELLED;
}

/* ---- One token after another ---- */

/* What comes behind the last token of a sequence. */
static mica_status continue_one(struct generating *g, int64_t i)
{
    struct mi_writing *writing = &g->written[i];
    uint64_t turn = writing->count;
    MI_TRY(weigh(g, i));
    int32_t token = draw(g, g->desc->seed + (uint64_t)(g->first + i), turn);
    bool last = (int64_t)turn + 1 == g->desc->tokens;
    writing->score += g->logarithms[token];
    writing->ended = token == g->end;
    g->next[i] = token;
    if (!writing->ended)
        MI_TRY(take(g, i, token, last));
    return writing->ended || last ? tell(g, i) : MICA_OK;
}

static mica_status draw_all(struct generating *g)
{
    for (size_t at = 0, left = (size_t)g->count; left; at++) {
        bool asks = false;
        for (int64_t i = 0; i < g->count; i++) {
            g->next[i] = at < g->prompts[i].count ? g->prompts[i].list[at] : g->next[i];
            asks = asks || (at + 1 >= g->prompts[i].count && !g->written[i].over);
        }
        MI_TRY(mi_sequences_push(&g->sequences, g->next));
        if (asks)
            MI_TRY(mi_sequences_answer(&g->sequences));
        for (int64_t i = 0; i < g->count; i++) {
            if (at + 1 < g->prompts[i].count || g->written[i].over)
                continue;
            MI_TRY(continue_one(g, i));
            left -= g->written[i].over;
        }
    }
    return MICA_OK;
}

/* ---- Beams ---- */

static mica_status take_way(struct generating *g, int64_t i, const struct mi_way *way)
{
    g->written[i].ended = way->ended;
    g->written[i].score = way->score;
    for (int64_t k = 0; k < way->count; k++)
        MI_TRY(take(g, i, way->tokens[k], k + 1 == way->count));
    return tell(g, i);
}

static mica_status search(struct generating *g)
{
    size_t count = (size_t)g->count;
    const int32_t **begin = mi_new(count, sizeof *begin);
    int64_t *begin_count = mi_new(count, sizeof *begin_count);
    struct mi_way *best = mi_new(count, sizeof *best);
    bool made = begin && begin_count && best;
    for (size_t i = 0; i < count && made; i++) {
        begin[i] = g->prompts[i].list;
        begin_count[i] = (int64_t)g->prompts[i].count;
    }
    const struct mi_beams_desc how = {
        .groups = g->count, .beams = beams_of(g->desc), .begin = begin, .begin_count = begin_count, .tokens = g->desc->tokens,
        .known = g->known, .never = g->never, .end = g->end, .length_penalty = (double)g->desc->length_penalty};
    mica_status status = made ? mi_beam_search(&g->sequences, &how, best) : mi_out_of_memory(error_of(g));
    for (size_t i = 0; i < count && made; i++) {
        if (status == MICA_OK)
            status = take_way(g, (int64_t)i, &best[i]);
        free(best[i].tokens);
    }
    free(begin);
    free(begin_count);
    free(best);
    return status;
}

/* ---- All together ---- */

static mica_status generate(struct generating *g, const char *const *prompts)
{
    const struct mi_graph *graph = g->model->graph;
    const mi_value *output = mi_model_output(graph, NULL);
    size_t count = (size_t)g->count;
    if (!output)
        return mi_fail(error_of(g), MICA_INVALID_ARGUMENT, "the model has no output: mica_output declares one");
    g->sequences = (struct mi_sequences){.model = g->model, .input = graph->inputs[0], .output = output, .sources = 1,
                                         .rows = g->count * beams_of(g->desc)};
    g->prompts = mi_new(count, sizeof *g->prompts);
    g->written = mi_new(count, sizeof *g->written);
    g->next = mi_new(count, sizeof *g->next);
    g->never = mi_new((size_t)g->known, sizeof *g->never);
    g->candidates = mi_new((size_t)g->known, sizeof *g->candidates);
    g->logarithms = mi_new((size_t)g->known, sizeof *g->logarithms);
    if (!g->prompts || !g->written || !g->next || !g->never || !g->candidates || !g->logarithms)
        return mi_out_of_memory(error_of(g));
    MI_TRY(mi_sequences_create(&g->sequences, g->vocabulary->count));
    for (int64_t i = 0; i < g->count; i++) {
        g->written[i].vocabulary = g->vocabulary;
        MI_TRY(read_prompt(g, prompts[i], &g->prompts[i]));
    }
    return beams_of(g->desc) > 1 ? search(g) : draw_all(g);
}

static void end(struct generating *g)
{
    mi_sequences_destroy(&g->sequences);
    for (int64_t i = 0; i < g->count; i++) {
        if (g->prompts)
            free(g->prompts[i].list);
        if (g->written)
            mi_writing_destroy(&g->written[i]);
    }
    free(g->prompts);
    free(g->written);
    free(g->next);
    free(g->never);
    free(g->candidates);
    free(g->logarithms);
}

static mica_status generate_all(mica_model *model, const char *const *prompts, int64_t count, const mica_generate_desc *desc)
{
    struct generating g = {.model = model, .desc = desc};
    int64_t most = MI_MOST_SEQUENCES / beams_of(desc);
    mica_status status = find_vocabulary(&g);
    if (status == MICA_OK)
        status = read_end(&g);
    for (; g.first < count && status == MICA_OK; g.first += most) {
        struct generating some = g;
        some.count = count - g.first < most ? count - g.first : most;
        status = generate(&some, prompts + g.first);
        end(&some);
    }
    mi_prepared_destroy(&g.prepared);
    return status;
}

mica_status mica_generate(mica_model *model, const char *prompt, const mica_generate_desc *desc)
{
    if (!model)
        return MICA_INVALID_ARGUMENT;
    MI_TRY(mi_model_begin(model));
    MI_TRY(check(model, &prompt, 1, desc));
    return generate_all(model, &prompt, 1, desc);
}

mica_status mica_generate_all(mica_model *model, const char *const *prompts, int64_t count, const mica_generate_desc *desc)
{
    if (!model)
        return MICA_INVALID_ARGUMENT;
    MI_TRY(mi_model_begin(model));
    MI_TRY(check(model, prompts, count, desc));
    mica_generate_desc own = *desc;
    own.on_token = NULL;
    return generate_all(model, prompts, count, &own);
}
