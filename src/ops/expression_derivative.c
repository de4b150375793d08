/* Derivatives of expressions, by the chain rule. NULL stands for 0. */
#include "ops/expression_inside.h"

#include <string.h>

#define DERIVATIVE(id, count, text, derivative) {DERIVATIVE_OF derivative},
#define DERIVATIVE_OF(by_x, by_y) by_x, by_y
static const char *const derivatives[][2] = {MI_FUNCTIONS(DERIVATIVE)};

static struct mi_expression *number(struct mi_arena *arena, float value)
{
    struct mi_expression *e = mi_term_add(arena, MI_TERM_NUMBER, NULL, NULL, NULL);
    if (e)
        e->value = value;
    return e;
}

static bool is_one(const struct mi_expression *e)
{
    return e->term == MI_TERM_NUMBER && e->value >= 1 && e->value <= 1;
}

static struct mi_expression *product(struct mi_arena *arena, struct mi_expression *x, struct mi_expression *y)
{
    if (!x || !y)
        return NULL;
    return is_one(x) ? y : is_one(y) ? x : mi_term_add(arena, MI_TERM_MULTIPLY, x, y, NULL);
}

static struct mi_expression *sum(struct mi_arena *arena, struct mi_expression *x, struct mi_expression *y)
{
    return !x ? y : !y ? x : mi_term_add(arena, MI_TERM_ADD, x, y, NULL);
}

static struct mi_expression *minus(struct mi_arena *arena, struct mi_expression *x)
{
    return x ? mi_term_add(arena, MI_TERM_MINUS, x, NULL, NULL) : NULL;
}

/* An expression with others in the places of its names, x and y. */
static struct mi_expression *substitute(struct mi_arena *arena, const struct mi_expression *e, struct mi_expression *x,
                                        struct mi_expression *y)
{
    if (!e)
        return NULL;
    if (e->term == MI_TERM_NAME)
        return e->which ? y : x;
    struct mi_expression *out = mi_term_add(arena, e->term, substitute(arena, e->x, x, y), substitute(arena, e->y, x, y),
                                            substitute(arena, e->z, x, y));
    if (out) {
        out->which = e->which;
        out->value = e->value;
    }
    return out;
}

/* The outer derivative times the inner one, for each argument. */
static struct mi_expression *of_call(struct mi_arena *arena, const struct mi_expression *e, int which)
{
    static const char *const names[] = {"x", "y", NULL};
    struct mi_expression *all = NULL, *inner[2] = {mi_expression_derivative(arena, e->x, which),
                                                   e->y ? mi_expression_derivative(arena, e->y, which) : NULL};
    for (int i = 0; i < 2; i++) {
        const char *outer = derivatives[e->which][i];
        struct mi_error error = {0};
        if (!inner[i] || !*outer)
            continue;
        struct mi_expression *rule = mi_expression_parse(arena, &error, e->name ? e->name : "", outer, names);
        all = sum(arena, all, product(arena, substitute(arena, rule, e->x, e->y), inner[i]));
    }
    return all;
}

static struct mi_expression *of_quotient(struct mi_arena *arena, const struct mi_expression *e, int which)
{
    struct mi_expression *dx = mi_expression_derivative(arena, e->x, which), *dy = mi_expression_derivative(arena, e->y, which);
    struct mi_expression *first = dx ? mi_term_add(arena, MI_TERM_DIVIDE, dx, e->y, NULL) : NULL;
    struct mi_expression *square = dy ? mi_term_add(arena, MI_TERM_MULTIPLY, e->y, e->y, NULL) : NULL;
    struct mi_expression *second = dy ? mi_term_add(arena, MI_TERM_DIVIDE, product(arena, e->x, dy), square, NULL) : NULL;
    return sum(arena, first, minus(arena, second));
}

struct mi_expression *mi_expression_derivative(struct mi_arena *arena, const struct mi_expression *e, int which)
{
    struct mi_expression *dx = NULL, *dy = NULL;
    switch (e->term) {
    case MI_TERM_NAME:
        return e->which == which ? number(arena, 1) : NULL;
    case MI_TERM_CALL:
        return of_call(arena, e, which);
    case MI_TERM_CHOOSE:
        dx = mi_expression_derivative(arena, e->y, which);
        dy = mi_expression_derivative(arena, e->z, which);
        return dx || dy ? mi_term_add(arena, MI_TERM_CHOOSE, e->x, dx ? dx : number(arena, 0), dy ? dy : number(arena, 0)) : NULL;
    case MI_TERM_MINUS:
        return minus(arena, mi_expression_derivative(arena, e->x, which));
    case MI_TERM_ADD:
    case MI_TERM_SUBTRACT:
        dx = mi_expression_derivative(arena, e->x, which);
        dy = mi_expression_derivative(arena, e->y, which);
        return sum(arena, dx, e->term == MI_TERM_ADD ? dy : minus(arena, dy));
    case MI_TERM_MULTIPLY:
        dx = product(arena, mi_expression_derivative(arena, e->x, which), e->y);
        dy = product(arena, e->x, mi_expression_derivative(arena, e->y, which));
        return sum(arena, dx, dy);
    case MI_TERM_DIVIDE:
        return of_quotient(arena, e, which);
    default:
        return NULL; /* numbers and conditions */
    }
}
