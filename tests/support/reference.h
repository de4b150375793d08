/* References in double, written as the definitions read. */
#ifndef MICA_TEST_REFERENCE_H
#define MICA_TEST_REFERENCE_H

#include "support/ops.h"

/* MatMul with NumPy's rules; attributes transA and transB. */
op_reference reference_matmul;
/* y = alpha A' B' + beta C. */
op_reference reference_gemm;
/* Conv with an optional bias, strides, pads, dilations and group, over any number of spatial axes. */
op_reference reference_conv;
op_reference reference_max_pool, reference_average_pool;

#endif
