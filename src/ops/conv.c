/* Convolution (cross-correlation, as ONNX means it) over 1 to 3 spatial axes, and its two gradients, all as
 * contractions:
 *
 *   y[n, k, p]  = sum_{c, r} x[n, c, p * stride + r * dilation - pad] * w[k, c, r]
 *   dx[n, c, h] = sum_{k, r} dy[n, k, (h + pad - r * dilation) / stride] * w[k, c, r]     where that divides
 *   dw[k, c, r] = sum_{n, p} dy[n, k, p] * x[n, c, p * stride + r * dilation - pad]
 *
 * In groups, channel k is group * (K / groups) + member, and meets the C / groups channels of its own
 * group. ConvTranspose is the second, of an input dy and a weight (K, C / groups, r). */
#include "ops/ops.h"
#include "ops/window.h"

/* ---- Shapes ---- */

static mica_status check_weight(const struct mi_node *node, const struct mi_shape *x, const struct mi_shape *w)
{
    struct mi_arena *arena = &node->graph->arena;
    if (x->rank < 3 || x->rank > 2 + MI_MAX_SPATIAL || w->rank != x->rank)
        return mi_op_fail(node, MICA_SHAPE, "input %s and weight %s must have the same rank, 3 to %d",
                          mi_shape_text(arena, x), mi_shape_text(arena, w), 2 + MI_MAX_SPATIAL);
    for (int i = 0; i < w->rank; i++)
        if (w->dim[i].a != 0 || w->dim[i].b > INT32_MAX || (i > 0 && w->dim[i].b < 1))
            return mi_op_fail(node, MICA_SHAPE, "weight %s must have fixed sizes of at least 1",
                              mi_shape_text(arena, w));
    return MICA_OK;
}

/* x has as many channels as the weight expects, and the weight's first dimension, which counts `what`, divides into groups. */
static mica_status check_channels(const struct mi_node *node, int64_t group, int64_t expected, const char *what)
{
    const struct mi_shape *x = &node->in[0]->shape, *w = &node->in[1]->shape;
    if (!mi_dim_is(x->dim[1], expected))
        return mi_op_fail(node, MICA_SHAPE, "input has %s channels, weight expects %lld",
                          mi_dim_text(&node->graph->arena, x->dim[1]), (long long)expected);
    if (w->dim[0].b % group != 0)
        return mi_op_fail(node, MICA_SHAPE, "%lld %s do not divide into %lld groups", (long long)w->dim[0].b, what,
                          (long long)group);
    return MICA_OK;
}

/* What convolutions have in common: one type, a weight of the input's rank, whose window's sizes are `kernel`, and groups. */
static mica_status infer_operands(struct mi_node *node, int64_t *kernel, int64_t *group)
{
    const struct mi_shape *w = &node->in[1]->shape;
    MI_TRY(mi_float_types(node));
    MI_TRY(mi_default_int(node, "group", 1));
    MI_TRY(check_weight(node, &node->in[0]->shape, w));
    *group = mi_attribute_int(node, "group", 1);
    if (*group < 1 || *group > INT32_MAX)
        return mi_op_fail(node, MICA_INVALID_ARGUMENT, "group is %lld, it must be at least 1", (long long)*group);
    for (int i = 2; i < w->rank; i++)
        kernel[i - 2] = w->dim[i].b;
    return MICA_OK;
}

/* The result (N, channels, sizes...). */
static void infer_result(struct mi_node *node, int64_t channels, int axes, const int64_t *sizes)
{
    struct mi_shape y = {.rank = 2 + axes, .dim = {node->in[0]->shape.dim[0], mi_fixed(channels)}};
    for (int i = 0; i < axes; i++)
        y.dim[2 + i] = mi_fixed(sizes[i]);
    mi_infer_output(node, 0, node->in[0]->type, &y);
}

static mica_status infer_product(struct mi_node *node)
{
    struct mi_window window;
    int64_t kernel[MI_MAX_SPATIAL], group;
    MI_TRY(infer_operands(node, kernel, &group));
    const struct mi_shape *w = &node->in[1]->shape;
    MI_TRY(check_channels(node, group, w->dim[1].b * group, "filters"));
    MI_TRY(mi_window_infer(node, &node->in[0]->shape, kernel, &window));
    infer_result(node, w->dim[0].b, window.axes, window.out);
    return MICA_OK;
}

static mica_status check_bias(const struct mi_node *node)
{
    struct mi_dim filters = node->out[0]->shape.dim[1];
    if (node->inputs < 3 || !node->in[2])
        return MICA_OK;
    const struct mi_shape *b = &node->in[2]->shape;
    if (b->rank != 1 || !mi_dim_equal(b->dim[0], filters))
        return mi_op_fail(node, MICA_SHAPE, "bias has shape %s, weight has %lld filters",
                          mi_shape_text(&node->graph->arena, b), (long long)filters.b);
    return MICA_OK;
}

static mica_status infer_conv(struct mi_node *node)
{
    MI_TRY(infer_product(node));
    return check_bias(node);
}

static mica_status infer_transpose(struct mi_node *node)
{
    struct mi_window window;
    int64_t kernel[MI_MAX_SPATIAL], group;
    MI_TRY(infer_operands(node, kernel, &group));
    const struct mi_shape *w = &node->in[1]->shape;
    MI_TRY(check_channels(node, group, w->dim[0].b, "channels"));
    MI_TRY(mi_window_infer_transposed(node, &node->in[0]->shape, kernel, &window));
    infer_result(node, w->dim[1].b * group, window.axes, window.in);
    return check_bias(node);
}

/* The gradients' shapes are those of the input and of the weight, given as attributes shape and shape_n. */
static mica_status infer_gradient(struct mi_node *node)
{
    struct mi_shape shape;
    if (!mi_get_shape(node, &shape))
        return mi_op_fail(node, MICA_INVALID_ARGUMENT, "attributes shape and shape_n are missing");
    mi_infer_output(node, 0, node->in[0]->type, &shape);
    return MICA_OK;
}

/* ---- Contractions ---- */

/* The axes of a convolution in a contraction; group is -1 where there is only one. */
struct axes {
    int n, group, filter, channel;
    int out[MI_MAX_SPATIAL], kernel[MI_MAX_SPATIAL], in[MI_MAX_SPATIAL]; /* p, r and h */
};

struct conv {
    struct mi_window window;
    int64_t group, filters, channels; /* of one group */
    const struct mi_shape *x, *w, *y;
    struct axes axis;
};

static void conv_read(const struct mi_node *node, const struct mi_shape *x, const struct mi_shape *w,
                      const struct mi_shape *y, struct conv *conv)
{
    *conv = (struct conv){.x = x, .w = w, .y = y};
    mi_window_get(node, x, y, &conv->window);
    conv->group = mi_attribute_int(node, "group", 1);
    conv->filters = w->dim[0].b / conv->group;
    conv->channels = w->dim[1].b;
}

static int axis_add(struct mi_contraction *c, struct mi_dim extent)
{
    c->extent[c->axes] = extent;
    return c->axes++;
}

static int group_add(struct mi_contraction *c, const struct conv *conv)
{
    return conv->group > 1 ? axis_add(c, mi_fixed(conv->group)) : -1;
}

static void spatial_add(struct mi_contraction *c, const struct conv *conv, const int64_t *sizes, int *axis)
{
    for (int i = 0; i < conv->window.axes; i++)
        axis[i] = axis_add(c, mi_fixed(sizes[i]));
}

static struct mi_index one(int axis)
{
    return (struct mi_index){.terms = 1, .axis = {axis}, .coefficient = {1}, .divisor = 1};
}

/* group * size + member */
static struct mi_index grouped(int group, int member, int64_t size)
{
    if (group < 0)
        return one(member);
    return (struct mi_index){.terms = 2, .axis = {group, member}, .coefficient = {size, 1}, .divisor = 1};
}

static void index_weight(const struct conv *conv, struct mi_operand *w)
{
    const struct axes *axis = &conv->axis;
    w->index[0] = grouped(axis->group, axis->filter, conv->filters);
    w->index[1] = one(axis->channel);
    for (int i = 0; i < conv->window.axes; i++)
        w->index[2 + i] = one(axis->kernel[i]);
}

/* The input at p * stride + r * dilation - pad. */
static void index_input(const struct conv *conv, struct mi_operand *x)
{
    const struct axes *axis = &conv->axis;
    const struct mi_window *window = &conv->window;
    x->index[0] = one(axis->n);
    x->index[1] = grouped(axis->group, axis->channel, conv->channels);
    for (int i = 0; i < window->axes; i++)
        x->index[2 + i] = (struct mi_index){.terms = 2,
                                            .axis = {axis->out[i], axis->kernel[i]},
                                            .coefficient = {window->stride[i], window->dilation[i]},
                                            .offset = -window->before[i],
                                            .divisor = 1};
}

static void index_output(const struct conv *conv, struct mi_operand *y)
{
    y->index[0] = one(conv->axis.n);
    y->index[1] = grouped(conv->axis.group, conv->axis.filter, conv->filters);
    for (int i = 0; i < conv->window.axes; i++)
        y->index[2 + i] = one(conv->axis.out[i]);
}

static mica_status contract_product(const struct mi_node *node, struct mi_contraction *c)
{
    struct conv conv;
    conv_read(node, &node->in[0]->shape, &node->in[1]->shape, &node->out[0]->shape, &conv);
    *c = (struct mi_contraction){.a.value = node->in[0], .b.value = node->in[1], .out.value = node->out[0]};
    conv.axis.n = axis_add(c, conv.x->dim[0]);
    conv.axis.group = group_add(c, &conv);
    conv.axis.filter = axis_add(c, mi_fixed(conv.filters));
    spatial_add(c, &conv, conv.window.out, conv.axis.out);
    c->out_axes = c->axes;
    conv.axis.channel = axis_add(c, mi_fixed(conv.channels));
    spatial_add(c, &conv, conv.window.kernel, conv.axis.kernel);
    index_input(&conv, &c->a);
    index_weight(&conv, &c->b);
    index_output(&conv, &c->out);
    return MICA_OK;
}

/* Inputs dy and w. */
static mica_status contract_data(const struct mi_node *node, struct mi_contraction *c)
{
    struct conv conv;
    conv_read(node, &node->out[0]->shape, &node->in[1]->shape, &node->in[0]->shape, &conv);
    *c = (struct mi_contraction){.a.value = node->in[0], .b.value = node->in[1], .out.value = node->out[0]};
    const struct mi_window *window = &conv.window;
    struct axes *axis = &conv.axis;
    axis->n = axis_add(c, conv.x->dim[0]);
    axis->group = group_add(c, &conv);
    axis->channel = axis_add(c, mi_fixed(conv.channels));
    spatial_add(c, &conv, window->in, axis->in);
    c->out_axes = c->axes;
    axis->filter = axis_add(c, mi_fixed(conv.filters));
    spatial_add(c, &conv, window->kernel, axis->kernel);
    index_weight(&conv, &c->b);
    index_output(&conv, &c->a);
    c->out.index[0] = one(axis->n);
    c->out.index[1] = grouped(axis->group, axis->channel, conv.channels);
    for (int i = 0; i < window->axes; i++) {
        c->out.index[2 + i] = one(axis->in[i]);
        c->a.index[2 + i] = (struct mi_index){.terms = 2,
                                              .axis = {axis->in[i], axis->kernel[i]},
                                              .coefficient = {1, -window->dilation[i]},
                                              .offset = window->before[i],
                                              .divisor = window->stride[i]};
    }
    return MICA_OK;
}

/* Inputs x and dy. dy is the left operand: its channels are the rows of dw. */
static mica_status contract_weight(const struct mi_node *node, struct mi_contraction *c)
{
    struct conv conv;
    conv_read(node, &node->in[0]->shape, &node->out[0]->shape, &node->in[1]->shape, &conv);
    *c = (struct mi_contraction){.a.value = node->in[1], .b.value = node->in[0], .out.value = node->out[0]};
    conv.axis.group = group_add(c, &conv);
    conv.axis.filter = axis_add(c, mi_fixed(conv.filters));
    conv.axis.channel = axis_add(c, mi_fixed(conv.channels));
    spatial_add(c, &conv, conv.window.kernel, conv.axis.kernel);
    c->out_axes = c->axes;
    conv.axis.n = axis_add(c, conv.x->dim[0]);
    spatial_add(c, &conv, conv.window.out, conv.axis.out);
    index_input(&conv, &c->b);
    index_output(&conv, &c->a);
    index_weight(&conv, &c->out);
    return MICA_OK;
}

/* ---- Gradients ---- */

/* A node of another row with this node's window (strides NULL: its own), for a result of that shape (NULL: as it comes). */
static mi_value *derive(struct mi_node *node, const char *op, mi_value *left, mi_value *right, const int64_t *strides,
                        const struct mi_shape *shape)
{
    static const char *const names[] = {"kernel_shape", "dilations", "pads", "group", "strides"};
    struct mi_attribute attributes[MI_COUNT(names) + 2];
    int count = 0;
    if (!left || !right)
        return NULL;
    for (size_t i = 0; i < MI_COUNT(names); i++)
        attributes[count++] = *mi_attribute_find(node, names[i]);
    if (strides)
        attributes[count - 1].ints = strides;
    if (shape) {
        mi_shape_attributes(node->graph, shape, attributes + count);
        count += 2;
    }
    return mi_apply(node->graph, op, (mi_value *[]){left, right}, 2, attributes, count);
}

static mi_value *derived(struct mi_node *node, const char *op, mi_value *left, mi_value *right, const mi_value *like)
{
    return derive(node, op, left, right, NULL, like ? &like->shape : NULL);
}

/* Whether the convolution skips places of its input: a filter of one place, and strides. */
static bool skips_places(const struct mi_window *window)
{
    bool skips = false;
    for (int i = 0; i < window->axes; i++) {
        if (window->kernel[i] != 1 || window->before[i] != 0)
            return false;
        skips = skips || window->stride[i] > 1;
    }
    return skips;
}

/* The gradient of the input. Where places of it are skipped, they are left out of the product too, and whoever reads the gradient
 * knows that they are 0. */
static mi_value *data_gradient(struct mi_node *node, mi_value *dy)
{
    static const int64_t ones[MI_MAX_SPATIAL] = {1, 1, 1}, first[MI_MAX_RANK] = {0};
    struct mi_graph *graph = node->graph;
    const struct mi_shape *full = &node->in[0]->shape;
    struct mi_shape some = *full;
    struct conv conv;
    int64_t step[MI_MAX_RANK] = {1, 1};
    conv_read(node, full, &node->in[1]->shape, &node->out[0]->shape, &conv);
    if (!dy || !skips_places(&conv.window))
        return derived(node, "ConvDataGrad", dy, node->in[1], node->in[0]);
    for (int i = 0; i < conv.window.axes; i++) {
        some.dim[2 + i] = dy->shape.dim[2 + i];
        step[2 + i] = conv.window.stride[i];
    }
    mi_value *small = derive(node, "ConvDataGrad", dy, node->in[1], ones, &some);
    struct mi_attribute attributes[5] = {MI_INTS("from", first, full->rank), MI_INTS("from_n", first, full->rank),
                                         MI_INTS("step", step, full->rank)};
    mi_shape_attributes(graph, full, attributes + 3);
    return small ? mi_apply(graph, "SliceGrad", &small, 1, attributes, (int)MI_COUNT(attributes)) : NULL;
}

static mica_status gradient_product(struct mi_node *node, mi_value *const *dy, mi_value **dx)
{
    dx[0] = data_gradient(node, dy[0]);
    dx[1] = derived(node, "ConvWeightGrad", node->in[0], dy[0], node->in[1]);
    return node->graph->error.status;
}

/* The gradient of a bias, which is input 2 where there is one. */
static void gradient_bias(struct mi_node *node, mi_value *dy, mi_value **dx)
{
    int64_t axes[MI_MAX_RANK];
    int count = 0;
    for (int i = 0; i < node->out[0]->shape.rank; i++)
        if (i != 1)
            axes[count++] = i;
    if (node->inputs > 2 && node->in[2])
        dx[2] = mi_reduce(node->graph, "ReduceSum", dy, axes, count, false);
}

static mica_status gradient_conv(struct mi_node *node, mi_value *const *dy, mi_value **dx)
{
    MI_TRY(gradient_product(node, dy, dx));
    gradient_bias(node, dy[0], dx);
    return node->graph->error.status;
}

/* The gradients are bilinear as well, so their own gradients are the three contractions again. */
static mica_status gradient_data(struct mi_node *node, mi_value *const *dy, mi_value **dx)
{
    dx[0] = derived(node, "ConvProduct", dy[0], node->in[1], NULL);
    dx[1] = derived(node, "ConvWeightGrad", dy[0], node->in[0], node->in[1]);
    return node->graph->error.status;
}

static mica_status gradient_weight(struct mi_node *node, mi_value *const *dy, mi_value **dx)
{
    dx[0] = derived(node, "ConvDataGrad", node->in[1], dy[0], node->in[0]);
    dx[1] = derived(node, "ConvProduct", node->in[0], dy[0], NULL);
    return node->graph->error.status;
}

static mica_status gradient_transpose(struct mi_node *node, mi_value *const *dy, mi_value **dx)
{
    MI_TRY(gradient_data(node, dy, dx));
    gradient_bias(node, dy[0], dx);
    return node->graph->error.status;
}

static mica_status with_bias(struct mi_node *node, mi_value *product, mi_value **out)
{
    out[0] = product;
    if (node->inputs > 2 && node->in[2])
        out[0] = mi_op2(node->graph, "Add", product, mi_channels(node->graph, node->in[2], node->in[0]->shape.rank));
    return node->graph->error.status;
}

/* Conv: attributes kernel_shape, strides (1), pads (0), dilations (1), group (1), auto_pad; inputs x, w, bias
 * (optional). */
static mica_status lower_conv(struct mi_node *node, mi_value **out)
{
    return with_bias(node, derived(node, "ConvProduct", node->in[0], node->in[1], NULL), out);
}

/* ConvTranspose: the same and output_padding (0). */
static mica_status lower_transpose(struct mi_node *node, mi_value **out)
{
    return with_bias(node, derived(node, "ConvDataGrad", node->in[0], node->in[1], node->out[0]), out);
}

MI_COMPOSITE_ROW(Conv, 2, 3, 1, infer_conv, gradient_conv, lower_conv);
MI_COMPOSITE_ROW(ConvTranspose, 2, 3, 1, infer_transpose, gradient_transpose, lower_transpose);
MI_CONTRACT_ROW(ConvProduct, infer_product, gradient_product, contract_product);
MI_CONTRACT_ROW(ConvDataGrad, infer_gradient, gradient_data, contract_data);
MI_CONTRACT_ROW(ConvWeightGrad, infer_gradient, gradient_weight, contract_weight);
