/* Parsing expressions. */
#include "ops/expression.h"

#include "ops/expression_inside.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { DEEPEST = 64, LONGEST_TEXT = 4096, LONGEST_WORD = 31, MOST_WORDS = 64 };

#define NAME(id, count, text, derivative) #id,
const char *const mi_expression_functions[] = {MI_FUNCTIONS(NAME) NULL};

#define ROW(id, count, printed, derivative) {#id, count},
static const struct {
    const char *name;
    int arguments;
} functions[] = {MI_FUNCTIONS(ROW)};

struct parser {
    struct mi_arena *arena;
    struct mi_error *error;
    const char *what, *text, *at;
    const char *const *names;
    int depth;
};

static struct mi_expression *fail(struct parser *p, const char *text)
{
    mi_fail(p->error, MICA_FORMAT, "%s: at character %zu of \"%.200s\": %s", p->what, (size_t)(p->at - p->text) + 1,
            mi_show(p->text).text, text);
    return NULL;
}

static struct mi_expression *make(struct parser *p, enum mi_term term, struct mi_expression *x, struct mi_expression *y,
                                  struct mi_expression *z)
{
    struct mi_expression *e = mi_term_add(p->arena, term, x, y, z);
    if (!e)
        mi_out_of_memory(p->error);
    return e;
}

static void skip(struct parser *p)
{
    while (mi_is_space(*p->at))
        p->at++;
}

/* Takes the sign where it comes next. */
static bool take(struct parser *p, const char *sign)
{
    skip(p);
    size_t length = strlen(sign);
    if (strncmp(p->at, sign, length) != 0)
        return false;
    if (length == 1 && strchr("<>=!", *sign) && p->at[1] == '=') /* the beginning of a longer one */
        return false;
    p->at += length;
    return true;
}

static struct mi_expression *choice(struct parser *p);

/* ---- The smallest parts ---- */

static struct mi_expression *number(struct parser *p)
{
    char word[LONGEST_WORD + 1];
    size_t length = 0;
    char *end = word;
    while (mi_is_digit(p->at[length]) || p->at[length] == '.' || ((p->at[length] | 32) == 'e' && length) ||
           ((p->at[length] == '-' || p->at[length] == '+') && length && (p->at[length - 1] | 32) == 'e'))
        length++;
    if (length > LONGEST_WORD)
        return fail(p, "a number is too long");
    memcpy(word, p->at, length);
    word[length] = 0;
    double value = mi_read_double(word, &end);
    if (*end || end == word)
        return fail(p, "this is no number");
    if (!(value <= (double)FLT_MAX))
        return fail(p, "the number is too large for float32");
    struct mi_expression *e = make(p, MI_TERM_NUMBER, NULL, NULL, NULL);
    if (e)
        e->value = (float)value;
    p->at += length;
    return e;
}

static struct mi_expression *call(struct parser *p, size_t which)
{
    struct mi_expression *argument[2] = {NULL, NULL};
    for (int i = 0; i < functions[which].arguments; i++) {
        if (!take(p, i ? "," : "("))
            return fail(p, i ? "the function takes two arguments, parted by a comma" : "a function's arguments stand in brackets");
        if (!(argument[i] = choice(p)))
            return NULL;
    }
    if (!take(p, ")"))
        return fail(p, "\")\" is missing, or there are too many arguments");
    struct mi_expression *e = make(p, MI_TERM_CALL, argument[0], argument[1], NULL);
    if (e)
        e->which = (int)which;
    return e;
}

static struct mi_expression *unknown(struct parser *p, const char *word)
{
    const char *words[MOST_WORDS];
    size_t count = 0;
    for (const char *const *name = p->names; *name && count + 1 < MOST_WORDS; name++)
        words[count++] = *name;
    for (size_t i = 0; i < MI_COUNT(functions) && count + 1 < MOST_WORDS; i++)
        words[count++] = functions[i].name;
    words[count] = NULL;
    mi_fail(p->error, MICA_FORMAT, "%s: at character %zu of \"%.200s\": there is no \"%s\"%s", p->what,
            (size_t)(p->at - p->text) + 1, mi_show(p->text).text, word, mi_advise(word, words).text);
    return NULL;
}

static struct mi_expression *word(struct parser *p)
{
    char text[LONGEST_WORD + 1];
    size_t length = 0;
    while (mi_is_word(p->at[length]))
        length++;
    if (length > LONGEST_WORD)
        return fail(p, "the name is too long");
    memcpy(text, p->at, length);
    text[length] = 0;
    for (int i = 0; p->names[i]; i++)
        if (strcmp(p->names[i], text) == 0) {
            struct mi_expression *e = make(p, MI_TERM_NAME, NULL, NULL, NULL);
            if (e) {
                e->which = i;
                e->name = p->names[i];
            }
            p->at += length;
            return e;
        }
    for (size_t i = 0; i < MI_COUNT(functions); i++)
        if (strcmp(functions[i].name, text) == 0) {
            p->at += length;
            return call(p, i);
        }
    return unknown(p, text);
}

static struct mi_expression *part(struct parser *p)
{
    skip(p);
    if (mi_is_digit(*p->at) || *p->at == '.')
        return number(p);
    if (mi_is_word(*p->at))
        return word(p);
    if (!take(p, "("))
        return fail(p, *p->at ? "a number, a name or \"(\" is missing" : "it ends too early");
    struct mi_expression *e = choice(p);
    if (e && !take(p, ")"))
        return fail(p, "\")\" is missing");
    return e;
}

static struct mi_expression *signed_part(struct parser *p)
{
    if (++p->depth > DEEPEST)
        return fail(p, "it is nested too deeply");
    bool minus = take(p, "-"), denies = !minus && take(p, "!"), plus = !minus && !denies && take(p, "+");
    struct mi_expression *e = minus || denies || plus ? signed_part(p) : part(p);
    p->depth--;
    return !e || !(minus || denies) ? e : make(p, minus ? MI_TERM_MINUS : MI_TERM_NOT, e, NULL, NULL);
}

/* ---- Operators between two, those that bind most first ---- */

static const struct level {
    const char *sign[5];
    enum mi_term term[5];
    int count;
} levels[] = {
    {{"||"}, {MI_TERM_OR}, 1},
    {{"&&"}, {MI_TERM_AND}, 1},
    {{"==", "!="}, {MI_TERM_EQUAL, MI_TERM_UNEQUAL}, 2},
    {{"<=", ">=", "<", ">"}, {MI_TERM_LESS_EQUAL, MI_TERM_GREATER_EQUAL, MI_TERM_LESS, MI_TERM_GREATER}, 4},
    {{"+", "-"}, {MI_TERM_ADD, MI_TERM_SUBTRACT}, 2},
    {{"*", "/"}, {MI_TERM_MULTIPLY, MI_TERM_DIVIDE}, 2},
};

static struct mi_expression *between(struct parser *p, size_t level)
{
    if (level == MI_COUNT(levels))
        return signed_part(p);
    struct mi_expression *e = between(p, level + 1);
    for (int i = 0; e && i < levels[level].count; i++)
        if (take(p, levels[level].sign[i])) {
            struct mi_expression *right = between(p, level + 1);
            e = right ? make(p, levels[level].term[i], e, right, NULL) : NULL;
            i = -1;
        }
    return e;
}

static struct mi_expression *choice(struct parser *p)
{
    if (++p->depth > DEEPEST)
        return fail(p, "it is nested too deeply");
    struct mi_expression *e = between(p, 0), *yes, *no;
    if (e && take(p, "?")) {
        if (!(yes = choice(p)))
            return NULL;
        if (!take(p, ":"))
            return fail(p, "\":\" is missing: what is taken otherwise");
        e = (no = choice(p)) != NULL ? make(p, MI_TERM_CHOOSE, e, yes, no) : NULL;
    }
    p->depth--;
    return e;
}

struct mi_expression *mi_expression_parse(struct mi_arena *arena, struct mi_error *error, const char *what, const char *text,
                                          const char *const *names)
{
    struct parser p = {.arena = arena, .error = error, .what = what, .text = text, .at = text, .names = names};
    if (strlen(text) > LONGEST_TEXT) {
        mi_fail(error, MICA_FORMAT, "%s: has more than %d characters", what, LONGEST_TEXT);
        return NULL;
    }
    struct mi_expression *e = choice(&p);
    skip(&p);
    if (e && *p.at)
        return fail(&p, "something stands behind its end");
    return e;
}
