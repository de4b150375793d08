/* The expressions and statements of rows (op.h), compiled once and evaluated in ball arithmetic. */
#ifndef MICA_TEST_EXPRESSION_H
#define MICA_TEST_EXPRESSION_H

#include "random/ball.h"

#include "base/base.h"

enum { MOST_NAMES = 64 };

/* What names mean: slot i is name[i]. */
struct names {
    int count;
    char name[MOST_NAMES][48];
    struct ball value[MOST_NAMES];
    /* Of a state that terms were added to: their magnitudes and number, for ball_sum. */
    double magnitude[MOST_NAMES], terms[MOST_NAMES];
};

int names_add(struct names *names, const char *name, struct ball value);

struct expression;
/* Fails the test where the text is not understood. The names must be there already. */
struct expression *expression_compile(struct mi_arena *arena, const struct names *names, const char *text);
struct ball expression_value(const struct expression *e, const struct names *names);

/* `s0 = x; s1 += x * x;` and `{ const int take = ...; ... }`: assignments in order. What they declare becomes a name. */
struct statement;
struct statement *statements_compile(struct mi_arena *arena, struct names *names, const char *text);
void statements_run(const struct statement *first, struct names *names);

#endif
