#include "random/ball.h"

#include <float.h>
#include <math.h>

/* Half a unit in the last place of a float32, and what is lost where subnormal numbers count as zero. */
static const double unit = 1.0 / 16777216, least = (double)FLT_MIN;

static const double most_whole = 2147483647;

struct ball ball_whole(double at)
{
    return (struct ball){.at = at, .whole = true};
}

struct ball ball_float(double at)
{
    return (struct ball){.at = at, .radius = fabs(at) < least ? fabs(at) : 0};
}

/* A result that is at most `radius` off before it is rounded to `halves` half units. Nothing is known of what may overflow. What is
 * exactly 0 is no subnormal number. */
static struct ball rounded(double at, double radius, double halves)
{
    if (!isfinite(at))
        return (struct ball){.at = at, .radius = radius == 0 ? 0 : (double)INFINITY};
    if (at == 0 && radius == 0)
        return (struct ball){.at = at};
    radius += halves * unit * (fabs(at) + radius);
    if (!(fabs(at) + 2 * radius <= (double)FLT_MAX))
        return (struct ball){.at = at, .radius = (double)INFINITY};
    return (struct ball){.at = at, .radius = radius + (fabs(at) - radius < least ? least : 0)};
}

/* Integers wrap around: nothing is known of what does. */
static struct ball whole(double at, double radius)
{
    return (struct ball){.at = at, .radius = fabs(at) + radius <= most_whole ? radius : (double)INFINITY, .whole = true};
}

static struct ball not_negative(struct ball a, bool is)
{
    a.not_negative = is;
    return a;
}

static double lowest(struct ball a)
{
    return a.not_negative ? fmax(a.at - a.radius, 0) : a.at - a.radius;
}

static double highest(struct ball a)
{
    return a.at + a.radius;
}

bool ball_is_not_negative(struct ball a)
{
    return lowest(a) >= 0;
}

struct ball ball_as(struct ball a, bool to_whole)
{
    if (a.whole == to_whole)
        return a;
    if (!to_whole) {
        double radius = fabs(a.at) < 16777216 ? a.radius : a.radius + unit * fabs(a.at);
        return (struct ball){.at = a.at, .radius = radius, .not_negative = a.not_negative};
    }
    if (!isfinite(a.at) || !isfinite(a.radius))
        return (struct ball){.radius = (double)INFINITY, .whole = true};
    double at = trunc(a.at), low = trunc(lowest(a)), high = trunc(highest(a));
    return not_negative(whole(at, fmax(at - low, high - at)), a.not_negative);
}

struct ball ball_add(struct ball a, struct ball b)
{
    bool exact = (a.at == 0 && a.radius == 0) || (b.at == 0 && b.radius == 0);
    struct ball sum = a.whole && b.whole ? whole(a.at + b.at, a.radius + b.radius)
                                         : rounded(a.at + b.at, a.radius + b.radius, exact ? 0 : 1);
    return not_negative(sum, ball_is_not_negative(a) && ball_is_not_negative(b));
}

struct ball ball_negate(struct ball a)
{
    return (struct ball){.at = -a.at, .radius = a.radius, .whole = a.whole};
}

struct ball ball_subtract(struct ball a, struct ball b)
{
    return ball_add(a, ball_negate(b));
}

struct ball ball_multiply(struct ball a, struct ball b)
{
    double radius = a.radius == 0 && b.radius == 0
                        ? 0
                        : fabs(a.at) * b.radius + fabs(b.at) * a.radius + a.radius * b.radius;
    struct ball product = a.whole && b.whole ? whole(a.at * b.at, radius) : rounded(a.at * b.at, radius, 1);
    return not_negative(product, ball_is_not_negative(a) && ball_is_not_negative(b));
}

/* 2.5 units in the last place. */
struct ball ball_divide(struct ball a, struct ball b)
{
    if (a.whole && b.whole)
        return b.at == 0 ? whole(0, (double)INFINITY)
                         : whole(trunc(a.at / b.at), a.radius + b.radius == 0 ? 0 : (double)INFINITY);
    if (a.radius == 0 && b.radius == 0)
        return rounded(a.at / b.at, 0, 5);
    double nearest = fabs(b.at) - b.radius;
    if (!(nearest > 0))
        return (struct ball){.at = a.at / b.at, .radius = (double)INFINITY};
    struct ball quotient = rounded(a.at / b.at, (a.radius + fabs(a.at / b.at) * b.radius) / nearest, 5);
    return not_negative(quotient, b.at > 0 && ball_is_not_negative(a));
}

struct ball ball_remainder(struct ball a, struct ball b)
{
    if (b.at == 0 || a.radius + b.radius != 0)
        return whole(0, (double)INFINITY);
    return whole(fmod(a.at, b.at), 0);
}

/* ---- Truth ---- */

static struct ball truth(bool is, bool known)
{
    return (struct ball){.at = is, .radius = known ? 0 : 1, .whole = true, .not_negative = true};
}

/* NaN is neither less than a number nor equal to it. Two balls that agree in both numbers stand for one result, read twice. */
static bool is_known(struct ball a, struct ball b)
{
    return (isnan(a.at) && a.radius == 0) || (isnan(b.at) && b.radius == 0) ||
           (a.radius == b.radius && a.at == b.at && isfinite(a.radius));
}

struct ball ball_less(struct ball a, struct ball b)
{
    return truth(a.at < b.at, is_known(a, b) || highest(a) < lowest(b) || lowest(a) >= highest(b));
}

struct ball ball_equal(struct ball a, struct ball b)
{
    return truth(a.at == b.at, is_known(a, b) || a.radius + b.radius == 0 || highest(a) < lowest(b) || lowest(a) > highest(b));
}

bool ball_is_true(struct ball a)
{
    return (isnan(a.at) && a.radius == 0) || fabs(a.at) > a.radius;
}

bool ball_is_false(struct ball a)
{
    return a.at == 0 && a.radius == 0;
}

struct ball ball_not(struct ball a)
{
    return truth(a.at == 0, ball_is_true(a) || ball_is_false(a));
}

struct ball ball_and(struct ball a, struct ball b)
{
    bool decided = ball_is_false(a) || ball_is_false(b) || (ball_is_true(a) && ball_is_true(b));
    return truth(a.at != 0 && b.at != 0, decided);
}

struct ball ball_or(struct ball a, struct ball b)
{
    return ball_not(ball_and(ball_not(a), ball_not(b)));
}

struct ball ball_bits(char operation, struct ball a, struct ball b)
{
    long long x = (long long)a.at, y = (long long)b.at;
    bool exact = a.radius + b.radius == 0, truths = fabs(a.at) <= 1 && a.radius <= 1 && fabs(b.at) <= 1 && b.radius <= 1;
    return whole((double)(operation == '&' ? x & y : x | y), exact ? 0 : truths ? 2 : (double)INFINITY);
}

struct ball ball_either(struct ball a, struct ball b)
{
    if (isnan(a.at) && isnan(b.at))
        return a;
    double far = fabs(a.at - b.at) + b.radius;
    if (a.at == b.at)
        far = b.radius;
    return (struct ball){.at = a.at, .radius = isnan(far) ? (double)INFINITY : fmax(a.radius, far), .whole = a.whole && b.whole,
                         .not_negative = ball_is_not_negative(a) && ball_is_not_negative(b)};
}

struct ball ball_larger(struct ball a, struct ball b)
{
    double at = fmax(a.at, b.at), low = fmax(lowest(a), lowest(b)), high = fmax(highest(a), highest(b));
    return (struct ball){.at = at, .radius = fmax(at - low, high - at), .whole = a.whole && b.whole,
                         .not_negative = ball_is_not_negative(a) || ball_is_not_negative(b)};
}

struct ball ball_smaller(struct ball a, struct ball b)
{
    return ball_negate(ball_larger(ball_negate(a), ball_negate(b)));
}

/* ---- Functions ---- */

struct ball ball_function(const struct ball_function *f, struct ball a)
{
    double at = f->function(a.at), low = f->function(lowest(a)), high = f->function(highest(a)), radius = 0;
    if (isinf(a.radius))
        return (struct ball){.at = at, .radius = (double)INFINITY, .not_negative = f->kind == BALL_NOT_NEGATIVE};
    if (a.radius > 0)
        radius = f->kind == BALL_TURNS ? fmin(a.radius, 2) : fmax(fabs(high - at), fabs(low - at));
    if (a.radius > 0 && isnan(low) != isnan(at))
        radius = (double)INFINITY;
    if (isnan(at) && isnan(high) && isnan(low))
        radius = 0;
    return not_negative(rounded(at, radius, 2 * f->ulps), f->kind == BALL_NOT_NEGATIVE);
}

struct ball ball_power(struct ball a, struct ball b)
{
    double at = pow(a.at, b.at), radius = 0;
    /* A pole may lie within, or a whole power of a negative number among those that are none. */
    bool pole = a.radius + b.radius > 0 && fabs(a.at) <= a.radius && lowest(b) <= 0;
    if (pole || (lowest(a) < 0 && b.radius > 0))
        return (struct ball){.at = at, .radius = (double)INFINITY};
    for (int i = 0; i < 4 && a.radius + b.radius > 0; i++) {
        double corner = pow(a.at + (i & 1 ? a.radius : -a.radius), b.at + (i & 2 ? b.radius : -b.radius));
        radius = isnan(corner) != isnan(at) ? (double)INFINITY : isnan(at) ? radius : fmax(radius, fabs(corner - at));
    }
    return rounded(at, radius, 32);
}

struct ball ball_sum(double at, double radius, double magnitude, double terms)
{
    if (!isfinite(at) || magnitude > (double)FLT_MAX)
        return (struct ball){.at = at, .radius = radius == 0 && !isfinite(at) ? 0 : (double)INFINITY};
    return rounded(at, radius + (terms > 1 ? terms * unit * magnitude : 0) + (magnitude > 0 ? terms * least : 0), 0);
}

bool ball_holds(struct ball a, double number)
{
    if (isnan(a.at) || isinf(a.at))
        return isnan(a.at) ? isnan(number) : isinf(number) && (number > 0) == (a.at > 0);
    return fabs(number - a.at) <= 2 * a.radius;
}
