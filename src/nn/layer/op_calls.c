/* The common operators as calls. */
#include "nn/layer.h"

#include <mica/op.h>

static mica_node *call(const char *op, mica_node *const *x, int inputs, const mica_attribute *attributes, int count)
{
    return mica_op(x, inputs, &(mica_op_desc){.op = op, .attributes = attributes, .attribute_count = count});
}

#define UNARY(function, op)                                                                  \
    mica_node *mica_op_##function(mica_node *x)                                              \
    {                                                                                        \
        return call(op, &x, 1, NULL, 0);                                                     \
    }
UNARY(exp, "Exp")
UNARY(log, "Log")
UNARY(sqrt, "Sqrt")
UNARY(abs, "Abs")
UNARY(neg, "Neg")
UNARY(sign, "Sign")
UNARY(floor, "Floor")
UNARY(sin, "Sin")
UNARY(cos, "Cos")
UNARY(erf, "Erf")
UNARY(reciprocal, "Reciprocal")
UNARY(sigmoid, "Sigmoid")
UNARY(tanh, "Tanh")
UNARY(relu, "Relu")
UNARY(softplus, "Softplus")
UNARY(stop_gradient, "StopGradient")

#define BINARY(function, op)                                                                 \
    mica_node *mica_op_##function(mica_node *a, mica_node *b)                                \
    {                                                                                        \
        return call(op, (mica_node *const[]){a, b}, 2, NULL, 0);                             \
    }
BINARY(add, "Add")
BINARY(sub, "Sub")
BINARY(mul, "Mul")
BINARY(div, "Div")
BINARY(pow, "Pow")
BINARY(max, "Max")
BINARY(min, "Min")
BINARY(equal, "Equal")
BINARY(less, "Less")
BINARY(greater, "Greater")
BINARY(matmul, "MatMul")

mica_node *mica_op_where(mica_node *condition, mica_node *a, mica_node *b)
{
    return call("Where", (mica_node *const[]){condition, a, b}, 3, NULL, 0);
}

#define ALONG(function, op)                                                                  \
    mica_node *mica_op_##function(mica_node *x, int axis)                                    \
    {                                                                                        \
        return call(op, &x, 1, &MICA_INT("axis", axis), 1);                                  \
    }
ALONG(softmax, "Softmax")
ALONG(log_softmax, "LogSoftmax")

#define REDUCE(function, op)                                                                 \
    mica_node *mica_op_##function(mica_node *x, const int64_t *axes, int count, bool keepdims) \
    {                                                                                        \
        const mica_attribute attributes[] = {MICA_INT("keepdims", keepdims), MICA_INTS("axes", axes, count)}; \
        return call(op, &x, 1, attributes, count == 0 ? 1 : 2);                              \
    }
REDUCE(reduce_sum, "ReduceSum")
REDUCE(reduce_mean, "ReduceMean")
REDUCE(reduce_max, "ReduceMax")
REDUCE(reduce_min, "ReduceMin")

#define BY_LIST(function, op, key)                                                           \
    mica_node *mica_op_##function(mica_node *x, const int64_t *values, int count)            \
    {                                                                                        \
        return call(op, &x, 1, &MICA_INTS(key, values, count), 1);                           \
    }
BY_LIST(reshape, "Reshape", "shape")
BY_LIST(transpose, "Transpose", "perm")
BY_LIST(expand, "Expand", "shape")

/* With a number, which is a layer of its own. */
#define WITH_NUMBER(function, with)                                                          \
    mica_node *mica_op_##function(mica_node *x, float number)                                \
    {                                                                                        \
        return x ? mica_op_##with(x, mica_scalar(x->node->graph->owner, number)) : NULL;     \
    }
WITH_NUMBER(scale, mul)
WITH_NUMBER(shift, add)

mica_node *mica_op_clip(mica_node *x, float low, float high)
{
    return call("Clip", &x, 1, (const mica_attribute[]){MICA_FLOAT("min", low), MICA_FLOAT("max", high)}, 2);
}

mica_node *mica_op_cast(mica_node *x, const char *type)
{
    return call("Cast", &x, 1, &MICA_TEXT("to", type), 1);
}

mica_node *mica_op_concat(mica_node *const *x, int count, int axis)
{
    return call("Concat", x, count, &MICA_INT("axis", axis), 1);
}

mica_node *mica_op_slice(mica_node *x, int axis, int64_t start, int64_t end)
{
    const int64_t at = axis;
    return call("Slice", &x, 1, (const mica_attribute[]){MICA_INTS("starts", &start, 1), MICA_INTS("ends", &end, 1),
                                                         MICA_INTS("axes", &at, 1)}, 3);
}

mica_node *mica_op_gather(mica_node *x, mica_node *index, int axis)
{
    return call("Gather", (mica_node *const[]){x, index}, 2, &MICA_INT("axis", axis), 1);
}
