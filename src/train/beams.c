/* Beam search over sequences side by side: the rows of a group are its beams, the most probable first. */
#include "train/beams.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A beginning with one token more. */
struct candidate {
    double sum;                    /* of logarithms */
    int32_t row, token;
};

struct search {
    struct mi_sequences *sequences;
    const struct mi_beams_desc *how;
    struct mi_way *best;           /* (groups) of what has ended; score -infinity: nothing has */
    int *ended;                    /* (groups) how many have; more than beams: the search is over */
    double *sum;                   /* (rows) */
    int32_t *tokens, *before;      /* (rows, tokens) what was added; the same of the step before */
    int32_t *from, *next;          /* (rows) where each row goes on from, and with which token */
    struct candidate *candidates;  /* (2 x beams) the most probable first */
    double *logarithms;            /* (known) */
};

mica_status mi_beams_check(struct mi_error *error, int num_beams, float length_penalty)
{
    if (num_beams < 0 || num_beams > MI_MOST_SEQUENCES)
        return mi_fail(error, MICA_INVALID_ARGUMENT, "num_beams is %d, must be from 1 to %d", num_beams, MI_MOST_SEQUENCES);
    if (!(length_penalty >= 0) || isinf(length_penalty))
        return mi_fail(error, MICA_INVALID_ARGUMENT, "length_penalty is %g, must be at least 0", (double)length_penalty);
    return MICA_OK;
}

static bool create(struct search *search)
{
    const struct mi_beams_desc *how = search->how;
    size_t rows = (size_t)how->groups * (size_t)how->beams, all;
    if (!mi_mul_size(rows, (size_t)how->tokens, &all))
        return false;
    search->ended = mi_new((size_t)how->groups, sizeof *search->ended);
    search->sum = mi_new(rows, sizeof *search->sum);
    search->tokens = mi_new(all, sizeof *search->tokens);
    search->before = mi_new(all, sizeof *search->before);
    search->from = mi_new(rows, sizeof *search->from);
    search->next = mi_new(rows, sizeof *search->next);
    search->candidates = mi_new(2 * (size_t)how->beams, sizeof *search->candidates);
    search->logarithms = mi_new((size_t)how->known, sizeof *search->logarithms);
    return search->ended && search->sum && search->tokens && search->before && search->from && search->next &&
           search->candidates && search->logarithms;
}

static void destroy(struct search *search)
{
    free(search->ended);
    free(search->sum);
    free(search->tokens);
    free(search->before);
    free(search->from);
    free(search->next);
    free(search->candidates);
    free(search->logarithms);
}

static bool is_over(const struct search *search, int64_t group)
{
    return search->ended[group] >= search->how->beams;
}

static void finish(struct search *search, int64_t group)
{
    search->ended[group] = search->how->beams;
}

static double score_of(const struct search *search, double sum, int64_t length)
{
    return sum / pow((double)length, search->how->length_penalty);
}

/* Counts a way that has ended; `added` are its tokens but for the last, the end or an ordinary one. */
static mica_status end_way(struct search *search, int64_t group, const struct candidate *last, int64_t length)
{
    struct mi_way *best = &search->best[group];
    const int32_t *added = search->tokens + last->row * search->how->tokens;
    double score = score_of(search, last->sum, length);
    bool ended = last->token == search->how->end;
    search->ended[group]++;
    if (!(score > best->score))
        return MICA_OK;
    if (!best->tokens && !(best->tokens = mi_new((size_t)search->how->tokens, sizeof *best->tokens)))
        return mi_out_of_memory(&search->sequences->model->device->error);
    memcpy(best->tokens, added, (size_t)(length - 1) * sizeof *added);
    if (!ended)
        best->tokens[length - 1] = last->token;
    best->count = ended ? length - 1 : length;
    best->score = score;
    best->ended = ended;
    return MICA_OK;
}

/* Puts a candidate where it belongs among `count` of at most `room`; of equal ones the first stays before. */
static int place(struct candidate *list, int count, int room, const struct candidate *candidate)
{
    int at = count;
    for (; at > 0 && candidate->sum > list[at - 1].sum; at--)
        if (at < room)
            list[at] = list[at - 1];
    if (at < room)
        list[at] = *candidate;
    return count < room ? count + 1 : room;
}

/* The most probable beginnings of a group that have one token more; how many there are. At first all its rows are the same
 * one. */
static mica_status find_candidates(struct search *search, int64_t group, bool first, int *count)
{
    const struct mi_beams_desc *how = search->how;
    *count = 0;
    for (int beam = 0; beam < (first ? 1 : how->beams); beam++) {
        struct candidate candidate = {.row = (int32_t)(group * how->beams + beam)};
        if (isinf(search->sum[candidate.row]))
            continue;
        MI_TRY(mi_sequences_logarithms(search->sequences, candidate.row, how->known, how->never, search->logarithms));
        for (int64_t token = 0; token < how->known; token++) {
            candidate.sum = search->sum[candidate.row] + search->logarithms[token];
            candidate.token = (int32_t)token;
            if (!isinf(candidate.sum))
                *count = place(search->candidates, *count, 2 * how->beams, &candidate);
        }
    }
    return MICA_OK;
}

/* The group's rows become its best candidates that have not ended, `length` tokens long; rows that are left over are none. */
static mica_status extend(struct search *search, int64_t group, int64_t length)
{
    const struct mi_beams_desc *how = search->how;
    int64_t first = group * how->beams, kept = 0;
    double sum[MI_MOST_SEQUENCES];
    int count;
    MI_TRY(find_candidates(search, group, length == 1, &count));
    for (int i = 0; i < count && kept < how->beams; i++) {
        const struct candidate *candidate = &search->candidates[i];
        bool ends = candidate->token == how->end;
        if (ends ? i < how->beams : length == how->tokens)
            MI_TRY(end_way(search, group, candidate, length));
        if (ends)
            continue;
        search->from[first + kept] = candidate->row;
        search->next[first + kept] = candidate->token;
        sum[kept++] = candidate->sum;
    }
    for (int64_t i = 0; i < how->beams; i++)
        search->sum[first + i] = i < kept ? sum[i] : (double)-INFINITY;
    bool hopeless = !kept || search->best[group].score >= score_of(search, sum[0], how->tokens);
    if (hopeless || length == how->tokens)
        finish(search, group);
    return MICA_OK;
}

/* Rows go on from where others were. */
static mica_status follow(struct search *search, int64_t at)
{
    const struct mi_beams_desc *how = search->how;
    int32_t *before = search->tokens;
    search->tokens = search->before;
    search->before = before;
    for (int64_t row = 0; row < how->groups * how->beams; row++) {
        int64_t length = at - how->begin_count[row / how->beams]; /* of what was added before this token */
        int32_t *added = search->tokens + row * how->tokens;
        if (length < 0 || is_over(search, row / how->beams))
            continue;
        memcpy(added, before + search->from[row] * how->tokens, (size_t)length * sizeof *added);
        added[length] = search->next[row];
    }
    return mi_sequences_reorder(search->sequences, search->from);
}

/* One token further: those that the groups begin with are given. A group whose search is over reads what it has read last. */
static mica_status step(struct search *search, int64_t at, bool *over)
{
    const struct mi_beams_desc *how = search->how;
    bool asks = false;
    *over = true;
    for (int64_t row = 0; row < how->groups * how->beams; row++) {
        int64_t group = row / how->beams;
        search->from[row] = (int32_t)row;
        if (at < how->begin_count[group])
            search->next[row] = how->begin[group][at];
        asks = asks || (at + 1 >= how->begin_count[group] && !is_over(search, group));
    }
    MI_TRY(mi_sequences_push(search->sequences, search->next));
    if (asks)
        MI_TRY(mi_sequences_answer(search->sequences));
    for (int64_t group = 0; group < how->groups; group++) {
        int64_t length = at + 2 - how->begin_count[group];
        if (length > 0 && !is_over(search, group))
            MI_TRY(extend(search, group, length));
        *over = *over && is_over(search, group);
    }
    return asks && !*over ? follow(search, at + 1) : MICA_OK;
}

mica_status mi_beam_search(struct mi_sequences *sequences, const struct mi_beams_desc *how, struct mi_way *best)
{
    struct search search = {.sequences = sequences, .how = how, .best = best};
    bool made = create(&search), over = false;
    mica_status status = made ? MICA_OK : mi_out_of_memory(&sequences->model->device->error);
    for (int64_t i = 0; i < how->groups; i++)
        best[i] = (struct mi_way){.score = -INFINITY};
    for (int64_t at = 0; !over && status == MICA_OK; at++)
        status = step(&search, at, &over);
    destroy(&search);
    return status;
}
