#include "random/expression.h"

#include "support/device.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum code { CONSTANT, NAME, NEGATE, NOT, TO_WHOLE, TO_FLOAT, OPERATOR, CHOOSE, FUNCTION, POWER, LARGER, SMALLER };

struct expression {
    enum code code;
    int slot, function;
    char operator[3];
    struct ball constant;
    const struct expression *part[3];
    const struct expression *squared; /* of a product `f * x * x` its f, of `x * x` itself: never below 0 where f is not */
    bool cuts;                  /* `x < 0 ? 0 : x` */
};

struct statement {
    int slot;
    char operator;              /* '=', '+', '*' or '|' */
    const struct expression *value;
    struct statement *next;
};

/* What OpenCL C 1.2 allows each, in units in the last place. */
static const struct function {
    const char *name;
    struct ball_function is;
} functions[] = {
    {"exp", {exp, 3, BALL_NOT_NEGATIVE}},   {"sqrt", {sqrt, 3, BALL_NOT_NEGATIVE}}, {"erfc", {erfc, 16, BALL_NOT_NEGATIVE}},
    {"fabs", {fabs, 0, BALL_NOT_NEGATIVE}}, {"sin", {sin, 4, BALL_TURNS}},          {"cos", {cos, 4, BALL_TURNS}},
    {"log", {log, 3, BALL_ANY}},            {"log1p", {log1p, 2, BALL_ANY}},        {"expm1", {expm1, 3, BALL_ANY}},
    {"tanh", {tanh, 5, BALL_ANY}},          {"erf", {erf, 16, BALL_ANY}},           {"floor", {floor, 0, BALL_ANY}},
    {"ceil", {ceil, 0, BALL_ANY}},          {"rint", {rint, 0, BALL_ANY}}};

int names_add(struct names *names, const char *name, struct ball value)
{
    assert_true(names->count < MOST_NAMES);
    snprintf(names->name[names->count], sizeof names->name[0], "%s", name);
    names->value[names->count] = value;
    return names->count++;
}

/* ---- Reading ---- */

struct reader {
    struct mi_arena *arena;
    const struct names *names;
    const char *text, *at;
};

static void skip_blanks(struct reader *r)
{
    r->at += strspn(r->at, " \n");
}

/* Takes the text if it stands here and does not go on as another operator. */
static bool take(struct reader *r, const char *text)
{
    skip_blanks(r);
    size_t length = strlen(text);
    if (strncmp(r->at, text, length) != 0)
        return false;
    char next = r->at[length];
    if (length == 1 && strchr("&|<>=!", text[0]) && (next == '=' || (strchr("&|", text[0]) && next == text[0])))
        return false;
    r->at += length;
    return true;
}

static struct expression *make(struct reader *r, enum code code, const struct expression *a, const struct expression *b,
                               const struct expression *c)
{
    struct expression *e = mi_arena_new(r->arena, 1, sizeof *e);
    assert_non_null(e);
    *e = (struct expression){.code = code, .part = {a, b, c}};
    return e;
}

/* Whether both were written alike. */
static bool same(const struct expression *a, const struct expression *b)
{
    if (!a || !b)
        return a == b;
    return a->code == b->code && a->slot == b->slot && a->function == b->function && strcmp(a->operator, b->operator) == 0 &&
           a->constant.at == b->constant.at && a->constant.whole == b->constant.whole && same(a->part[0], b->part[0]) &&
           same(a->part[1], b->part[1]) && same(a->part[2], b->part[2]);
}

static struct expression *operate(struct reader *r, const char *operator, const struct expression *a, const struct expression *b)
{
    struct expression *e = make(r, OPERATOR, a, b, NULL);
    snprintf(e->operator, sizeof e->operator, "%s", operator);
    if (operator[0] == '*' && same(a, b))
        e->squared = e;
    else if (operator[0] == '*' && a->operator[0] == '*' && same(a->part[1], b))
        e->squared = a->part[0];
    return e;
}

static struct expression *read_choice(struct reader *r);

static struct expression *read_number(struct reader *r)
{
    char *end;
    struct expression *e = make(r, CONSTANT, NULL, NULL, NULL);
    double value = mi_read_double(r->at, &end);
    bool whole = strcspn(r->at, ".ef") >= (size_t)(end - r->at) && *end != 'f';
    /* A literal is the nearest float32. */
    e->constant = whole ? ball_whole(value) : ball_float((double)(float)value);
    r->at = end + (*end == 'f' || *end == 'u');
    return e;
}

static struct expression *read_call(struct reader *r, const char *name, size_t length)
{
    struct expression *a = read_choice(r), *b = NULL;
    if (take(r, ","))
        b = read_choice(r);
    assert_true(take(r, ")"));
    if (length == 3 && strncmp(name, "pow", 3) == 0)
        return make(r, POWER, a, b, NULL);
    if (length == 3 && strncmp(name, "max", 3) == 0)
        return make(r, LARGER, a, b, NULL);
    if (length == 3 && strncmp(name, "min", 3) == 0)
        return make(r, SMALLER, a, b, NULL);
    for (size_t i = 0; i < MI_COUNT(functions); i++)
        if (strlen(functions[i].name) == length && strncmp(name, functions[i].name, length) == 0) {
            struct expression *e = make(r, FUNCTION, a, NULL, NULL);
            e->function = (int)i;
            return e;
        }
    fail_msg("the function %.*s of \"%s\" is not known", (int)length, name, r->text);
    return NULL;
}

static struct expression *read_name(struct reader *r)
{
    const char *name = r->at;
    size_t length = 0;
    while (isalnum((unsigned char)name[length]) || name[length] == '_' || name[length] == '$')
        length++;
    r->at += length;
    if (length && take(r, "("))
        return read_call(r, name, length);
    for (int i = r->names->count - 1; i >= 0 && length; i--)
        if (strlen(r->names->name[i]) == length && strncmp(name, r->names->name[i], length) == 0) {
            struct expression *e = make(r, NAME, NULL, NULL, NULL);
            e->slot = i;
            return e;
        }
    fail_msg("\"%s\": the name at \"%s\" is not known; attributes of a map are drawn in draw_maps.c", r->text, name);
    return NULL;
}

static struct expression *read_unary(struct reader *r)
{
    if (take(r, "-"))
        return make(r, NEGATE, read_unary(r), NULL, NULL);
    if (take(r, "!"))
        return make(r, NOT, read_unary(r), NULL, NULL);
    if (take(r, "(int)") || take(r, "(uint)"))
        return make(r, TO_WHOLE, read_unary(r), NULL, NULL);
    if (take(r, "(float)"))
        return make(r, TO_FLOAT, read_unary(r), NULL, NULL);
    if (take(r, "(")) {
        struct expression *e = read_choice(r);
        assert_true(take(r, ")"));
        return e;
    }
    return isdigit((unsigned char)*r->at) || *r->at == '.' ? read_number(r) : read_name(r);
}

/* C's binary operators, those that bind least first. */
static const char *const levels[][5] = {{"||"}, {"&&"}, {"|"}, {"&"}, {"==", "!="}, {"<=", ">=", "<", ">"}, {"+", "-"},
                                        {"*", "/", "%"}};

static struct expression *read_level(struct reader *r, size_t level)
{
    if (level == MI_COUNT(levels))
        return read_unary(r);
    struct expression *e = read_level(r, level + 1);
    for (bool more = true; more;) {
        more = false;
        for (int i = 0; i < 5 && levels[level][i] && !more; i++)
            if (take(r, levels[level][i])) {
                e = operate(r, levels[level][i], e, read_level(r, level + 1));
                more = true;
            }
    }
    return e;
}

static bool is_zero(const struct expression *e)
{
    return e->code == CONSTANT && e->constant.at == 0;
}

static struct expression *read_choice(struct reader *r)
{
    struct expression *condition = read_level(r, 0);
    if (!take(r, "?"))
        return condition;
    struct expression *yes = read_choice(r);
    assert_true(take(r, ":"));
    struct expression *e = make(r, CHOOSE, condition, yes, read_choice(r));
    e->cuts = strcmp(condition->operator, "<") == 0 && is_zero(condition->part[1]) && is_zero(yes) &&
              same(condition->part[0], e->part[2]);
    return e;
}

struct expression *expression_compile(struct mi_arena *arena, const struct names *names, const char *text)
{
    struct reader r = {arena, names, text, text};
    struct expression *e = read_choice(&r);
    skip_blanks(&r);
    if (*r.at)
        fail_msg("\"%s\": \"%s\" is not understood", text, r.at);
    return e;
}

/* ---- Values ---- */

static struct ball operated(const char *operator, struct ball a, struct ball b)
{
    switch (operator[0]) {
    case '+': return ball_add(a, b);
    case '-': return ball_subtract(a, b);
    case '*': return ball_multiply(a, b);
    case '/': return ball_divide(a, b);
    case '%': return ball_remainder(a, b);
    case '=': return ball_equal(a, b);
    case '!': return ball_not(ball_equal(a, b));
    case '<': return operator[1] ? ball_or(ball_less(a, b), ball_equal(a, b)) : ball_less(a, b);
    case '>': return operator[1] ? ball_or(ball_less(b, a), ball_equal(a, b)) : ball_less(b, a);
    case '&': return operator[1] ? ball_and(a, b) : ball_bits('&', a, b);
    default: return operator[1] ? ball_or(a, b) : ball_bits('|', a, b);
    }
}

static struct ball chosen(const struct expression *e, const struct names *names)
{
    struct ball condition = expression_value(e->part[0], names);
    if (ball_is_true(condition))
        return expression_value(e->part[1], names);
    if (ball_is_false(condition))
        return expression_value(e->part[2], names);
    struct ball yes = expression_value(e->part[1], names), no = expression_value(e->part[2], names);
    struct ball either = condition.at != 0 ? ball_either(yes, no) : ball_either(no, yes);
    either.not_negative |= e->cuts;
    return either;
}

static struct ball multiplied(const struct expression *e, const struct names *names, struct ball a, struct ball b)
{
    struct ball product = ball_multiply(a, b);
    product.not_negative |= e->squared == e || (e->squared && ball_is_not_negative(expression_value(e->squared, names)));
    return product;
}

struct ball expression_value(const struct expression *e, const struct names *names)
{
    struct ball a, b;
    switch (e->code) {
    case CONSTANT: return e->constant;
    case NAME: return names->value[e->slot];
    case NEGATE: return ball_negate(expression_value(e->part[0], names));
    case NOT: return ball_not(expression_value(e->part[0], names));
    case TO_WHOLE: return ball_as(expression_value(e->part[0], names), true);
    case TO_FLOAT: return ball_as(expression_value(e->part[0], names), false);
    case CHOOSE: return chosen(e, names);
    case FUNCTION:
        return ball_function(&functions[e->function].is, expression_value(e->part[0], names));
    default: break;
    }
    a = expression_value(e->part[0], names);
    b = expression_value(e->part[1], names);
    if (e->code == POWER)
        return ball_power(a, b);
    if (e->code == LARGER || e->code == SMALLER)
        return e->code == LARGER ? ball_larger(a, b) : ball_smaller(a, b);
    return e->squared ? multiplied(e, names, a, b) : operated(e->operator, a, b);
}

/* ---- Statements ---- */

static struct statement *read_statement(struct reader *r, struct names *names)
{
    struct statement *s = mi_arena_new(r->arena, 1, sizeof *s);
    char name[24];
    size_t length = 0;
    assert_non_null(s);
    bool declares = take(r, "const int ");
    skip_blanks(r);
    while (isalnum((unsigned char)r->at[length]) || r->at[length] == '_')
        length++;
    assert_true(length > 0 && length < sizeof name);
    memcpy(name, r->at, length);
    name[length] = 0;
    r->at += length;
    s->slot = -1;
    for (int i = 0; i < names->count && !declares; i++)
        if (strcmp(names->name[i], name) == 0)
            s->slot = i;
    s->operator = take(r, "+=") ? '+' : take(r, "*=") ? '*' : take(r, "|=") ? '|' : '=';
    assert_true(s->operator != '=' || take(r, "="));
    s->value = read_choice(r);
    assert_true(take(r, ";"));
    if (declares)
        s->slot = names_add(names, name, ball_whole(0));
    assert_true(s->slot >= 0);
    return s;
}

struct statement *statements_compile(struct mi_arena *arena, struct names *names, const char *text)
{
    struct reader r = {arena, names, text, text};
    struct statement *first = NULL, **next = &first;
    for (skip_blanks(&r); *r.at; skip_blanks(&r)) {
        if (take(&r, "{") || take(&r, "}"))
            continue;
        *next = read_statement(&r, names);
        next = &(*next)->next;
    }
    return first;
}

/* A sum keeps its terms' magnitudes: the order in which they are added is not known. */
static void add_term(struct names *names, int slot, struct ball term)
{
    struct ball *sum = &names->value[slot];
    if (sum->whole) {
        *sum = ball_add(*sum, term);
        return;
    }
    sum->not_negative = (names->terms[slot] > 0 ? sum->not_negative : ball_is_not_negative(*sum)) && ball_is_not_negative(term);
    sum->at += term.at;
    sum->radius += term.radius;
    names->magnitude[slot] += fabs(term.at) + term.radius;
    names->terms[slot]++;
}

void statements_run(const struct statement *s, struct names *names)
{
    for (; s; s = s->next) {
        struct ball value = expression_value(s->value, names), *to = &names->value[s->slot];
        if (s->operator == '+') {
            add_term(names, s->slot, value);
            continue;
        }
        if (s->operator == '*')
            value = ball_multiply(*to, value);
        if (s->operator == '|')
            value = ball_bits('|', *to, value);
        *to = ball_as(value, to->whole);
    }
}
