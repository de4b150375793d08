/* Texts as tokens: taken apart, counted, and numbered. */
#include "data/data.h"

#include <stdlib.h>
#include <string.h>

size_t mi_text_fault(const char *text, size_t size)
{
    unsigned point;
    size_t at = 0, step = 1;
    for (; at < size && step; at += step)
        step = text[at] ? mi_utf8(text + at, &point) : 0;
    return at;
}

const char *const mi_tokens_names[] = {"characters", "words", NULL};

const char *mi_tokens_noun(mica_tokens tokens)
{
    return tokens == MICA_WORDS ? "words and marks" : "characters";
}

/* The number of its token, and in words also the word itself. */
size_t mi_tokens_cost(mica_tokens tokens)
{
    return sizeof(int32_t) + (tokens == MICA_WORDS ? 24 : 0);
}

/* ---- Taking apart ---- */

static bool is_blank(unsigned point)
{
    return point == ' ' || (point >= '\t' && point <= '\r') || point == 0x85 || point == 0xa0 || point == 0x1680 ||
           (point >= 0x2000 && point <= 0x200a) || point == 0x2028 || point == 0x2029 || point == 0x202f || point == 0x205f ||
           point == 0x3000;
}

/* A mark is a token of its own; an apostrophe and a low line are parts of words. */
static bool is_mark(unsigned point)
{
    if (point < 0x80)
        return point > ' ' && point < 0x7f && point != '\'' && !mi_is_word((char)point);
    return point == 0xa1 || point == 0xa7 || point == 0xab || point == 0xb6 || point == 0xbb || point == 0xbf ||
           (point >= 0x2010 && point <= 0x2018) || (point >= 0x201a && point <= 0x205e) || (point >= 0x3001 && point <= 0x3003) ||
           (point >= 0x3008 && point <= 0x3011);
}

bool mi_is_mark(const char *token)
{
    unsigned point;
    return mi_utf8(token, &point) && is_mark(point);
}

/* The bytes of the token that begins at `text`. */
static size_t token_size(mica_tokens tokens, const char *text)
{
    unsigned point;
    size_t step = mi_utf8(text, &point), size = step;
    if (tokens == MICA_CHARACTERS || is_mark(point))
        return size;
    while (text[size] && (step = mi_utf8(text + size, &point)) != 0 && !is_blank(point) && !is_mark(point))
        size += step;
    return size;
}

static const char *skip_blanks(mica_tokens tokens, const char *text)
{
    unsigned point;
    size_t step;
    while (tokens == MICA_WORDS && *text && (step = mi_utf8(text, &point)) != 0 && is_blank(point))
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

bool mi_vocabulary_make(struct mi_vocabulary *vocabulary, struct mi_arena *arena, const struct mi_words *words, const int64_t *seen,
                        int most)
{
    struct counted *list = mi_new(words->count, sizeof *list);
    size_t count = 0, before = vocabulary->padded, beside = before + 1;
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
    if (vocabulary->texts && before)
        vocabulary->texts[0] = "";
    for (size_t i = 0; list && vocabulary->texts && i <= count; i++)
        vocabulary->texts[before + i] = mi_arena_strdup(arena, i < count ? list[i].text : MI_UNKNOWN_TOKEN);
    bool made = list && !arena->failed;
    free(list);
    return made;
}

int32_t *mi_vocabulary_places(const struct mi_vocabulary *vocabulary, const struct mi_words *words)
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
