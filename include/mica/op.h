/* Operators: what layers are made of, for whatever there is no layer for. Names, attributes and meaning are ONNX's (newest operator
 * set) where ONNX has the operator; docs/jobs.md lists all.
 *
 * Shapes are whole here: axis 0 is the batch of what depends on an input; variables and numbers have none. Maps broadcast as NumPy
 * does. Given NULL a call gives NULL, so calls nest without checks; the first error stays in the model. Legend: x, a, b any shape.
 */
#ifndef MICA_OP_H
#define MICA_OP_H

#include <mica/layers.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Any operator ---- */

typedef enum mica_attribute_type {
    MICA_ATTRIBUTE_INT,
    MICA_ATTRIBUTE_FLOAT,
    MICA_ATTRIBUTE_TEXT,
    MICA_ATTRIBUTE_INTS
} mica_attribute_type;

/* An attribute by its name, made by the macros: MICA_INT("axis", 1), MICA_FLOAT("alpha", 0.5f), MICA_TEXT("to", "int32"),
 * MICA_INTS("axes", values, count). Where an operator wants a float, an int will do; where it wants several ints, one will. */
typedef struct mica_attribute {
    const char *name;
    mica_attribute_type type;
    int64_t i;           /* at most 2^53; what is larger counts as that */
    float f;
    const char *text;
    const int64_t *ints;
    int count;
} mica_attribute;

#ifndef __cplusplus
#define MICA_ATTRIBUTE(...) ((mica_attribute){__VA_ARGS__})
#else
#define MICA_ATTRIBUTE(...) (mica_attribute{__VA_ARGS__})
#endif
#define MICA_INT(name, value) MICA_ATTRIBUTE(name, MICA_ATTRIBUTE_INT, value, 0, 0, 0, 0)
#define MICA_FLOAT(name, value) MICA_ATTRIBUTE(name, MICA_ATTRIBUTE_FLOAT, 0, value, 0, 0, 0)
#define MICA_TEXT(name, value) MICA_ATTRIBUTE(name, MICA_ATTRIBUTE_TEXT, 0, 0, value, 0, 0)
#define MICA_INTS(name, values, count) MICA_ATTRIBUTE(name, MICA_ATTRIBUTE_INTS, 0, 0, 0, values, count)

typedef struct mica_op_desc {
    const char *name;                 /* of the layer; NULL: the operator's, and a number */
    const char *op;                   /* required: "ReduceSum" */
    const mica_attribute *attributes;
    int attribute_count;
    int output;                       /* which of the operator's outputs */
} mica_op_desc;

/* Inputs that ONNX makes tensors but that decide shapes or bounds (Reshape's shape, Slice's starts, Clip's min) are attributes of
 * the same names. */
MICA_API mica_node *mica_op(mica_node *const *inputs, int count, const mica_op_desc *desc);

/* ---- Values that no input gives ---- */

/* A tensor of `shape`, without a batch, that is trained and saved as NAME.value. */
typedef struct mica_variable_desc {
    const char *name;
    mica_shape shape;                 /* rank 0: a number */
    mica_parameter_desc value;        /* initializer: glorot_uniform; axis 0 counts as its outputs, the others as its inputs */
    bool frozen;                      /* no training changes it */
    const char *dtype;                /* NULL: "float32"; others must be frozen, as training is in float32 */
} mica_variable_desc;
MICA_API mica_node *mica_variable(mica_model *model, const mica_variable_desc *desc);
/* A frozen variable of these values, row-major; copied, and saved with the model. name NULL: "variable", and a number. */
MICA_API mica_node *mica_constant(mica_model *model, const char *name, mica_shape shape, const float *values);
/* The same of elements of any type (mica_type). */
MICA_API mica_node *mica_constant_elements(mica_model *model, const char *name, mica_shape shape, mica_type type,
                                           const void *elements);
/* A number, of rank 0. */
MICA_API mica_node *mica_scalar(mica_model *model, float value);

/* ---- The common operators as calls ---- */

MICA_API mica_node *mica_op_add(mica_node *a, mica_node *b);        /* a + b, broadcast */
MICA_API mica_node *mica_op_sub(mica_node *a, mica_node *b);        /* a - b, broadcast */
MICA_API mica_node *mica_op_mul(mica_node *a, mica_node *b);        /* a * b, broadcast */
MICA_API mica_node *mica_op_div(mica_node *a, mica_node *b);        /* a / b, broadcast; whole numbers towards zero */
MICA_API mica_node *mica_op_pow(mica_node *a, mica_node *b);        /* a to the power of b, broadcast */
MICA_API mica_node *mica_op_max(mica_node *a, mica_node *b);        /* the larger of a and b, broadcast */
MICA_API mica_node *mica_op_min(mica_node *a, mica_node *b);        /* the smaller of a and b, broadcast */
MICA_API mica_node *mica_op_equal(mica_node *a, mica_node *b);      /* whether a = b, broadcast: bool */
MICA_API mica_node *mica_op_less(mica_node *a, mica_node *b);       /* whether a < b, broadcast: bool */
MICA_API mica_node *mica_op_greater(mica_node *a, mica_node *b);    /* whether a > b, broadcast: bool */
/* a where the condition (bool), else b, broadcast */
MICA_API mica_node *mica_op_where(mica_node *condition, mica_node *a, mica_node *b);
/* The matrix product a b, over leading axes that broadcast: a (..., m, k), b (..., k, n) -> (..., m, n). */
MICA_API mica_node *mica_op_matmul(mica_node *a, mica_node *b);

MICA_API mica_node *mica_op_exp(mica_node *x);        /* e^x, of x's shape, as all of these */
MICA_API mica_node *mica_op_log(mica_node *x);        /* the natural logarithm of x */
MICA_API mica_node *mica_op_sqrt(mica_node *x);       /* the square root of x */
MICA_API mica_node *mica_op_abs(mica_node *x);        /* |x| */
MICA_API mica_node *mica_op_neg(mica_node *x);        /* -x */
MICA_API mica_node *mica_op_sign(mica_node *x);       /* 1 where x > 0, -1 where x < 0, else 0; no gradient */
MICA_API mica_node *mica_op_floor(mica_node *x);      /* the largest whole number that is no larger than x; no gradient */
MICA_API mica_node *mica_op_sin(mica_node *x);        /* sin x */
MICA_API mica_node *mica_op_cos(mica_node *x);        /* cos x */
MICA_API mica_node *mica_op_erf(mica_node *x);        /* 2 / sqrt(pi) times the integral of e^(-t^2) from 0 to x */
MICA_API mica_node *mica_op_reciprocal(mica_node *x); /* 1 / x */
MICA_API mica_node *mica_op_sigmoid(mica_node *x);    /* 1 / (1 + e^-x) */
MICA_API mica_node *mica_op_tanh(mica_node *x);       /* tanh x */
MICA_API mica_node *mica_op_relu(mica_node *x);       /* max(x, 0) */
MICA_API mica_node *mica_op_softplus(mica_node *x);   /* log(1 + e^x) */
MICA_API mica_node *mica_op_stop_gradient(mica_node *x); /* x; no gradient goes back through it */

MICA_API mica_node *mica_op_softmax(mica_node *x, int axis);            /* e^x / sum of e^x along the axis, of x's shape */
MICA_API mica_node *mica_op_log_softmax(mica_node *x, int axis);        /* x - log(sum of e^x along the axis), of x's shape */
MICA_API mica_node *mica_op_clip(mica_node *x, float low, float high);  /* min(max(x, low), high), of x's shape */
MICA_API mica_node *mica_op_scale(mica_node *x, float factor);          /* x * factor, of x's shape */
MICA_API mica_node *mica_op_shift(mica_node *x, float term);            /* x + term, of x's shape */
MICA_API mica_node *mica_op_cast(mica_node *x, const char *type);       /* as float32, float16, int32, int64, uint8, bool */

/* Over `count` axes (0: all), negative ones from the end; those are left out of x's shape, or 1 where keepdims. */
MICA_API mica_node *mica_op_reduce_sum(mica_node *x, const int64_t *axes, int count, bool keepdims);  /* the sum of x */
MICA_API mica_node *mica_op_reduce_mean(mica_node *x, const int64_t *axes, int count, bool keepdims); /* the mean of x */
MICA_API mica_node *mica_op_reduce_max(mica_node *x, const int64_t *axes, int count, bool keepdims);  /* the largest of x */
MICA_API mica_node *mica_op_reduce_min(mica_node *x, const int64_t *axes, int count, bool keepdims);  /* the smallest of x */

/* x in the shape `dims`, with the batch: 0 keeps the dimension at its place, -1 is what is left. */
MICA_API mica_node *mica_op_reshape(mica_node *x, const int64_t *dims, int count);
/* x with its dimensions in another order: dimension i of the result is order[i] of x. */
MICA_API mica_node *mica_op_transpose(mica_node *x, const int64_t *order, int count);
/* Several joined along the axis; in all other dimensions they are alike. */
MICA_API mica_node *mica_op_concat(mica_node *const *x, int count, int axis);
/* x from `start` up to, not including, `end` along the axis; negative ones count from the end, and what lies past an end is it. */
MICA_API mica_node *mica_op_slice(mica_node *x, int axis, int64_t start, int64_t end);
/* x broadcast against `dims`: 1 keeps a dimension. */
MICA_API mica_node *mica_op_expand(mica_node *x, const int64_t *dims, int count);
/* x with the axis taken at the numbers in index (int32 or int64), whose shape stands in the axis's place; negative ones count from
 * the end, and where there is none such the result is NaN. */
MICA_API mica_node *mica_op_gather(mica_node *x, mica_node *index, int axis);

#ifdef __cplusplus
}
#endif
#endif
