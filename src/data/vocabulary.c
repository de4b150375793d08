/* Texts as tokens: taken apart, counted, and numbered. */
#include "data/pairs.h"

#include <stdlib.h>
#include <string.h>

enum { USUAL_PAIRS = 8000 }; /* tokens of byte pairs, as SentencePiece has them by default */

size_t mi_text_fault(const char *text, size_t size)
{
    unsigned point;
    size_t at = 0, step = 1;
    for (; at < size && step; at += step)
        step = text[at] ? mi_utf8(text + at, &point) : 0;
    return at;
}

const char *const mi_tokens_names[] = {"characters", "words", "bpe", NULL};

const char *mi_tokens_noun(mica_tokens tokens)
{
    static const char *const nouns[] = {"characters", "words and marks", "byte pairs"};
    return nouns[tokens];
}

/* The number of its token, and where words are kept also the word itself. */
size_t mi_tokens_cost(mica_tokens tokens)
{
    return sizeof(int32_t) + (tokens == MICA_CHARACTERS ? 0 : 24);
}

/* ---- Taking apart ---- */

bool mi_is_mark(const char *token)
{
    unsigned point;
    return mi_utf8(token, &point) && mi_is_mark_point(point);
}

/* The bytes of the token that begins at `text`, or of the piece that byte pairs are made of. */
static size_t token_size(mica_tokens tokens, const char *text)
{
    unsigned point;
    size_t step = mi_utf8(text, &point), size = step;
    if (tokens == MICA_BPE)
        return mi_piece_size(text);
    if (tokens == MICA_CHARACTERS || mi_is_mark_point(point))
        return size;
    while (text[size] && (step = mi_utf8(text + size, &point)) != 0 && !mi_is_blank(point) && !mi_is_mark_point(point))
        size += step;
    return size;
}

static const char *skip_blanks(mica_tokens tokens, const char *text)
{
    unsigned point;
    size_t step;
    while (tokens == MICA_WORDS && *text && (step = mi_utf8(text, &point)) != 0 && mi_is_blank(point))
        text += step;
    return text;
}

static bool add_token(const struct mi_text *token, struct mi_words *words, struct mi_tokens *tokens)
{
    size_t number;
    if (token->failed || !mi_words_add(words, mi_text_get(token), &number) ||
        !mi_grow(&tokens->list, &tokens->capacity, tokens->count + 1, sizeof *tokens->list))
        return false;
    tokens->list[tokens->count++] = (int32_t)number;
    return true;
}

bool mi_tokens_read(const struct mi_vocabulary *how, const char *text, struct mi_words *words, struct mi_tokens *tokens)
{
    struct mi_text token = {0};
    bool good = true;
    for (const char *at = skip_blanks(how->tokens, text); *at && good; at = skip_blanks(how->tokens, at)) {
        size_t size = token_size(how->tokens, at);
        mi_text_clear(&token);
        mi_text_append(&token, at, size);
        for (size_t i = 0; how->lower && !token.failed && i < size; i++)
            token.data[i] = mi_to_lower(token.data[i]);
        good = add_token(&token, words, tokens);
        at += size;
    }
    mi_text_destroy(&token);
    return good;
}

/* ---- The vocabulary ---- */

struct counted {
    const char *text;
    int64_t seen;
};

static int by_text(const void *a, const void *b)
{
    return strcmp(((const struct counted *)a)->text, ((const struct counted *)b)->text);
}

/* The most frequent first, those of one frequency by their texts. */
static int by_seen(const void *a, const void *b)
{
    int64_t left = ((const struct counted *)a)->seen, right = ((const struct counted *)b)->seen;
    return left > right ? -1 : left < right ? 1 : by_text(a, b);
}

mica_status mi_vocabulary_check(struct mi_error *error, const char *place, const struct mi_vocabulary *how, int most)
{
    if (how->tokens < MICA_CHARACTERS || how->tokens > MICA_BPE)
        return mi_fail(error, MICA_INVALID_ARGUMENT, "%s: there are no tokens %d", place, (int)how->tokens);
    int least = mi_vocabulary_before(how) + (how->tokens == MICA_BPE ? MI_BYTES : 2);
    if (!most || (most >= least && most <= MI_MOST_CLASSES))
        return MICA_OK;
    return mi_fail(error, MICA_INVALID_ARGUMENT, "%s: max_tokens is %d; it must be from %d to %d%s", place, most, least,
                   MI_MOST_CLASSES, how->tokens == MICA_BPE ? ", as each byte is a token" : "");
}

static void name_first(struct mi_vocabulary *vocabulary)
{
    if (vocabulary->padded)
        vocabulary->texts[0] = "";
    if (vocabulary->marked)
        vocabulary->texts[vocabulary->padded] = MI_MARK_TOKEN;
}

static bool make_of_words(struct mi_vocabulary *vocabulary, struct mi_arena *arena, const struct mi_words *words,
                          const int64_t *seen, int most)
{
    struct counted *list = mi_new(words->count, sizeof *list);
    size_t count = 0, before = (size_t)mi_vocabulary_before(vocabulary), beside = before + 1;
    for (size_t i = 0; list && i < words->count; i++)
        if (seen[i] && strcmp(words->list[i], MI_UNKNOWN_TOKEN) != 0)
            list[count++] = (struct counted){words->list[i], seen[i]};
    if (list && most && count + beside > (size_t)most) {
        qsort(list, count, sizeof *list, by_seen);
        count = (size_t)most - beside;
    }
    if (list)
        qsort(list, count, sizeof *list, by_text);
    vocabulary->texts = mi_arena_new(arena, count + beside, sizeof *vocabulary->texts);
    vocabulary->count = (int)(count + beside);
    if (vocabulary->texts)
        name_first(vocabulary);
    for (size_t i = 0; list && vocabulary->texts && i <= count; i++)
        vocabulary->texts[before + i] = mi_arena_strdup(arena, i < count ? list[i].text : MI_UNKNOWN_TOKEN);
    bool made = list && !arena->failed;
    free(list);
    return made;
}

bool mi_vocabulary_spell(struct mi_vocabulary *vocabulary, struct mi_arena *arena)
{
    int before = mi_vocabulary_before(vocabulary), count = before + MI_BYTES;
    for (int i = 0; i < vocabulary->merge_count; i++)
        count += vocabulary->merges[i].token == count - before;
    const char **texts = mi_arena_new(arena, (size_t)count, sizeof *texts), **tokens = texts + before;
    vocabulary->texts = texts;
    if (texts)
        name_first(vocabulary);
    for (int byte = 0; texts && byte < MI_BYTES; byte++)
        tokens[mi_token_of_byte((unsigned char)byte)] = mi_byte_text(arena, (unsigned char)byte);
    for (int i = 0; texts && i < vocabulary->merge_count && !arena->failed; i++)
        tokens[vocabulary->merges[i].token] = mi_arena_format(arena, "%s%s", tokens[vocabulary->merges[i].left],
                                                              tokens[vocabulary->merges[i].right]);
    vocabulary->count = count;
    return texts && !arena->failed;
}

bool mi_vocabulary_make(struct mi_vocabulary *vocabulary, struct mi_arena *arena, const struct mi_words *words, const int64_t *seen,
                        int most)
{
    if (vocabulary->tokens != MICA_BPE)
        return make_of_words(vocabulary, arena, words, seen, most);
    int merges = (most ? most : USUAL_PAIRS) - MI_BYTES - mi_vocabulary_before(vocabulary);
    return mi_merges_learn(arena, words, seen, merges, &vocabulary->merges, &vocabulary->merge_count) &&
           mi_vocabulary_spell(vocabulary, arena);
}

/* ---- Numbers ---- */

/* The number of every word; the caller frees it. NULL: out of memory. */
static int32_t *places_of(const struct mi_vocabulary *vocabulary, const struct mi_words *words)
{
    struct mi_names known = {0};
    int32_t *places = mi_new(words->count, sizeof *places);
    bool good = places != NULL;
    for (int i = 0; good && i < vocabulary->count; i++) /* of texts that a file has twice the first counts */
        good = mi_names_find(&known, vocabulary->texts[i]) || mi_names_add(&known, vocabulary->texts[i], (size_t)i);
    for (size_t i = 0; good && i < words->count; i++) {
        const size_t *found = mi_names_find(&known, words->list[i]);
        places[i] = found ? (int32_t)*found : (int32_t)vocabulary->count - 1;
    }
    mi_names_destroy(&known);
    if (good)
        return places;
    free(places);
    return NULL;
}

static bool number_words(const struct mi_vocabulary *vocabulary, const struct mi_words *words, struct mi_numbering *out)
{
    out->list = places_of(vocabulary, words);
    for (size_t i = 0; out->list && i <= words->count; i++)
        out->begin[i] = i;
    return out->list != NULL;
}

/* Merges the neighbours whose merge was learnt first, and so on; `ranks` are the merges by their pairs. Gives how many tokens are
 * left. */
static size_t merge_word(const struct mi_merge *merges, const struct mi_pairs *ranks, int32_t *tokens, size_t count)
{
    for (;;) {
        int32_t best = INT32_MAX;
        size_t kept = 0;
        for (size_t i = 0; i + 1 < count; i++) {
            const int32_t *rank = mi_pairs_find(ranks, tokens[i], tokens[i + 1]);
            best = rank && *rank < best ? *rank : best;
        }
        if (best == INT32_MAX)
            return count;
        for (size_t i = 0; i < count; kept++) {
            const int32_t *rank = i + 1 < count ? mi_pairs_find(ranks, tokens[i], tokens[i + 1]) : NULL;
            bool merged = rank && *rank == best;
            tokens[kept] = merged ? merges[best].token : tokens[i];
            i += merged ? 2 : 1;
        }
        count = kept;
    }
}

static bool number_pieces(const struct mi_vocabulary *vocabulary, const struct mi_words *words, struct mi_numbering *out)
{
    struct mi_pairs ranks = {0};
    struct mi_tokens all = {0};
    bool good = true;
    for (int i = 0; good && i < vocabulary->merge_count; i++)
        good = mi_pairs_find(&ranks, vocabulary->merges[i].left, vocabulary->merges[i].right) ||
               mi_pairs_add(&ranks, vocabulary->merges[i].left, vocabulary->merges[i].right, i);
    for (size_t w = 0; good && w < words->count; w++) {
        size_t size = strlen(words->list[w]);
        good = mi_grow(&all.list, &all.capacity, all.count + size, sizeof *all.list);
        for (size_t k = 0; good && k < size; k++)
            all.list[all.count + k] = mi_token_of_byte((unsigned char)words->list[w][k]);
        size_t count = good ? merge_word(vocabulary->merges, &ranks, all.list + all.count, size) : 0;
        for (size_t k = 0; k < count; k++)
            all.list[all.count + k] += mi_vocabulary_before(vocabulary);
        out->begin[w + 1] = all.count += count;
    }
    mi_pairs_destroy(&ranks);
    out->list = all.list;
    return good;
}

bool mi_vocabulary_number(const struct mi_vocabulary *vocabulary, const struct mi_words *words, struct mi_numbering *out)
{
    *out = (struct mi_numbering){.words = words->count};
    out->begin = mi_new(words->count + 1, sizeof *out->begin);
    bool good = out->begin &&
                (vocabulary->tokens == MICA_BPE ? number_pieces(vocabulary, words, out) : number_words(vocabulary, words, out));
    if (!good)
        mi_numbering_destroy(out);
    return good;
}

void mi_numbering_destroy(struct mi_numbering *numbering)
{
    free(numbering->list);
    free(numbering->begin);
    *numbering = (struct mi_numbering){0};
}

/* Words that all have one number are replaced where they stand. */
static void replace(const struct mi_numbering *numbering, struct mi_tokens *tokens)
{
    for (size_t i = 0; i < tokens->count; i++)
        tokens->list[i] = numbering->list[tokens->list[i]];
}

bool mi_tokens_number(const struct mi_numbering *numbering, struct mi_tokens *tokens, int64_t *marks, size_t mark_count)
{
    struct mi_tokens out = {0};
    size_t mark = 0;
    bool same = true, good = true;
    for (size_t w = 0; same && w <= numbering->words; w++)
        same = numbering->begin[w] == w;
    if (same) {
        replace(numbering, tokens);
        return true;
    }
    for (size_t i = 0; i <= tokens->count; i++) {
        for (; mark < mark_count && marks[mark] == (int64_t)i; mark++)
            marks[mark] = (int64_t)out.count;
        size_t word = i < tokens->count ? (size_t)tokens->list[i] : 0;
        size_t begin = numbering->begin[word], count = i < tokens->count ? numbering->begin[word + 1] - begin : 0;
        if (!(good = mi_grow(&out.list, &out.capacity, out.count + count + 1, sizeof *out.list)))
            break;
        if (count)
            memcpy(out.list + out.count, numbering->list + begin, count * sizeof *out.list);
        out.count += count;
    }
    free(good ? tokens->list : out.list);
    if (good)
        *tokens = out;
    return good;
}
