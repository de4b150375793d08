/* Different texts, each kept once. */
#include "data/data.h"

#include <stdlib.h>
#include <string.h>

void mi_words_destroy(struct mi_words *words)
{
    free(words->list);
    free(words->slots);
    mi_arena_destroy(&words->arena);
    *words = (struct mi_words){0};
}

/* Where a text is or would be. */
static size_t slot_of(const struct mi_words *words, const char *text)
{
    size_t mask = words->slot_count - 1, at = (size_t)mi_hash(text, strlen(text), 0) & mask;
    while (words->slots[at] && strcmp(words->list[words->slots[at] - 1], text) != 0)
        at = (at + 1) & mask;
    return at;
}

/* At most half of the slots are taken. */
static bool make_room(struct mi_words *words)
{
    if (2 * words->count < words->slot_count)
        return true;
    if (words->count >= UINT32_MAX / 4)
        return false;
    size_t count = words->slot_count ? 2 * words->slot_count : 16;
    uint32_t *slots = mi_new(count, sizeof *slots);
    if (!slots)
        return false;
    free(words->slots);
    words->slots = slots;
    words->slot_count = count;
    for (size_t i = 0; i < words->count; i++)
        slots[slot_of(words, words->list[i])] = (uint32_t)i + 1;
    return true;
}

bool mi_words_add(struct mi_words *words, const char *text, size_t *number)
{
    if (!make_room(words))
        return false;
    size_t at = slot_of(words, text);
    if (words->slots[at]) {
        *number = words->slots[at] - 1;
        return true;
    }
    const char *copy = mi_arena_strdup(&words->arena, text);
    if (!copy || !mi_grow(&words->list, &words->capacity, words->count + 1, sizeof *words->list))
        return false;
    *number = words->count;
    words->list[words->count++] = copy;
    words->slots[at] = (uint32_t)words->count;
    return true;
}

/* ---- Order ---- */

struct numbered {
    const char *text;
    double value;              /* 0 where texts are compared */
    uint32_t number;
};

/* By value, those of one value by their texts: 7 and 007. */
static int compare(const void *a, const void *b)
{
    const struct numbered *left = a, *right = b;
    return left->value < right->value ? -1 : left->value > right->value ? 1 : strcmp(left->text, right->text);
}

static bool all_numbers(const struct mi_words *words)
{
    double value;
    for (size_t i = 0; i < words->count; i++)
        if (!mi_parse_number(words->list[i], '.', &value))
            return false;
    return true;
}

bool mi_words_sort(struct mi_words *words, bool by_value, uint32_t *places)
{
    struct numbered *sorted = mi_new(words->count, sizeof *sorted);
    if (!sorted)
        return false;
    by_value = by_value && all_numbers(words);
    for (size_t i = 0; i < words->count; i++) {
        sorted[i] = (struct numbered){words->list[i], 0, (uint32_t)i};
        if (by_value)
            (void)mi_parse_number(words->list[i], '.', &sorted[i].value);
    }
    qsort(sorted, words->count, sizeof *sorted, compare);
    for (size_t i = 0; i < words->count; i++) {
        words->list[i] = sorted[i].text;
        if (places)
            places[sorted[i].number] = (uint32_t)i;
    }
    free(sorted);
    free(words->slots); /* they have the old numbers */
    words->slots = NULL;
    words->slot_count = 0;
    return true;
}
