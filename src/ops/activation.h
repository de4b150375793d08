/* The activations. A new one is one line here:
 *
 *   X(Name, attributes with defaults, expression of x, derivative times g)
 *
 * REAL(name, value) declares an attribute, SLOPE the same but never negative, so that the sign of y is the
 * sign of x. APPROXIMATE reads Gelu's text attribute: by_tanh is whether it is "tanh". A derivative that
 * names only y lets the plan forget x. NaN must pass through: x < 0 ? 0 : x, not fmax(x, 0). Of that and of
 * x > 6 ? 6 : x a processor's maximum and minimum are made.
 *
 * Those that never fall as x grows are in a list of their own: the largest of their results is the result of the largest, so
 * that a max pool may come first. */
#ifndef MICA_SRC_ACTIVATION_H
#define MICA_SRC_ACTIVATION_H

#define MI_RISING_ACTIVATIONS(X)                                                                        \
    X(Relu, , "x < 0 ? 0 : x", "y <= 0 ? 0 : g")                                                        \
    X(Relu6, , "(x > 6 ? 6 : x) < 0 ? 0 : (x > 6 ? 6 : x)", "y <= 0 || y >= 6 ? 0 : g")                 \
    X(LeakyRelu, SLOPE(alpha, 0.01f), "x < 0 ? alpha * x : x", "y > 0 ? g : alpha * g")                 \
    X(Elu, SLOPE(alpha, 1.0f), "x <= 0 ? alpha * expm1(x) : x", "y <= 0 ? g * (y + alpha) : g")         \
    X(Celu, SLOPE(alpha, 1.0f), "x <= 0 ? alpha * expm1(x / alpha) : x",                                \
      "y <= 0 ? g * (y / alpha + 1.0f) : g")                                                            \
    X(Selu, SLOPE(alpha, 1.67326319f) SLOPE(gamma, 1.05070102f),                                        \
      "gamma * (x <= 0 ? alpha * expm1(x) : x)",                                                        \
      "y <= 0 ? g * (y + gamma * alpha) : g * gamma")                                                   \
    X(Sigmoid, , "1.0f / (1.0f + exp(-x))", "g * y * (1.0f - y)")                                       \
    X(Tanh, , "tanh(x)", "g * (1.0f - y * y)")                                                          \
    X(Softplus, , "(x > 0 ? x : 0) + log1p(exp(-fabs(x)))", "-g * expm1(-y)")                           \
    X(Softsign, , "x / (1.0f + fabs(x))", "g / ((1.0f + fabs(x)) * (1.0f + fabs(x)))")                      \
    X(LogSigmoid, , "(x < 0 ? x : 0) - log1p(exp(-fabs(x)))", "-g * expm1(y)")                              \
    X(TanhShrink, , "x - tanh(x)", "g * (x - y) * (x - y)")                                                 \
    X(SparsePlus, , "x <= -1 ? 0 : x >= 1 ? x : 0.25f * (x + 1) * (x + 1)",                                 \
      "x <= -1 ? 0 : x >= 1 ? g : 0.5f * g * (x + 1)")                                                      \
    X(Squareplus, SLOPE(b, 4.0f),                                                                           \
      "x < 0 ? 0.5f * b / (sqrt(x * x + b) - x) : 0.5f * (x + sqrt(x * x + b))", "g * y / sqrt(x * x + b)")

#define MI_OTHER_ACTIVATIONS(X)                                                                         \
    X(ThresholdedRelu, REAL(alpha, 1.0f), "x <= alpha ? 0 : x", "x <= alpha ? 0 : g")                   \
    X(HardSigmoid, REAL(alpha, 0.2f) REAL(beta, 0.5f),                                                  \
      "alpha * x + beta <= 0 ? 0 : alpha * x + beta >= 1 ? 1 : alpha * x + beta",                       \
      "y > 0 && y < 1 ? alpha * g : 0")                                                                 \
    X(BoundedRelu, SLOPE(alpha, 0) REAL(threshold, 0) REAL(max, FLT_MAX),                               \
      "x > threshold ? (x > max ? max : x) : alpha * (x - threshold)",                                  \
      "x > threshold ? (x > max ? 0 : g) : alpha * g")                                                  \
    X(Threshold, REAL(threshold, 0) REAL(value, 0), "x <= threshold ? value : x", "x <= threshold ? 0 : g") \
    X(Shrink, SLOPE(lambd, 0.5f) REAL(bias, 0), "fabs(x) <= lambd ? 0 : x < 0 ? x + bias : x - bias",   \
      "fabs(x) <= lambd ? 0 : g")                                                                       \
    X(HardSwish, , "x * (x <= -3 ? 0 : x >= 3 ? 1 : x / 6.0f + 0.5f)",                                  \
      "x <= -3 ? 0 : x >= 3 ? g : g * (x / 3.0f + 0.5f)")                                               \
    X(Silu, , "x / (1.0f + exp(-x))", "g * (1.0f + x - x / (1.0f + exp(-x))) / (1.0f + exp(-x))")       \
    X(Mish, , "x * " MI_MISH_TANH, "g * (" MI_MISH_TANH " + x * " MI_MISH_SLOPE ")")                          \
    X(Gelu, APPROXIMATE, "by_tanh ? x * " MI_GELU_SHARE " : 0.5f * x * erfc(x * -0.70710678118654752f)",          \
      "by_tanh ? g * " MI_GELU_SHARE " * (1.0f + x * (1.0f - " MI_GELU_SHARE ")"                           \
      " * (1.5957691216057308f + 0.21406444881780073f * x * x))"                                         \
      " : g * (0.5f * erfc(x * -0.70710678118654752f) + x * 0.39894228040143268f * exp(-0.5f * x * x))")

/* (1 + tanh(u)) / 2, u = sqrt(2 / pi) * (x + 0.044715 x^3), so that its tail does not cancel. */
#define MI_GELU_SHARE "(1.0f / (1.0f + exp(-x * (1.5957691216057308f + 0.071354816272600243f * x * x))))"

/* With e = exp(x) and p = e (e + 2): tanh(softplus(x)) = p / (p + 2), and its slope is 4 e (e + 1) / (p + 2)^2. Beyond 20 both are
 * what they are there, and e^4 would overflow. */
#define MI_MISH_E "exp(x > 20 ? 20 : x)"
#define MI_MISH_P MI_MISH_E " * (" MI_MISH_E " + 2)"
#define MI_MISH_TANH "(" MI_MISH_P " / (" MI_MISH_P " + 2))"
#define MI_MISH_SLOPE "(4 * " MI_MISH_E " * (" MI_MISH_E " + 1) / ((" MI_MISH_P " + 2) * (" MI_MISH_P " + 2)))"

#define MI_ACTIVATIONS(X) MI_RISING_ACTIVATIONS(X) MI_OTHER_ACTIVATIONS(X)

#endif
