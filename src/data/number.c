/* Numbers in texts of data, whatever the locale. */
#include "data/data.h"

#include <math.h>
#include <string.h>

static double power_of_ten(int exponent)
{
    static const double exact[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                   1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    double power = 1;
    for (; exponent > 22; exponent -= 22)
        power *= 1e22;
    return power * exact[exponent];
}

/* The digits at *at, with a decimal mark among them: at most 19 count, the others only move the exponent. */
static bool take_digits(const char **at, char decimal, uint64_t *mantissa, int *exponent)
{
    bool any = false, point = false;
    int used = 0;
    for (;; (*at)++) {
        char c = **at;
        if (c == decimal && !point) {
            point = true;
            continue;
        }
        if (c < '0' || c > '9')
            return any;
        any = true;
        bool fits = used < 19;
        if (fits)
            *mantissa = *mantissa * 10 + (uint64_t)(c - '0');
        used += fits && *mantissa;
        if (fits && point && *exponent > -100000)
            (*exponent)--;
        else if (!fits && !point && *exponent < 100000)
            (*exponent)++;
    }
}

static bool take_exponent(const char **at, int *exponent)
{
    if (**at != 'e' && **at != 'E')
        return true;
    (*at)++;
    bool negative = **at == '-';
    if (**at == '-' || **at == '+')
        (*at)++;
    if (**at < '0' || **at > '9')
        return false;
    int value = 0;
    for (; **at >= '0' && **at <= '9'; (*at)++)
        value = value < 100000 ? value * 10 + (**at - '0') : value;
    *exponent += negative ? -value : value;
    return true;
}

bool mi_parse_number(const char *text, char decimal, double *out)
{
    bool negative = *text == '-';
    uint64_t mantissa = 0;
    int exponent = 0;
    if (*text == '-' || *text == '+')
        text++;
    if (!take_digits(&text, decimal, &mantissa, &exponent) || !take_exponent(&text, &exponent) || *text)
        return false;
    double value = (double)mantissa;
    if (mantissa && exponent < -350)
        value = 0;
    else if (mantissa && exponent > 350)
        value = (double)INFINITY;
    else if (exponent < -300)
        value = value / 1e300 / power_of_ten(-exponent - 300);
    else if (exponent < 0)
        value /= power_of_ten(-exponent);
    else if (mantissa)
        value *= power_of_ten(exponent);
    *out = negative ? -value : value;
    return true;
}

bool mi_is_whole(const char *text)
{
    text += *text == '-' || *text == '+';
    size_t digits = strspn(text, "0123456789");
    return digits && !text[digits];
}

bool mi_is_index(const char *text, int64_t *out)
{
    size_t length = strlen(text);
    if (!mi_is_whole(text) || *text == '-' || *text == '+' || (*text == '0' && length > 1) || length > 9)
        return false;
    for (*out = 0; *text; text++)
        *out = *out * 10 + (*text - '0');
    return true;
}
