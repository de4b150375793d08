/* The scanner of tables: RFC 4180, quotes, doubled quotes and line ends within quotes. A quote opens a cell only where
 * the cell begins; anywhere else it is a character (12" is twelve inches). */
#include "formats/table/table.h"

#include <string.h>

static bool is_blank(const struct mi_scan *s, char c)
{
    return c == ' ' || (c == '\t' && s->delimiter != '\t');
}

static bool ends_cell(const struct mi_scan *s)
{
    return s->at >= s->end || *s->at == s->delimiter || *s->at == '\n' || *s->at == '\r';
}

/* "\r\n", "\r" or "\n". */
static void take_line_end(struct mi_scan *s)
{
    s->at += *s->at == '\r' && s->at + 1 < s->end && s->at[1] == '\n' ? 2 : 1;
    s->line++;
}

static void put(char *out, size_t *size, char c)
{
    if (out)
        out[*size] = c;
    (*size)++;
}

/* From the opening quote to the closing one, and on to the end of the cell. */
static enum mi_scan_fault quoted_cell(struct mi_scan *s, char *out, size_t *size)
{
    for (s->at++;; s->at++) {
        if (s->at >= s->end)
            return MI_SCAN_NEVER_CLOSED;
        bool quote = *s->at == '"', doubled = quote && s->at + 1 < s->end && s->at[1] == '"';
        if (quote && !doubled)
            break;
        s->at += doubled;
        s->line += *s->at == '\n' || (*s->at == '\r' && (s->at + 1 >= s->end || s->at[1] != '\n'));
        put(out, size, *s->at);
    }
    s->at++;
    while (s->at < s->end && is_blank(s, *s->at))
        s->at++;
    return ends_cell(s) ? MI_SCAN_FINE : MI_SCAN_GOES_ON;
}

/* Blanks around it do not count. */
static void plain_cell(struct mi_scan *s, char *out, size_t *size)
{
    const char *begin = s->at;
    while (!ends_cell(s))
        s->at++;
    *size = (size_t)(s->at - begin);
    while (*size && is_blank(s, begin[*size - 1]))
        (*size)--;
    if (out)
        memcpy(out, begin, *size);
}

struct mi_scanned mi_scan_cell(struct mi_scan *s, char *out)
{
    struct mi_scanned cell = {.fault = MI_SCAN_FINE};
    while (s->at < s->end && is_blank(s, *s->at))
        s->at++;
    cell.quoted = s->at < s->end && *s->at == '"';
    if (cell.quoted)
        cell.fault = quoted_cell(s, out, &cell.size);
    else
        plain_cell(s, out, &cell.size);
    if (out)
        out[cell.size] = 0;
    cell.last = s->at >= s->end || *s->at != s->delimiter;
    if (s->at < s->end && !cell.last)
        s->at++;
    else if (s->at < s->end && cell.fault == MI_SCAN_FINE)
        take_line_end(s);
    return cell;
}

bool mi_scan_row(struct mi_scan *s)
{
    while (s->at < s->end) {
        const char *at = s->at;
        while (at < s->end && is_blank(s, *at))
            at++;
        if (at < s->end && *at != '\n' && *at != '\r')
            return true;
        s->at = at;
        if (at < s->end)
            take_line_end(s);
    }
    return false;
}
