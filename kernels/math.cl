/* Stands before every program for a CPU: functions that its compiler would call for one number at a time, written so that loops
 * over them become vectors. There are no branches, no tables and no calls.
 *
 * The method is that of W. J. Cody and W. Waite, "Software Manual for the Elementary Functions" (1980), and J.-M. Muller,
 * "Elementary Functions" (3rd ed., 2016), ch. 4 and 11: the argument is reduced to an interval round 0, with ln 2 in two parts
 * so that nothing is lost, and a polynomial is evaluated there. Its coefficients are minimax fits (Lawson's algorithm, linear
 * programming) in double, rounded. A sweep over floats of every size finds at most 1.8 units in the last place of error, 2.3 for
 * tanh, 4.2 for erf and 4.7 for erfc, a little less where products and sums are rounded together; OpenCL C allows 3 to 16. NaN and
 * infinities come out as they should. Numbers without a leading one count as zero, as kernels for CPUs are built. */

/* x = k ln 2 + r. Adding 1.5 * 2^23 rounds to a whole number, which then stands in the lowest bits; with 127 more these are
 * the exponent of 2^k, once they are shifted there. */
#define MICA_ROUNDER 12582912.0f
#define MICA_LN2_HIGH 0.693359375f
#define MICA_LN2_LOW -2.12194440e-4f

/* 2^k exp(r), where t holds k. It is rounded down, 0 <= r < ln 2: so that exp(r) is at least 1, and every normal result is it times
 * a normal power of 2. Below them the power is 2^-127, whose bits are those of 0, and above them 2^128, whose bits are those of
 * infinity. */
static inline float mica_exp_reduced(float t, float r)
{
    float p = ((0.00191206485f * r + 0.00786927342f) * r + 0.0418543704f) * r + 0.166632101f;
    p = ((p * r + 0.500002265f) * r + 1.0f) * r + 1.0f;
    return p * as_float(as_uint(t) << 23);
}

static inline float mica_exp(float x)
{
    x = x > 89.0f ? 89.0f : x;
    x = x < -88.0f ? -88.0f : x;
    const float t = x * 1.44269504f - 0.49999997f + (MICA_ROUNDER + 127.0f), k = t - (MICA_ROUNDER + 127.0f);
    return mica_exp_reduced(t, x - k * MICA_LN2_HIGH - k * MICA_LN2_LOW);
}

/* (exp(r) - 1 - r) / r^2, |r| <= ln 2 / 2 */
static inline float mica_exp_tail(float r)
{
    return (((0.00139504892f * r + 0.0083688898f) * r + 0.041666206f) * r + 0.166665182f) * r + 0.5f;
}

/* With exp(r) - 1 = p: 2^n p + (2^n - 1), and half of that so that 2^128 is not needed. */
static inline float mica_expm1(float x)
{
    const float own = x;
    x = x > 89.0f ? 89.0f : x;
    x = x < -20.0f ? -20.0f : x;
    const float t = x * 1.44269504f + MICA_ROUNDER, k = t - MICA_ROUNDER;
    const float r = x - k * MICA_LN2_HIGH - k * MICA_LN2_LOW;
    const float p = r * r * mica_exp_tail(r) + r;
    const float scale = as_float((uint)(as_int(t) - as_int(MICA_ROUNDER) + 126) << 23);
    const float y = 2.0f * (scale * p + (scale - 0.5f));
    return fabs(own) < 1e-8f ? own : y;
}

/* x = 2^k (1 + f), sqrt(1/2) <= 1 + f < sqrt(2). */
static inline float mica_log(float x)
{
    const bool tiny = x < 1.17549435e-38f;
    const int bits = as_int(tiny ? x * 8388608.0f : x), n = (bits - 0x3f3504f3) >> 23;
    const float f = as_float(bits - (int)((uint)n << 23)) - 1.0f, k = (float)(tiny ? n - 23 : n), square = f * f;
    float p = -0.0785954595f * f + 0.128816217f;
    p = ((p * f - 0.131287679f) * f + 0.141811967f) * f - 0.166245535f;
    p = ((p * f + 0.200022861f) * f - 0.250008106f) * f + 0.333333164f;
    const float y = f + (f * square * p + k * MICA_LN2_LOW - 0.5f * square) + k * MICA_LN2_HIGH;
    return x > 0.0f ? (x < MICA_INF ? y : x) : x == 0.0f ? -MICA_INF : MICA_NAN;
}

/* What 1 + x loses is put back as a first-order term (W. Kahan). */
static inline float mica_log1p(float x)
{
    const float u = 1.0f + x;
    const float y = mica_log(u) + (x - (u - 1.0f)) / u;
    return u == 1.0f || x == MICA_INF ? x : u == 0.0f ? -MICA_INF : y;
}

static inline float mica_with_sign(float x, float of)
{
    return as_float(as_uint(x) | (as_uint(of) & 0x80000000u));
}

/* (exp(2x) - 1) / (exp(2x) + 1) */
static inline float mica_tanh(float x)
{
    float a = fabs(x);
    a = a > 10.0f ? 10.0f : a;
    const float e = mica_expm1(2.0f * a);
    return mica_with_sign(e / (e + 2.0f), x);
}

/* erf(x) / x is a polynomial in x^2, up to where erf rounds to 1; in u = x^2 / 7.8 - 1 its terms are small. The last results may
 * be past 1. */
static inline float mica_erf(float x)
{
    const float square = x * x, t = square > 15.4f ? 15.4f : square, u = t * 0.127954006f - 0.982036114f;
    float p = (-0.00107109919f * u + 0.00267821783f) * u - 0.00184434641f;
    p = ((p * u + 0.00239445432f) * u - 0.00918362662f) * u + 0.0169367287f;
    p = ((p * u - 0.0235497747f) * u + 0.0342780016f) * u - 0.0492104739f;
    p = ((p * u + 0.0650424585f) * u - 0.08102265f) * u + 0.097420454f;
    p = ((p * u - 0.115320317f) * u + 0.139101177f) * u - 0.183500037f;
    p = p * u + 0.360931188f;
    const float y = x * p, z = y > 1.0f ? 1.0f : y;
    return z < -1.0f ? -1.0f : z;
}

/* erfc(a) is exp(-a^2) / (1 + 2a) times a factor near 1, a polynomial in q = (a - 2) / (a + 2), which takes all of [0, infinity) to
 * [-1, 1) (M. Shepherd and J. Laframboise: "Chebyshev approximation of (1 + 2x) exp(x^2) erfc(x)", Mathematics of Computation 36,
 * 1981). What a^2 loses would be many units of the result: so a is the sum of 12 bits, whose square is exact, and a rest. */
static inline float mica_erfc(float x)
{
    float a = as_float(as_uint(x) & 0x7fffffffu);
    a = a > 9.35f ? 9.35f : a;
    const float part = as_float(as_uint(a) & 0xfffff000u), exact = part * part, rest = (a - part) * (a + part);
    const float t = (exact + rest) * -1.44269504f - 0.49999997f + (MICA_ROUNDER + 127.0f), k = t - (MICA_ROUNDER + 127.0f);
    const float e = mica_exp_reduced(t, -exact - k * MICA_LN2_HIGH - k * MICA_LN2_LOW - rest);
    const float q = (a - 2.0f) / (a + 2.0f);
    float p = (-0.000401715224f * q - 0.00123187725f) * q + 0.00131372258f;
    p = ((p * q + 0.00863327086f) * q - 0.00805959944f) * q - 0.0542047098f;
    p = ((p * q + 0.164055273f) * q - 0.16603139f) * q - 0.0927639753f;
    p = p * q + 1.27697837f;
    const float y = e * (p / (1.0f + 2.0f * a));
    return x < 0.0f ? 2.0f - y : x > 9.35f ? 0.0f : y;
}

/* Some drivers' own functions are macros, which would warn on standard error. */
#undef exp
#undef expm1
#undef log
#undef log1p
#undef tanh
#undef erf
#undef erfc
#define exp(x) mica_exp(x)
#define expm1(x) mica_expm1(x)
#define log(x) mica_log(x)
#define log1p(x) mica_log1p(x)
#define tanh(x) mica_tanh(x)
#define erf(x) mica_erf(x)
#define erfc(x) mica_erfc(x)
