/* Stands before every program of a device that has float64: OpenCL's functions of doubles, by names of their own, as the files
 * behind it put others in the place of those for floats. */
#pragma OPENCL EXTENSION cl_khr_fp64 : enable

#define MICA_DOUBLE1(NAME) static inline double mica_double_##NAME(const double x) { return NAME(x); }
#define MICA_DOUBLE2(NAME) static inline double mica_double_##NAME(const double x, const double y) { return NAME(x, y); }
MICA_DOUBLE1(exp)
MICA_DOUBLE1(expm1)
MICA_DOUBLE1(log)
MICA_DOUBLE1(log1p)
MICA_DOUBLE1(sin)
MICA_DOUBLE1(cos)
MICA_DOUBLE1(tanh)
MICA_DOUBLE1(erf)
MICA_DOUBLE1(erfc)
MICA_DOUBLE1(sqrt)
MICA_DOUBLE1(fabs)
MICA_DOUBLE1(floor)
MICA_DOUBLE1(ceil)
MICA_DOUBLE1(rint)
MICA_DOUBLE2(pow)

/* The float nearest to zero beside x whose last bit says that there is more: rounded again, to fewer digits, it is what x itself is
 * rounded to. */
static inline float mica_double_to_odd(const double x)
{
    const float near = (float)x;
    const double back = near;
    const uint bits = as_uint(near) - ((back < 0 ? -back : back) > (x < 0 ? -x : x) ? 1u : 0u);
    return back == x ? near : as_float(bits | 1u);
}
