/* Ball arithmetic: a number in double and a bound of how far float32 may be from it.
 *
 * Every operation adds the rounding that OpenCL allows it, so that the bound at the end is derived and not guessed. Where the bound
 * leaves a comparison undecided, what depends on it covers both answers. An infinite bound says that nothing can be known. */
#ifndef MICA_TEST_BALL_H
#define MICA_TEST_BALL_H

#include <stdbool.h>

struct ball {
    double at, radius;
    bool whole;         /* an integer in C's sense: it divides as one */
    bool not_negative;  /* however far the radius reaches: a square, a root, what was cut at 0; or NaN */
};

struct ball ball_float(double at);
struct ball ball_whole(double at);
/* As a float32 or an integer: a conversion rounds, truncates, or leaves the ball as it is. */
struct ball ball_as(struct ball a, bool whole);

struct ball ball_add(struct ball a, struct ball b);
struct ball ball_subtract(struct ball a, struct ball b);
struct ball ball_multiply(struct ball a, struct ball b);
struct ball ball_divide(struct ball a, struct ball b);
struct ball ball_remainder(struct ball a, struct ball b);
struct ball ball_negate(struct ball a);

struct ball ball_less(struct ball a, struct ball b);
struct ball ball_equal(struct ball a, struct ball b);
struct ball ball_or(struct ball a, struct ball b);
struct ball ball_and(struct ball a, struct ball b);
struct ball ball_bits(char operation, struct ball a, struct ball b); /* '&' and '|' of integers */
struct ball ball_not(struct ball a);

/* Certainly true or certainly false, or neither. */
bool ball_is_true(struct ball a);
bool ball_is_false(struct ball a);
/* What covers both. */
struct ball ball_either(struct ball a, struct ball b);
struct ball ball_larger(struct ball a, struct ball b);
struct ball ball_smaller(struct ball a, struct ball b);
bool ball_is_not_negative(struct ball a);

/* A function that OpenCL allows an error of so many units in the last place. */
struct ball_function {
    double (*function)(double);
    double ulps;
    enum {
        BALL_ANY,
        BALL_NOT_NEGATIVE,      /* its results */
        BALL_TURNS              /* rises and falls, nowhere faster than its argument, within -1 to 1; others turn at 0 at most */
    } kind;
};
struct ball ball_function(const struct ball_function *f, struct ball a);
struct ball ball_power(struct ball a, struct ball b);

/* Whether a float32 that was computed otherwise may be this number. Twice the radius: where maps are folded into a product's
 * weights, a number is rounded once more for each time that the bound counts. */
bool ball_holds(struct ball a, double number);

/* The sum of `terms` numbers whose magnitudes sum to `magnitude`, in whatever order they are added. */
struct ball ball_sum(double at, double radius, double magnitude, double terms);

#endif
