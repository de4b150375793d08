/* Joins the sources of several kernels into one program. A driver reads its built-in declarations once a program (POCL: 0.07
 * to 0.3 s), so a plan's kernels build faster in one program than each in its own.
 *
 * Names that sources define at file scope must not meet: each is given a suffix by a macro that ends with its source. Sources
 * are scanned, not parsed; where that goes wrong the joined program does not compile, and its kernels are built alone. */
#include "device/programs.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_NAMES = 512, LONGEST_NAME = 120, MOST_NESTED = 16 };

struct name {
    const char *start;
    size_t size;
    bool macro;
};

struct scan {
    struct name list[MOST_NAMES];
    int count;
    int braces, parens;         /* that are open */
    int before[MOST_NESTED][2]; /* how many were where an #if began that has not ended */
    int nested;
    bool failed;
};

static bool is_same(const struct name *name, const char *start, size_t size)
{
    return name->size == size && memcmp(name->start, start, size) == 0;
}

/* A macro's name is no other name, whatever it expands to. */
static void add_name(struct scan *scan, const char *start, size_t size, bool macro)
{
    if (!size || mi_is_digit(*start))
        return;
    for (int i = 0; i < scan->count; i++)
        if (is_same(&scan->list[i], start, size)) {
            scan->list[i].macro = scan->list[i].macro || macro;
            return;
        }
    if (scan->count == MOST_NAMES || size > LONGEST_NAME)
        scan->failed = true;
    else
        scan->list[scan->count++] = (struct name){start, size, macro};
}

/* Every branch of an #if begins with the braces and parentheses that are open before it, and the last one is as good as any. */
static void scan_condition(struct scan *scan, const char *word)
{
    if (strncmp(word, "if", 2) == 0) {
        if (scan->nested < MOST_NESTED) {
            scan->before[scan->nested][0] = scan->braces;
            scan->before[scan->nested][1] = scan->parens;
        }
        scan->nested++;
    } else if (strncmp(word, "el", 2) == 0 && scan->nested > 0 && scan->nested <= MOST_NESTED) {
        scan->braces = scan->before[scan->nested - 1][0];
        scan->parens = scan->before[scan->nested - 1][1];
    } else if (strncmp(word, "endif", 5) == 0 && scan->nested-- == 0) {
        scan->nested = 0;
        scan->failed = true;
    }
    scan->failed = scan->failed || scan->nested > MOST_NESTED;
}

/* Past a directive and the lines that continue it. */
static const char *scan_directive(struct scan *scan, const char *at)
{
    const char *word = at + 1 + strspn(at + 1, " \t");
    scan_condition(scan, word);
    if (strncmp(word, "define", 6) == 0) {
        const char *name = word + 6 + strspn(word + 6, " \t");
        size_t size = 0;
        while (mi_is_word(name[size]))
            size++;
        add_name(scan, name, size, true);
    }
    while (*at && *at != '\n')
        at += at[0] == '\\' && at[1] ? 2 : 1;
    return at;
}

static const char *skip_comment(const char *at)
{
    const char *end = at[1] == '/' ? strchr(at, '\n') : strstr(at + 2, "*/");
    return !end ? at + strlen(at) : at[1] == '/' ? end : end + 2;
}

/* What a declaration at file scope has shown so far. */
struct declaration {
    const char *last, *called;    /* the last identifier, and the last one before an opening parenthesis */
    size_t last_size, called_size;
    bool assigned;                /* what follows is its value */
};

static void scan_punctuation(struct scan *scan, struct declaration *d, char c)
{
    const int parens = scan->parens;
    bool attribute = d->last_size == 13 && memcmp(d->last, "__attribute__", 13) == 0;
    if (d->assigned && c != ';')
        return;
    if (c == '(' && parens == 0 && !attribute) {
        d->called = d->last;
        d->called_size = d->last_size;
    } else if ((c == '=' || c == '[') && parens == 0) {
        add_name(scan, d->last, d->last_size, false);
        d->assigned = true;
    } else if (c == '{' && d->called)
        add_name(scan, d->called, d->called_size, false);
    else if (c == ';' && parens == 0 && !d->assigned)
        add_name(scan, d->called ? d->called : d->last, d->called ? d->called_size : d->last_size, false);
    if (c == '{' || c == ';')
        *d = (struct declaration){0};
}

/* Collects what the source defines at file scope, macros among them. */
static void scan_source(struct scan *scan, const char *at)
{
    struct declaration d = {0};
    bool line_start = true;
    while (*at) {
        if (at[0] == '/' && (at[1] == '/' || at[1] == '*')) {
            at = skip_comment(at);
        } else if (*at == '#' && line_start) {
            at = scan_directive(scan, at);
        } else if (mi_is_word(*at)) {
            const char *start = at;
            while (mi_is_word(*at))
                at++;
            if (scan->braces == 0 && scan->parens == 0) {
                d.last = start;
                d.last_size = (size_t)(at - start);
            }
            line_start = false;
        } else {
            if (scan->braces == 0)
                scan_punctuation(scan, &d, *at);
            scan->braces += (*at == '{') - (*at == '}');
            scan->parens += (*at == '(') - (*at == ')');
            line_start = *at == '\n' || (line_start && mi_is_space(*at));
            at++;
        }
    }
    scan->failed = scan->failed || scan->braces || scan->parens || scan->nested;
}

void mi_add_line_directive(struct mi_text *text, const char *name)
{
    mi_text_add(text, "#line 1 \"");
    for (; *name; name++)
        mi_text_append(text, *name == '"' || *name == '\\' || (unsigned char)*name < ' ' ? "_" : name, 1);
    mi_text_add(text, "\"\n");
}

static void write_joined(struct mi_text *program, const struct scan *scan, const char *name, const char *source,
                         const char *suffix)
{
    for (int i = 0; i < scan->count; i++)
        if (!scan->list[i].macro)
            mi_text_add(program, "#define %.*s %.*s%s\n", (int)scan->list[i].size, scan->list[i].start,
                        (int)scan->list[i].size, scan->list[i].start, suffix);
    mi_add_line_directive(program, name);
    mi_text_append(program, source, strlen(source));
    mi_text_add(program, "\n");
    for (int i = 0; i < scan->count; i++)
        mi_text_add(program, "#undef %.*s\n", (int)scan->list[i].size, scan->list[i].start);
}

bool mi_join_source(struct mi_text *program, const char *name, const char *source, const char *suffix)
{
    bool defined = false;
    struct scan *scan = mi_new(1, sizeof *scan);
    if (!scan) {
        program->failed = true;
        return false;
    }
    scan_source(scan, source);
    for (int i = 0; i < scan->count; i++)
        defined = defined || (!scan->list[i].macro && is_same(&scan->list[i], name, strlen(name)));
    bool good = defined && !scan->failed;
    if (good)
        write_joined(program, scan, name, source, suffix);
    free(scan);
    return good && !program->failed;
}
