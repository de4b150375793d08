/* What characters of Unicode are to texts that are taken apart. */
#include "data/data.h"

bool mi_is_blank(unsigned point)
{
    return point == ' ' || (point >= '\t' && point <= '\r') || point == 0x85 || point == 0xa0 || point == 0x1680 ||
           (point >= 0x2000 && point <= 0x200a) || point == 0x2028 || point == 0x2029 || point == 0x202f || point == 0x205f ||
           point == 0x3000;
}

/* A mark is a token of its own; an apostrophe and a low line are parts of words. */
bool mi_is_mark_point(unsigned point)
{
    if (point < 0x80)
        return point > ' ' && point < 0x7f && point != '\'' && !mi_is_word((char)point);
    return point == 0xa1 || point == 0xa7 || point == 0xab || point == 0xb6 || point == 0xbb || point == 0xbf ||
           (point >= 0x2010 && point <= 0x2018) || (point >= 0x201a && point <= 0x205e) || (point >= 0x3001 && point <= 0x3003) ||
           (point >= 0x3008 && point <= 0x3011);
}

/* Whether bytes begin a character of which the rest is still to come. */
static bool is_begun(const char *bytes, size_t size)
{
    unsigned char first = (unsigned char)bytes[0];
    size_t whole = first >= 0xf0 && first < 0xf5 ? 4 : first >= 0xe0 ? 3 : first >= 0xc2 ? 2 : 1;
    bool begun = first < 0xf5 && size < whole;
    for (size_t i = 1; i < size && begun; i++)
        begun = ((unsigned char)bytes[i] & 0xc0) == 0x80;
    return begun;
}

void mi_characters_take(struct mi_text *bytes, bool all, struct mi_text *out)
{
    unsigned point;
    size_t at = 0, size = bytes->size;
    const char *text = mi_text_get(bytes);
    while (at < size) {
        size_t step = text[at] ? mi_utf8(text + at, &point) : 0;
        if (!step && !all && is_begun(text + at, size - at))
            break;
        if (step)
            mi_text_append(out, text + at, step);
        else
            mi_text_append(out, MI_UNKNOWN_TOKEN, sizeof MI_UNKNOWN_TOKEN - 1);
        at += step ? step : 1;
    }
    struct mi_text rest = {0};
    mi_text_append(&rest, text + at, size - at);
    out->failed = out->failed || rest.failed || bytes->failed;
    mi_text_destroy(bytes);
    *bytes = rest;
}
