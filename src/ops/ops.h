/* The operators. ONNX's names, attributes and semantics (newest operator set) wherever ONNX has the operator.
 *
 * Inputs that ONNX makes tensors but that decide shapes or bounds (Reshape's shape, Slice's starts, Clip's
 * min, ...) are host constants: infer turns them into attributes of the same name and drops the inputs, so no
 * kernel sees them. Attributes with a default are written into the node, so that later passes find every one.
 *
 * Operators of Mica's own, for layers, losses and optimizers:
 *
 *   Step(x)                            1 where x > 0, else 0
 *   LogSigmoid, TanhShrink, SparsePlus, Squareplus, BoundedRelu, Threshold, Silu, Relu6: src/ops/activation.h
 *   Sparsemax(x; axis)                 the nearest point of the simplex: softmax.c
 *   StopGradient(x)                    x, and no gradient goes back through it
 *   Dropout(x; rate, shared, seed)     training only: 0 with probability rate, else x / (1 - rate)
 *   AlphaDropout(x; rate, shared, seed), GaussianDropout(x; rate, seed), GaussianNoise(x; stddev, seed)      random.c
 *   BatchNormalization(x, scale, bias, mean, var; epsilon, momentum) -> y, new mean, new var
 *                                      as ONNX, but the new variance is the unbiased one (as PyTorch)
 *   SoftmaxCrossEntropyLoss(scores, labels; reduction, ignore_index) -> loss, log probabilities
 *   NegativeLogLikelihoodLoss(log probabilities, labels; reduction, ignore_index)
 *   LogProbability(p; epsilon)         log of p clipped to [epsilon, 1 - epsilon]
 *   SquaredError(a, b)                 (a - b)^2, element by element
 *   BinaryCrossEntropy(p, target; epsilon), BinaryCrossEntropyWithLogits(z, target)   element by element
 *   CategoricalCrossEntropy(scores, targets; axis, from_logits, epsilon)              one value a sample
 *   SgdUpdate(p, g) -> p               all updates: weight_decay; learning_rate, step built in
 *   MomentumUpdate(p, g, v; momentum) -> p, v                      NesterovUpdate the same
 *   AdamUpdate(p, g, m, v; beta_1, beta_2, epsilon) -> p, m, v
 *   RmspropUpdate(p, g, v; rho, epsilon) -> p, v
 *   RmspropMomentumUpdate(p, g, v, b; rho, epsilon, momentum) -> p, v, b
 *   AdagradUpdate(p, g, v; epsilon) -> p, v
 *   AmsgradUpdate, AmsgradwUpdate(p, g, m, v, w; beta_1, beta_2, epsilon) -> p, m, v, w
 *   AdamwUpdate, AdamaxUpdate          as AdamUpdate
 *   NadamUpdate(p, g, m, v, product; beta_1, beta_2, epsilon) -> p, m, v
 *   NadamTerm(step) -> term            NadamProduct(step, terms; beta_1) -> product
 *   LionUpdate(p, g, m; beta_1, beta_2) -> p, m
 *   RmspropCenteredUpdate(p, g, v, a; rho, epsilon) -> p, v, a
 *   RmspropCenteredMomentumUpdate(p, g, v, a, b; rho, epsilon, momentum) -> p, v, a, b
 *   AdadeltaUpdate(p, g, v, d; rho, epsilon) -> p, v, d
 *   FtrlUpdate(p, g, n, z; learning_rate_power, ...) -> p, n, z
 *   LambUpdate(p, g, m, v, ratio; beta_1, beta_2, epsilon) -> p, m, v
 *   AdafactorUpdate, AdafactorFixedUpdate(p, g, row, column, size, change; epsilon_2, clip_threshold) -> p
 *   UpdateCount(every)                 the number of the update that a run ends, from 1
 *   Index(x; axis)                     int32: the coordinate along an axis, in the shape of x
 *   RowIndex(x; rows) -> row, missed   int32: x where it is the number of a row, else one near it; 1 there
 *   HashBin(x; bins, salt)             numbers of bins, as if drawn by lot (hash.c)
 *   Attention(q, k, v, mask; q_num_heads, kv_num_heads, is_causal, scale, rate, seed, hidden, alibi, slope) -> y, largest, part
 *                                      attention.c
 *   DivideByCount(x; per_n, fixed)     x / (per_n * n + fixed), n the samples of the step
 *   SizePenalty(x; l1, l2)             l1 * |x| + l2 * x^2
 *   SpectralNorm(w, u, v; iterations, epsilon) -> sigma, u, v   the largest singular value (spectral.c)
 *   AdaptiveMaxPool(x; output_size), AdaptiveAveragePool   pools whose windows share the input out (as PyTorch) */
#ifndef MICA_SRC_OPS_H
#define MICA_SRC_OPS_H

#include "graph/op.h"
#include "ops/activation.h"

/* The rows that callers may name, family by family, and the attributes that each takes of them: "axes:ints keepdims:int". */
#define MI_REDUCE_TAKES "axes:ints keepdims:int noop_with_empty_axes:int"
#define MI_WINDOW_TAKES "kernel_shape:ints strides:ints pads:ints dilations:ints auto_pad:text"
#define MI_CALLERS(X)                                                                                   \
    X(Add, "") X(Sub, "") X(Mul, "") X(Div, "") X(Neg, "") X(Exp, "") X(Log, "") X(Sqrt, "")            \
    X(Pow, "") X(Abs, "") X(Reciprocal, "") X(Min, "") X(Max, "") X(Erf, "") X(Floor, "") X(Ceil, "")   \
    X(Round, "") X(Sign, "") X(Sin, "") X(Cos, "") X(Identity, "") X(StopGradient, "") X(Step, "")      \
    X(Clip, "min:float max:float") X(Index, "axis:int")                                                 \
    X(Equal, "") X(Greater, "") X(Less, "") X(GreaterOrEqual, "") X(LessOrEqual, "")                    \
    X(And, "") X(Or, "") X(Not, "") X(Where, "") X(Cast, "to:text")                                     \
    X(ReduceSum, MI_REDUCE_TAKES) X(ReduceMean, MI_REDUCE_TAKES) X(ReduceMax, MI_REDUCE_TAKES)          \
    X(ReduceMin, MI_REDUCE_TAKES) X(ReduceProd, MI_REDUCE_TAKES)                                        \
    X(ArgMax, "axis:int keepdims:int select_last_index:int")                                            \
    X(Softmax, "axis:int") X(LogSoftmax, "axis:int")                                                    \
    X(PRelu, "") X(Sparsemax, "axis:int")                                                               \
    X(Einsum, "equation:text")                                                                          \
    X(MatMul, "transA:int transB:int") X(Gemm, "alpha:float beta:float transA:int transB:int")          \
    X(Conv, MI_WINDOW_TAKES " group:int")                                                               \
    X(ConvTranspose, MI_WINDOW_TAKES " group:int output_padding:ints")                                  \
    X(MaxPool, MI_WINDOW_TAKES " ceil_mode:int")                                                        \
    X(AveragePool, MI_WINDOW_TAKES " ceil_mode:int count_include_pad:int")                              \
    X(GlobalMaxPool, "") X(GlobalAveragePool, "")                                                       \
    X(Reshape, "shape:ints allowzero:int") X(Flatten, "axis:int")                                       \
    X(Squeeze, "axes:ints") X(Unsqueeze, "axes:ints") X(Transpose, "perm:ints")                         \
    X(Slice, "starts:ints ends:ints axes:ints steps:ints") X(Concat, "axis:int")                        \
    X(Expand, "shape:ints") X(Pad, "pads:ints axes:ints constant_value:float mode:text")                \
    X(Gather, "axis:int") X(Dropout, "rate:float shared:ints seed:int")                                 \
    X(AlphaDropout, "rate:float shared:ints seed:int")                                                  \
    X(GaussianDropout, "rate:float seed:int") X(GaussianNoise, "stddev:float seed:int")                 \
    X(BatchNormalization, "epsilon:float momentum:float")                                               \
    X(LayerNormalization, "axis:int axes:ints epsilon:float")                                           \
    X(RMSNormalization, "axis:int axes:ints epsilon:float")                                             \
    X(GroupNormalization, "num_groups:int epsilon:float") X(InstanceNormalization, "epsilon:float")     \
    X(SoftmaxCrossEntropyLoss, "reduction:text ignore_index:int")                                       \
    X(NegativeLogLikelihoodLoss, "reduction:text ignore_index:int")                                     \
    X(LogProbability, "epsilon:float") X(SquaredError, "") X(BinaryCrossEntropy, "epsilon:float")       \
    X(BinaryCrossEntropyWithLogits, "")                                                                 \
    X(CategoricalCrossEntropy, "axis:int from_logits:int epsilon:float")                                \
    X(Attention, "q_num_heads:int kv_num_heads:int is_causal:int scale:float rate:float seed:int")

/* The rows that only lowering, differentiation and passes make nodes of, and layers of their own. */
#define MI_INNER_OPERATORS(X)                                                                           \
    X(DivideByCount) X(SizePenalty)                                                                     \
    X(ReduceArgMax) X(ReduceArgMaxNear) X(ReduceArgMaxLast) X(ReduceMaxNumber) X(ReduceMaxFloat)        \
    X(ReduceSquares) X(ReduceMeanSquare)                                                                \
    X(EqualShare)                                                                                       \
    X(ConvProduct) X(ConvDataGrad) X(ConvWeightGrad)                                                    \
    X(Window) X(Unwindow) X(SelectInWindow) X(Unpool) X(SelectInPool) X(SelectInPools)                  \
    X(DivideByWindow)                                                                                   \
    X(AdaptiveMaxPool) X(AdaptiveAveragePool) X(Share) X(DivideByShare) X(SelectInShare)                \
    X(HashBin) X(SpectralNorm)                                                                          \
    X(AttentionGrad) X(AttentionScoreGrad) X(TiledAttention) X(TiledAttentionGrad)                      \
    X(SliceGrad) X(GatherGrad) X(RowIndex) X(WinogradWeight)                                            \
    X(Drop) X(RandomDrop) X(RandomKeep) X(DropWhere) X(RandomScale) X(RandomShift)                      \
    X(FirstAlong) X(ReduceMoments) X(ReduceSumMean) X(InverseRoot)                                  \
    X(ScaleShift) X(MovingAverage) X(MovingVariance) X(ShiftedProduct) X(NormalizedSums)                \
    X(NormalizationGrad) X(Normalized) X(NormalizedGrad)                                                \
    X(PickLabel) X(CheckLabel) X(CountLabel)                                                            \
    X(MaskLabel) X(CrossEntropyGrad) X(CategoricalGrad) X(ProbabilityGrad)                              \
    X(OneForZero) X(IsZero) X(ProductOfOthers) X(LossScale) X(UnscaleOrZero)                            \
    X(SgdUpdate) X(MomentumUpdate) X(NesterovUpdate) X(AdamUpdate) X(RmspropUpdate)                     \
    X(RmspropMomentumUpdate) X(AdagradUpdate)                                                           \
    X(AmsgradUpdate) X(AdamwUpdate) X(AmsgradwUpdate) X(AdamaxUpdate) X(NadamUpdate) X(NadamTerm)       \
    X(LambDirection) X(LambRatio) X(LambUpdate) X(AdafactorUpdate) X(AdafactorFixedUpdate)              \
    X(AdafactorSquare) X(AdafactorLeft) X(AdafactorMean) X(KeepUntil) X(KeepOverNan)                    \
    X(LionUpdate) X(RmspropCenteredUpdate) X(RmspropCenteredMomentumUpdate) X(AdadeltaUpdate)           \
    X(NadamProduct) X(FtrlUpdate) X(UpdateCount)

#define MI_DECLARE_OPERATOR(name) extern const struct mi_op mi_op_##name;
#define MI_DECLARE_CALLERS(name, takes) MI_DECLARE_OPERATOR(name)
#define MI_DECLARE_ACTIVATION(name, defaults, expression, derivative) MI_DECLARE_OPERATOR(name)
MI_CALLERS(MI_DECLARE_CALLERS)
MI_INNER_OPERATORS(MI_DECLARE_OPERATOR)
MI_ACTIVATIONS(MI_DECLARE_ACTIVATION)

/* All of them and the graph's own; NULL-terminated. */
extern const struct mi_op *const mi_ops[];

/* Those that callers may name, activations among them, with the attributes that they take; ends with a row without an operator.
 * And their names, NULL-terminated. */
struct mi_caller_op {
    const struct mi_op *op;
    const char *takes;           /* "NAME:KIND ...": the kinds are int, float, text and ints */
};
extern const struct mi_caller_op mi_caller_ops[];
extern const char *const mi_caller_names[];

/* ---- Rows of maps ---- */

/* MI_MAP_ROW(Add, 2, infer, .expr = {"a + b"}, .grad = {"g", "g"}); infer NULL: broadcast, type of the first
 * input. */
#define MI_MAP_ROW(id, count, inference, ...)                                                \
    const struct mi_op mi_op_##id = {.name = #id, .kind = MI_MAP, .min_inputs = (count),     \
        .max_inputs = (count), .outputs = 1, .infer = (inference),                           \
        .map = &(const struct mi_map_rule){__VA_ARGS__}}

#define MI_COMPOSITE_ROW(id, least, most, outs, inference, derivative, lowering)             \
    const struct mi_op mi_op_##id = {.name = #id, .kind = MI_COMPOSITE,                      \
        .min_inputs = (least), .max_inputs = (most), .outputs = (outs),                      \
        .infer = (inference), .gradient = (derivative), .lower = (lowering)}
#define MI_CONTRACT_ROW(id, inference, derivative, contraction)                              \
    const struct mi_op mi_op_##id = {.name = #id, .kind = MI_CONTRACT,                       \
        .min_inputs = 2, .max_inputs = 2, .outputs = 1,                                      \
        .infer = (inference), .gradient = (derivative), .contract = (contraction)}
#define MI_MOVE_ROW(id, most, inference, derivative, mapping)                                \
    const struct mi_op mi_op_##id = {.name = #id, .kind = MI_MOVE,                           \
        .min_inputs = 1, .max_inputs = (most), .outputs = 1,                                 \
        .infer = (inference), .gradient = (derivative), .move = (mapping)}

/* ---- support.c: for infer and gradient functions ---- */

/* Fails with `op "name": ...` in the graph. Returns `status`. */
mica_status mi_op_fail(const struct mi_node *node, mica_status status, const char *format, ...)
    MI_PRINTF(3, 4);
/* Checks that all inputs have one type; float only: that they are float or half. */
mica_status mi_same_types(const struct mi_node *node);
mica_status mi_number_type(const struct mi_node *node); /* of the first input: not bool */
mica_status mi_number_types(const struct mi_node *node); /* the same type, and not bool */
mica_status mi_float_type(const struct mi_node *node); /* of the first input */
mica_status mi_float_types(const struct mi_node *node);
bool mi_is_float(enum mi_type type);
/* Sets output 0 to the inputs' broadcast shape. */
mica_status mi_infer_broadcast(struct mi_node *node, enum mi_type type);
/* infer of a map over floats: one type, floats, broadcast. */
mica_status mi_infer_float_map(struct mi_node *node);
/* Sets an output. */
void mi_infer_output(struct mi_node *node, int output, enum mi_type type, const struct mi_shape *shape);

/* Writes an attribute of a node, over an older one of that name. */
mica_status mi_set_attribute(struct mi_node *node, struct mi_attribute attribute);
/* The same unless it is there already. */
mica_status mi_default_float(struct mi_node *node, const char *name, float value);
mica_status mi_default_int(struct mi_node *node, const char *name, int64_t value);
/* Turns constant input i into an attribute of ints: NULL and 0 where there is neither. Fails when it is no
 * constant. */
mica_status mi_fold_ints(struct mi_node *node, int input, const char *name, const int64_t **values,
                         int *count);
/* Forgets the inputs from `keep` on: they were folded. */
void mi_drop_inputs(struct mi_node *node, int keep);

/* A shape as two attributes, `shape` (fixed parts) and `shape_n` (factors of n). */
void mi_shape_attributes(struct mi_graph *graph, const struct mi_shape *shape, struct mi_attribute out[2]);
mica_status mi_set_shape(struct mi_node *node, const struct mi_shape *shape);
bool mi_get_shape(const struct mi_node *node, struct mi_shape *shape);
struct mi_shape mi_shape_of(int rank, const struct mi_dim *dim);
mi_value *mi_reshape_to(struct mi_graph *graph, mi_value *value, const struct mi_shape *shape);
mi_value *mi_expand_to(struct mi_graph *graph, mi_value *value, const struct mi_shape *shape);
/* value in another type; itself, where it has that one. */
mi_value *mi_cast(struct mi_graph *graph, mi_value *value, enum mi_type type);
/* (C) as (C, 1, ...), to stand beside (N, C, ...) of `rank`. */
mi_value *mi_channels(struct mi_graph *graph, mi_value *value, int rank);

/* axis in [-rank, rank) to [0, rank). */
mica_status mi_axis(const struct mi_node *node, int64_t axis, int rank, int *out);
mi_value *mi_reduce(struct mi_graph *graph, const char *op, mi_value *value, const int64_t *axes, int count,
                    bool keepdims);
/* value divided by the number of elements of dimensions `mask` of shape. */
mi_value *mi_divide_by_count(struct mi_graph *graph, mi_value *value, const struct mi_shape *shape,
                             uint32_t mask);
/* Adds a node of another row with all of this node's attributes; extra ones come first and win. */
mi_value *mi_apply_as(struct mi_node *node, const char *op, mi_value *const *inputs, int count,
                      const struct mi_attribute *extra, int extras);

/* ---- attention.c ---- */

/* Of steps (T, S): minus infinity where the number of the key is behind that of the query, elsewhere 0. */
mi_value *mi_causal_mask(struct mi_graph *graph, const struct mi_shape *steps);

/* ---- reduce.c ---- */

mica_status mi_infer_reduce(struct mi_node *node);
/* dy of a reduction with its axes back in place as ones. */
mi_value *mi_keepdims(struct mi_node *node, mi_value *dy);
/* Gradients of the mean and of the extremum over the axes that the node's attributes name. */
mica_status mi_gradient_mean(struct mi_node *node, mi_value *const *dy, mi_value **dx);
mica_status mi_gradient_extremum(struct mi_node *node, mi_value *const *dy, mi_value **dx);

/* ---- normalization.c ---- */

/* Mean, variance and unbiased variance over axes, which are kept as ones, of one sweep; `first` is the element along them from
 * which all differences are taken. */
struct mi_moments {
    mi_value *first, *mean, *variance, *unbiased;
};
bool mi_moments(struct mi_graph *graph, mi_value *x, const int64_t *axes, int count, struct mi_moments *moments);
/* 1 / sqrt(variance + the node's epsilon) */
mi_value *mi_inverse_root(struct mi_node *node, mi_value *variance);

/* ---- reshape.c: the move of everything that keeps the row-major order of elements ---- */

int mi_reshape_move(struct mi_arena *arena, const struct mi_node *node, const char *const *index,
                    struct mi_access *access);
mica_status mi_reshape_gradient(struct mi_node *node, mi_value *const *dy, mi_value **dx);

#endif
