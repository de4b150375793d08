#include "random/ball.h"

#include <float.h>
#include <math.h>

/* Half a unit in the last place of a float32, and what is lost where subnormal numbers count as zero. */
static const double unit = 1.0 / 16777216, least = (double)FLT_MIN;

static const double most_whole = 2147483647;

struct ball ball_whole(double at)
{
    return (struct ball){at, 0, true};
}

struct ball ball_float(double at)
{
    return (struct ball){at, 0, false};
}

/* A result that is at most `radius` off before it is rounded to `halves` half units. */
static struct ball rounded(double at, double radius, double halves)
{
    if (!isfinite(at))
        return (struct ball){at, radius == 0 ? 0 : (double)INFINITY, false};
    if (isnan(radius) || fabs(at) > (double)FLT_MAX)
        return (struct ball){at, (double)INFINITY, false};
    return (struct ball){at, radius + halves * unit * (fabs(at) + radius) + least, false};
}

/* Integers wrap around: nothing is known of what does. */
static struct ball whole(double at, double radius)
{
    return (struct ball){at, fabs(at) > most_whole || isnan(radius) ? (double)INFINITY : radius, true};
}

struct ball ball_as(struct ball a, bool to_whole)
{
    if (a.whole == to_whole)
        return a;
    if (!to_whole) {
        double radius = fabs(a.at) < 16777216 ? a.radius : a.radius + unit * fabs(a.at);
        return (struct ball){a.at, radius, false};
    }
    if (!isfinite(a.at) || !isfinite(a.radius))
        return (struct ball){0, (double)INFINITY, true};
    double at = trunc(a.at), low = trunc(a.at - a.radius), high = trunc(a.at + a.radius);
    return whole(at, fmax(at - low, high - at));
}

struct ball ball_add(struct ball a, struct ball b)
{
    if (a.whole && b.whole)
        return whole(a.at + b.at, a.radius + b.radius);
    bool exact = (a.at == 0 && a.radius == 0) || (b.at == 0 && b.radius == 0);
    return rounded(a.at + b.at, a.radius + b.radius, exact ? 0 : 1);
}

struct ball ball_negate(struct ball a)
{
    return (struct ball){-a.at, a.radius, a.whole};
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
    return a.whole && b.whole ? whole(a.at * b.at, radius) : rounded(a.at * b.at, radius, 1);
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
        return (struct ball){a.at / b.at, (double)INFINITY, false};
    return rounded(a.at / b.at, (a.radius + fabs(a.at / b.at) * b.radius) / nearest, 5);
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
    return (struct ball){is, known ? 0 : 1, true};
}

/* Two balls that agree in both numbers stand for one result, read twice. */
static bool apart(struct ball a, struct ball b)
{
    return a.radius + b.radius == 0 || fabs(a.at - b.at) > a.radius + b.radius ||
           (a.radius == b.radius && a.at == b.at && isfinite(a.radius)) || (isnan(a.at) && a.radius == 0) ||
           (isnan(b.at) && b.radius == 0);
}

struct ball ball_less(struct ball a, struct ball b)
{
    return truth(a.at < b.at, apart(a, b));
}

struct ball ball_equal(struct ball a, struct ball b)
{
    return truth(a.at == b.at, apart(a, b));
}

bool ball_is_true(struct ball a)
{
    return isnan(a.at) || fabs(a.at) > a.radius;
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
    return whole((double)(operation == '&' ? x & y : x | y), a.radius + b.radius);
}

struct ball ball_either(struct ball a, struct ball b)
{
    if (isnan(a.at) && isnan(b.at))
        return a;
    double far = fabs(a.at - b.at) + b.radius;
    if (a.at == b.at)
        far = b.radius;
    return (struct ball){a.at, isnan(far) ? (double)INFINITY : fmax(a.radius, far), a.whole && b.whole};
}

/* ---- Functions ---- */

struct ball ball_function(double (*function)(double), double ulps, struct ball a)
{
    double at = function(a.at), radius = 0;
    if (isinf(a.radius))
        return (struct ball){at, (double)INFINITY, false};
    if (a.radius > 0)
        radius = fmax(fabs(function(a.at + a.radius) - at), fabs(function(a.at - a.radius) - at));
    if (a.radius > 0 && isnan(function(a.at - a.radius)) != isnan(at))
        radius = (double)INFINITY;
    if (isnan(at) && isnan(function(a.at + a.radius)) && isnan(function(a.at - a.radius)))
        radius = 0;
    return rounded(at, radius, 2 * ulps);
}

struct ball ball_power(struct ball a, struct ball b)
{
    double at = pow(a.at, b.at), radius = 0;
    for (int i = 0; i < 4 && a.radius + b.radius > 0; i++) {
        double corner = pow(a.at + (i & 1 ? a.radius : -a.radius), b.at + (i & 2 ? b.radius : -b.radius));
        radius = isnan(corner) != isnan(at) ? (double)INFINITY : isnan(at) ? radius : fmax(radius, fabs(corner - at));
    }
    return rounded(at, radius, 32);
}

struct ball ball_sum(double at, double radius, double magnitude, double terms)
{
    if (!isfinite(at))
        return (struct ball){at, radius == 0 ? 0 : (double)INFINITY, false};
    return rounded(at, radius + (terms > 1 ? terms * unit * magnitude : 0) + terms * least, 0);
}

bool ball_holds(struct ball a, double number)
{
    if (isnan(a.at) || isinf(a.at))
        return isnan(a.at) ? isnan(number) : isinf(number) && (number > 0) == (a.at > 0);
    return fabs(number - a.at) <= 2 * a.radius;
}
