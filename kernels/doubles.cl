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
MICA_DOUBLE2(fmin)
MICA_DOUBLE2(fmax)
