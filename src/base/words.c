/* Words that come from elsewhere (files, command lines, drivers): how they are shown, and which one was meant. */
#include "base/base.h"

#include <string.h>

/* ---- Showing ---- */

size_t mi_utf8(const char *text, unsigned *point)
{
    static const unsigned least[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *c = (const unsigned char *)text;
    size_t length = *c < 0x80 ? 1 : *c < 0xc0 ? 0 : *c < 0xe0 ? 2 : *c < 0xf0 ? 3 : *c < 0xf8 ? 4 : 0;
    *point = length > 1 ? *c & (0x7fu >> length) : *c;
    for (size_t i = 1; i < length; i++) {
        if ((c[i] & 0xc0) != 0x80)
            return 0;
        *point = *point << 6 | (c[i] & 0x3fu);
    }
    bool surrogate = *point >= 0xd800 && *point < 0xe000;
    return length && *point >= least[length] && *point <= 0x10ffff && !surrogate ? length : 0;
}

/* What a terminal obeys instead of showing it: controls, ends of lines, and marks that turn the direction of writing. */
static bool is_control(unsigned point)
{
    return point < 0x20 || (point >= 0x7f && point < 0xa0) || point == 0x61c || (point >= 0x200e && point <= 0x200f) ||
           (point >= 0x2028 && point <= 0x202e) || (point >= 0x2066 && point <= 0x2069);
}

const char *mica_printable(const char *text, char *out, size_t size)
{
    size_t at = 0, cut = 0; /* up to `cut` there is room for "..." */
    const char *c = text ? text : "";
    while (*c && size) {
        unsigned point;
        char piece[8];
        size_t bytes = mi_utf8(c, &point), length = bytes;
        const char *named = strchr("\nn\rr\tt", *c), *add = c;
        if (!bytes || is_control(point)) {
            length = (size_t)(named ? mi_format(piece, sizeof piece, "\\%c", named[1]) :
                              mi_format(piece, sizeof piece, point < 0x80 || !bytes ? "\\x%02x" : "\\u%04x",
                                        bytes ? point : (unsigned char)*c));
            add = piece;
        }
        if (at + length >= size) {
            size_t dots = size > 3 ? 3 : 0;
            memcpy(out + cut, "...", dots);
            at = cut + dots;
            break;
        }
        memcpy(out + at, add, length);
        at += length;
        cut = at + 3 < size ? at : cut;
        c += bytes ? bytes : 1;
    }
    if (size)
        out[at] = 0;
    return out;
}

struct mi_shown mi_show(const char *text)
{
    struct mi_shown out;
    mica_printable(text, out.text, sizeof out.text);
    return out;
}

/* ---- Which one was meant ---- */

enum { LONGEST_WORD = 63, STEP = 2, SWAP = 1 };

/* In lower case, with _ for - and blanks; its length, or SIZE_MAX for a word too long to be a slip of another. */
static size_t plain(const char *word, char out[LONGEST_WORD + 1])
{
    size_t length = 0;
    for (; word[length] && length < LONGEST_WORD; length++)
        out[length] = word[length] == '-' || word[length] == ' ' ? '_' : mi_to_lower(word[length]);
    out[length] = 0;
    return word[length] ? SIZE_MAX : length;
}

/* What it takes to make one word of the other (Damerau and Levenshtein): STEP for a letter more, less or another, SWAP for two
 * neighbours that changed places, which is the commonest slip. */
static size_t edit_distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
    size_t rows[3][LONGEST_WORD + 1], *before = rows[0], *last = rows[1], *now = rows[2];
    for (size_t j = 0; j <= b_length; j++)
        last[j] = j * STEP;
    for (size_t i = 1; i <= a_length; i++) {
        now[0] = i * STEP;
        for (size_t j = 1; j <= b_length; j++) {
            size_t best = last[j - 1] + (a[i - 1] != b[j - 1] ? STEP : 0);
            best = last[j] + STEP < best ? last[j] + STEP : best;
            best = now[j - 1] + STEP < best ? now[j - 1] + STEP : best;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && before[j - 2] + SWAP < best)
                best = before[j - 2] + SWAP;
            now[j] = best;
        }
        size_t *free_row = before;
        before = last;
        last = now;
        now = free_row;
    }
    return last[b_length];
}

/* How far apart two spellings of one word may lie: a slip in a short word is another word. */
static size_t allowed(size_t a, size_t b)
{
    size_t longer = a > b ? a : b;
    return longer > 7 ? 2 * STEP : longer > 3 ? STEP : longer > 1 ? SWAP : 0;
}

const char *mi_nearest(const char *word, const char *const *candidates)
{
    char mine[LONGEST_WORD + 1], other[LONGEST_WORD + 1];
    const char *nearest = NULL;
    size_t length = plain(word, mine), best = SIZE_MAX;
    for (; length != SIZE_MAX && *candidates; candidates++) {
        size_t count = plain(*candidates, other);
        bool begins_alike = count != SIZE_MAX && (mine[0] == other[0] || (mine[0] == other[1] && mine[1] == other[0]));
        size_t distance = begins_alike ? edit_distance(mine, length, other, count) : SIZE_MAX;
        if (distance < best && distance <= allowed(length, count)) {
            best = distance;
            nearest = *candidates;
        }
    }
    return nearest;
}

struct mi_advice mi_advise(const char *word, const char *const *words)
{
    struct mi_advice out;
    const char *nearest = mi_nearest(word, words);
    if (!nearest)
        return mi_list(words);
    mi_format(out.text, sizeof out.text, "; did you mean \"%s\"?", mi_show(nearest).text);
    return out;
}

struct mi_advice mi_list(const char *const *words)
{
    struct mi_advice out = {""};
    size_t at = 0, left = 0;
    while (words[left])
        left++;
    for (; *words; words++, left--) {
        struct mi_shown shown = mi_show(*words);
        if (at + strlen(shown.text) + 48 > sizeof out.text) {
            mi_format(out.text + at, sizeof out.text - at, " and %zu more", left);
            break;
        }
        const char *before = at ? ", " : left > 1 ? "; there are " : "; there is ";
        at += (size_t)mi_format(out.text + at, sizeof out.text - at, "%s\"%s\"", before, shown.text);
    }
    return out;
}
