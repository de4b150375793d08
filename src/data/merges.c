/* Learns which neighbours byte pairs merge: again and again the pair that is seen most often becomes a token. Only the words that
 * have the pair are gone through, and counts of its neighbours change with them. */
#include "data/pairs.h"

#include <stdlib.h>
#include <string.h>

struct word {
    int32_t *tokens;           /* borrowed */
    size_t count;
    int64_t seen;
};

struct pair {
    int32_t left, right;
    int32_t token;             /* what it has become; 0: it is no merge yet */
    int64_t count;
    int32_t *words;            /* (word_count) that have had it; some twice */
    size_t word_count, capacity;
};

/* A pair as it was when it came; its count may have fallen since. */
struct candidate {
    int64_t count;
    int32_t pair;
};

struct learning {
    struct word *words;
    size_t word_count;
    int32_t *tokens;           /* of all words */
    struct mi_pairs numbers;   /* of pairs, in the list */
    struct pair *pairs;
    size_t pair_count, pair_capacity;
    struct candidate *heap;    /* the first is the best */
    size_t heap_count, heap_capacity;
    int32_t fresh;             /* pairs from here on came with the last merge, and are no candidates yet */
    struct mi_arena arena;
    struct mi_names known;     /* tokens by their bytes, as the texts show them */
    const char **texts;        /* (token_count) */
    int32_t token_count;
    struct mi_merge *merges;
    size_t merge_count, merge_capacity;
};

/* ---- The best pair ---- */

static bool is_better(const struct learning *l, const struct candidate *a, const struct candidate *b)
{
    const struct pair *left = &l->pairs[a->pair], *right = &l->pairs[b->pair];
    if (a->count != b->count)
        return a->count > b->count;
    return left->left != right->left ? left->left < right->left : left->right < right->right;
}

static bool push(struct learning *l, struct candidate candidate)
{
    if (!mi_grow(&l->heap, &l->heap_capacity, l->heap_count + 1, sizeof *l->heap))
        return false;
    size_t at = l->heap_count++;
    for (; at && is_better(l, &candidate, &l->heap[(at - 1) / 2]); at = (at - 1) / 2)
        l->heap[at] = l->heap[(at - 1) / 2];
    l->heap[at] = candidate;
    return true;
}

static struct candidate pop(struct learning *l)
{
    struct candidate best = l->heap[0], last = l->heap[--l->heap_count];
    size_t at = 0;
    for (size_t child; (child = 2 * at + 1) < l->heap_count; at = child) {
        if (child + 1 < l->heap_count && is_better(l, &l->heap[child + 1], &l->heap[child]))
            child++;
        if (!is_better(l, &l->heap[child], &last))
            break;
        l->heap[at] = l->heap[child];
    }
    l->heap[at] = last;
    return best;
}

/* ---- Counting ---- */

/* A word has one more of a pair, or one less. */
static bool count_pair(struct learning *l, int32_t left, int32_t right, int32_t word, int sign)
{
    int32_t *found = mi_pairs_find(&l->numbers, left, right);
    if (!found) {
        if (!mi_grow(&l->pairs, &l->pair_capacity, l->pair_count + 1, sizeof *l->pairs) ||
            !mi_pairs_add(&l->numbers, left, right, (int32_t)l->pair_count))
            return false;
        l->pairs[l->pair_count++] = (struct pair){.left = left, .right = right};
        found = mi_pairs_find(&l->numbers, left, right);
    }
    int32_t number = *found;
    struct pair *pair = &l->pairs[number];
    pair->count += sign * l->words[word].seen;
    if (sign < 0)
        return true;
    if (number < l->fresh && !push(l, (struct candidate){pair->count, number}))
        return false;
    if (pair->word_count && pair->words[pair->word_count - 1] == word)
        return true;
    if (!mi_grow(&pair->words, &pair->capacity, pair->word_count + 1, sizeof *pair->words))
        return false;
    pair->words[pair->word_count++] = word;
    return true;
}

static bool offer_fresh(struct learning *l)
{
    bool good = true;
    for (; good && (size_t)l->fresh < l->pair_count; l->fresh++)
        good = l->pairs[l->fresh].count < 2 || push(l, (struct candidate){l->pairs[l->fresh].count, l->fresh});
    return good;
}

/* ---- Words ---- */

static bool read_words(struct learning *l, const struct mi_words *words, const int64_t *seen)
{
    int32_t of_byte[MI_BYTES];
    size_t bytes = 0, at = 0;
    for (int b = 0; b < MI_BYTES; b++)
        of_byte[b] = mi_token_of_byte((unsigned char)b);
    for (size_t i = 0; i < words->count; i++)
        bytes += seen[i] ? strlen(words->list[i]) : 0;
    l->words = mi_new(words->count, sizeof *l->words);
    l->tokens = mi_new(bytes, sizeof *l->tokens);
    if (!l->words || !l->tokens)
        return false;
    for (size_t i = 0; i < words->count; i++) {
        struct word *word = &l->words[l->word_count];
        if (!seen[i])
            continue;
        *word = (struct word){.tokens = l->tokens + at, .count = strlen(words->list[i]), .seen = seen[i]};
        for (size_t k = 0; k < word->count; k++)
            l->tokens[at++] = of_byte[(unsigned char)words->list[i][k]];
        for (size_t k = 0; k + 1 < word->count; k++)
            if (!count_pair(l, word->tokens[k], word->tokens[k + 1], (int32_t)l->word_count, 1))
                return false;
        l->word_count++;
    }
    return offer_fresh(l);
}

/* Puts a token in the place of a pair wherever the word has it. */
static bool merge_in(struct learning *l, int32_t number, int32_t left, int32_t right, int32_t token)
{
    struct word *word = &l->words[number];
    int32_t *t = word->tokens;
    bool good = true;
    for (size_t i = 0; good && i + 1 < word->count; i++) {
        if (t[i] != left || t[i + 1] != right)
            continue;
        if (i)
            good = count_pair(l, t[i - 1], left, number, -1) && count_pair(l, t[i - 1], token, number, 1);
        if (good && i + 2 < word->count)
            good = count_pair(l, right, t[i + 2], number, -1) && count_pair(l, token, t[i + 2], number, 1);
        t[i] = token;
        word->count--;
        memmove(t + i + 1, t + i + 2, (word->count - i - 1) * sizeof *t);
    }
    return good;
}

/* The pair that is there most often; false: none is there twice. */
static bool take_best(struct learning *l, int32_t *best, bool *good)
{
    while (l->heap_count && *good) {
        struct candidate candidate = pop(l);
        int64_t count = l->pairs[candidate.pair].count;
        *best = candidate.pair;
        if (count == candidate.count)
            return true;
        *good = count < 2 || push(l, (struct candidate){count, candidate.pair});
    }
    return false;
}

/* ---- Tokens ---- */

static bool begin_tokens(struct learning *l, int most)
{
    l->texts = mi_arena_new(&l->arena, (size_t)most + MI_BYTES, sizeof *l->texts);
    for (int b = 0; l->texts && b < MI_BYTES; b++)
        l->texts[mi_token_of_byte((unsigned char)b)] = mi_byte_text(&l->arena, (unsigned char)b);
    bool good = l->texts && !l->arena.failed;
    for (; good && l->token_count < MI_BYTES; l->token_count++)
        good = mi_names_add(&l->known, l->texts[l->token_count], (size_t)l->token_count);
    return good;
}

/* The token that a pair becomes: a new one, unless another pair has made the same text. */
static bool take_token(struct learning *l, struct pair *pair)
{
    const char *text = mi_arena_format(&l->arena, "%s%s", l->texts[pair->left], l->texts[pair->right]);
    const size_t *found = text ? mi_names_find(&l->known, text) : NULL;
    if (!text || !mi_grow(&l->merges, &l->merge_capacity, l->merge_count + 1, sizeof *l->merges) ||
        (!found && !mi_names_add(&l->known, text, (size_t)l->token_count)))
        return false;
    pair->token = found ? (int32_t)*found : l->token_count;
    if (!found)
        l->texts[l->token_count++] = text;
    l->merges[l->merge_count++] = (struct mi_merge){pair->left, pair->right, pair->token};
    return true;
}

static bool merge_best(struct learning *l, int32_t best)
{
    if (!l->pairs[best].token && !take_token(l, &l->pairs[best]))
        return false;
    const struct pair pair = l->pairs[best]; /* the list of pairs may move */
    bool good = true;
    l->pairs[best].words = NULL;
    l->pairs[best].word_count = l->pairs[best].capacity = 0;
    for (size_t i = 0; good && i < pair.word_count; i++)
        good = merge_in(l, pair.words[i], pair.left, pair.right, pair.token);
    free(pair.words);
    l->pairs[best].count = 0;
    return good && offer_fresh(l);
}

static bool learn(struct learning *l, int most)
{
    int32_t best = 0;
    bool good = true;
    while (good && l->token_count < MI_BYTES + most && take_best(l, &best, &good))
        good = merge_best(l, best);
    return good;
}

bool mi_merges_learn(struct mi_arena *arena, const struct mi_words *words, const int64_t *seen, int most, struct mi_merge **merges,
                     int *count)
{
    struct learning l = {0};
    bool good = words->count < INT32_MAX && begin_tokens(&l, most) && read_words(&l, words, seen) && learn(&l, most);
    *merges = good ? mi_arena_new(arena, l.merge_count, sizeof **merges) : NULL;
    if (*merges && l.merge_count)
        memcpy(*merges, l.merges, l.merge_count * sizeof **merges);
    *count = (int)l.merge_count;
    for (size_t i = 0; i < l.pair_count; i++)
        free(l.pairs[i].words);
    mi_pairs_destroy(&l.numbers);
    mi_names_destroy(&l.known);
    mi_arena_destroy(&l.arena);
    free(l.merges);
    free(l.pairs);
    free(l.heap);
    free(l.words);
    free(l.tokens);
    return *merges != NULL;
}
