/* Byte pairs: pieces of texts, the bytes behind tokens, and tables of pairs. */
#include "data/pairs.h"

#include <stdlib.h>
#include <string.h>

/* ---- Pairs by number ---- */

static uint64_t key_of(int32_t left, int32_t right)
{
    return ((uint64_t)(uint32_t)left << 32 | (uint32_t)right) + 1;
}

static size_t slot_of(const struct mi_pairs *pairs, uint64_t key)
{
    size_t mask = pairs->slots - 1, at = (size_t)mi_hash(&key, sizeof key, 0) & mask;
    while (pairs->keys[at] && pairs->keys[at] != key)
        at = (at + 1) & mask;
    return at;
}

int32_t *mi_pairs_find(const struct mi_pairs *pairs, int32_t left, int32_t right)
{
    uint64_t key = key_of(left, right);
    size_t at = pairs->slots ? slot_of(pairs, key) : 0;
    return pairs->slots && pairs->keys[at] ? &pairs->values[at] : NULL;
}

/* At most half of the slots are taken. */
static bool make_room(struct mi_pairs *pairs)
{
    struct mi_pairs wider = {.slots = pairs->slots ? 2 * pairs->slots : 64, .count = pairs->count};
    if (2 * pairs->count < pairs->slots)
        return true;
    wider.keys = mi_new(wider.slots, sizeof *wider.keys);
    wider.values = mi_new(wider.slots, sizeof *wider.values);
    bool made = wider.keys && wider.values;
    for (size_t i = 0; made && i < pairs->slots; i++)
        if (pairs->keys[i]) {
            size_t at = slot_of(&wider, pairs->keys[i]);
            wider.keys[at] = pairs->keys[i];
            wider.values[at] = pairs->values[i];
        }
    mi_pairs_destroy(made ? pairs : &wider);
    if (made)
        *pairs = wider;
    return made;
}

bool mi_pairs_add(struct mi_pairs *pairs, int32_t left, int32_t right, int32_t value)
{
    if (!make_room(pairs))
        return false;
    size_t at = slot_of(pairs, key_of(left, right));
    pairs->keys[at] = key_of(left, right);
    pairs->values[at] = value;
    pairs->count++;
    return true;
}

void mi_pairs_destroy(struct mi_pairs *pairs)
{
    free(pairs->keys);
    free(pairs->values);
    *pairs = (struct mi_pairs){0};
}

/* ---- Bytes ---- */

/* Whether a byte is shown as the character of its number: what Latin 1 prints. */
static bool is_shown(unsigned byte)
{
    return (byte >= '!' && byte <= '~') || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
}

/* The character that stands for a byte in the text of a token: its own, or one from U+0100 on. */
static unsigned point_of(unsigned byte)
{
    unsigned hidden = 0;
    for (unsigned i = 0; i < byte; i++)
        hidden += !is_shown(i);
    return is_shown(byte) ? byte : 0x100 + hidden;
}

int32_t mi_token_of_byte(unsigned char byte)
{
    int32_t before = 0;
    for (unsigned i = 0; i < MI_BYTES; i++)
        before += is_shown(i) ? i < byte || !is_shown(byte) : !is_shown(byte) && i < byte;
    return before;
}

const char *mi_byte_text(struct mi_arena *arena, unsigned char byte)
{
    unsigned point = point_of(byte);
    if (point < 0x80)
        return mi_arena_format(arena, "%c", (int)point);
    return mi_arena_format(arena, "%c%c", (int)(0xc0 | point >> 6), (int)(0x80 | (point & 0x3f)));
}

size_t mi_token_bytes(const char *text, struct mi_text *out)
{
    size_t count = 0;
    unsigned point, byte;
    for (size_t step; *text && (step = mi_utf8(text, &point)) != 0; text += step) {
        for (byte = 0; byte < MI_BYTES && point_of(byte) != point; byte++) {}
        if (byte == MI_BYTES)
            continue;
        mi_text_append(out, &(char){(char)byte}, 1);
        count++;
    }
    return count;
}

/* ---- Pieces ---- */

enum { LONGEST_PIECE = 512, BLANK = 0, LETTER, DIGIT, OTHER };

/* Outside ASCII what is no blank and no mark is a letter. */
static int kind_of(unsigned point)
{
    if (mi_is_blank(point))
        return BLANK;
    if (point < 0x80)
        return (point | 32) >= 'a' && (point | 32) <= 'z' ? LETTER : point >= '0' && point <= '9' ? DIGIT : OTHER;
    return mi_is_mark_point(point) ? OTHER : LETTER;
}

static size_t clitic_size(const char *text)
{
    static const char *const clitics[] = {"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"};
    for (size_t i = 0; i < MI_COUNT(clitics); i++)
        if (!strncmp(text, clitics[i], strlen(clitics[i])))
            return strlen(clitics[i]);
    return 0;
}

/* Blanks up to the last one, which belongs to what stands behind it. */
static size_t blanks_size(const char *text)
{
    unsigned point;
    size_t size = 0, last = 0, step;
    while (text[size] && size < LONGEST_PIECE && (step = mi_utf8(text + size, &point)) != 0 && mi_is_blank(point)) {
        last = size;
        size += step;
    }
    return text[size] && last && size < LONGEST_PIECE ? last : size;
}

size_t mi_piece_size(const char *text)
{
    unsigned point = 0;
    size_t clitic = clitic_size(text), size = *text == ' ', step;
    if (clitic)
        return clitic;
    (void)mi_utf8(text + size, &point);
    int kind = kind_of(point);
    if (!text[size] || kind == BLANK)
        return blanks_size(text);
    while (text[size] && size < LONGEST_PIECE && (step = mi_utf8(text + size, &point)) != 0 && kind_of(point) == kind)
        size += step;
    return size;
}
