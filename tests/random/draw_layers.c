/* What layers are made of: products, convolutions, pools, normalisation, losses. */
#include "random/draw.h"

#include <string.h>

/* ---- Products ---- */

bool draw_matmul(struct drawing *d)
{
    struct step step = step_begin("MatMul");
    struct place a = draw_operand(d, MI_FLOAT, 1, 4);
    if (!place_is(a))
        return false;
    const struct mi_shape *x = draw_shape(d, a);
    bool trans_a = x->rank > 1 && draw_chance(d, 25), trans_b = draw_chance(d, 40), column = draw_chance(d, 10);
    struct mi_dim inner = x->dim[x->rank - (trans_a ? 2 : 1)];
    struct mi_shape y = {.rank = 0};
    for (int i = 0; i + 2 < x->rank && !column; i++)
        if (y.rank > 0 || draw_chance(d, 40))
            y.dim[y.rank++] = draw_chance(d, 30) ? mi_fixed(1) : x->dim[i];
    struct mi_dim outer = mi_fixed(draw_size(d));
    if (!column && !trans_b)
        y.dim[y.rank++] = inner;
    if (!column)
        y.dim[y.rank++] = outer;
    if (column || trans_b)
        y.dim[y.rank++] = inner;
    struct place b = draw_like(d, MI_FLOAT, &y);
    if (!place_is(b))
        return false;
    step_operand(&step, a);
    step_operand(&step, b);
    if (trans_a)
        step_attribute(&step, MI_INT("transA", 1));
    if (trans_b && !column)
        step_attribute(&step, MI_INT("transB", 1));
    return draw_add(d, &step);
}

bool draw_gemm(struct drawing *d)
{
    struct step step = step_begin("Gemm");
    struct place a = draw_operand(d, MI_FLOAT, 2, 2);
    if (!place_is(a))
        return false;
    const struct mi_shape *x = draw_shape(d, a);
    bool trans_a = draw_chance(d, 20), trans_b = draw_chance(d, 60);
    struct mi_dim inner = x->dim[trans_a ? 0 : 1], rows = x->dim[trans_a ? 1 : 0], outer = mi_fixed(draw_size(d));
    struct mi_shape y = {.rank = 2, .dim = {trans_b ? outer : inner, trans_b ? inner : outer}};
    struct mi_shape out = {.rank = 2, .dim = {rows, outer}};
    struct place b = draw_like(d, MI_FLOAT, &y);
    if (!place_is(b))
        return false;
    step_operand(&step, a);
    step_operand(&step, b);
    if (draw_chance(d, 60)) {
        struct mi_shape bias = {.rank = 1, .dim = {outer}};
        struct place c = draw_chance(d, 60) ? draw_like(d, MI_FLOAT, &bias) : draw_partner(d, MI_FLOAT, &out);
        if (!place_is(c))
            return false;
        step_operand(&step, c);
    }
    step_attribute(&step, MI_INT("transA", trans_a));
    step_attribute(&step, MI_INT("transB", trans_b));
    if (draw_chance(d, 20))
        step_attribute(&step, MI_REAL("alpha", (float)draw_real(d, -1, 2)));
    if (draw_chance(d, 20))
        step_attribute(&step, MI_REAL("beta", (float)draw_real(d, -1, 2)));
    return draw_add(d, &step);
}

/* ---- Windows ---- */

/* Strides, dilations and padding of a window of that size; false: it does not fit the input. */
static bool add_window(struct drawing *d, struct step *step, const struct mi_shape *x, const int64_t *kernel, bool pool)
{
    int axes = x->rank - 2;
    int64_t *strides = draw_ints(d, axes), *dilations = draw_ints(d, axes), *pads = draw_ints(d, 2 * axes);
    bool padded = draw_chance(d, 50), strided = draw_chance(d, 40), dilated = draw_chance(d, 20);
    for (int i = 0; i < axes; i++) {
        strides[i] = strided ? 1 + draw_below(d, 3) : 1;
        dilations[i] = dilated ? 1 + draw_below(d, 2) : 1;
        int64_t most = pool ? kernel[i] - 1 : 2;
        pads[i] = padded ? draw_below(d, most + 1) : 0;
        pads[axes + i] = padded ? draw_below(d, most + 1) : 0;
        if (x->dim[2 + i].a || x->dim[2 + i].b + pads[i] + pads[axes + i] < (kernel[i] - 1) * dilations[i] + 1)
            return false;
    }
    if (strided)
        step_attribute(step, MI_INTS("strides", strides, axes));
    if (dilated)
        step_attribute(step, MI_INTS("dilations", dilations, axes));
    if (!padded && !dilated && draw_chance(d, 20))
        step_attribute(step, MI_TEXT("auto_pad", draw_chance(d, 50) ? "SAME_UPPER" : "SAME_LOWER"));
    else if (padded)
        step_attribute(step, MI_INTS("pads", pads, 2 * axes));
    return true;
}

static void draw_kernel(struct drawing *d, int axes, int64_t most, int64_t *kernel)
{
    int64_t same = 1 + draw_below(d, most);
    bool square = draw_chance(d, 60);
    for (int i = 0; i < axes; i++)
        kernel[i] = square ? same : 1 + draw_below(d, most);
}

static struct place draw_image(struct drawing *d)
{
    return draw_operand(d, MI_FLOAT, draw_chance(d, 80) ? 4 : 3, draw_chance(d, 80) ? 4 : 5);
}

bool draw_conv(struct drawing *d)
{
    struct step step = step_begin("Conv");
    struct place x = draw_image(d);
    if (!place_is(x) || draw_shape(d, x)->dim[1].a)
        return false;
    struct mi_shape in = *draw_shape(d, x), weight = {.rank = in.rank};
    int64_t channels = in.dim[1].b, group = draw_chance(d, 60) ? 1 : draw_chance(d, 50) ? channels : 2, kernel[3];
    if (channels % group)
        return false;
    weight.dim[0] = mi_fixed(group > 1 && draw_chance(d, 60) ? group : group * ((draw_size(d) + group - 1) / group));
    weight.dim[1] = mi_fixed(channels / group);
    draw_kernel(d, in.rank - 2, 3, kernel);
    for (int i = 0; i < in.rank - 2; i++)
        weight.dim[2 + i] = mi_fixed(kernel[i]);
    step_operand(&step, x);
    struct place w = draw_like(d, MI_FLOAT, &weight);
    if (!add_window(d, &step, &in, kernel, false) || !place_is(w))
        return false;
    step_operand(&step, w);
    if (draw_chance(d, 60)) {
        struct mi_shape bias = {.rank = 1, .dim = {weight.dim[0]}};
        struct place b = draw_like(d, MI_FLOAT, &bias);
        if (!place_is(b))
            return false;
        step_operand(&step, b);
    }
    if (group > 1)
        step_attribute(&step, MI_INT("group", group));
    return draw_add(d, &step);
}

bool draw_pool(struct drawing *d)
{
    bool largest = draw_chance(d, 50);
    struct step step = step_begin(largest ? "MaxPool" : "AveragePool");
    struct place x = draw_image(d);
    if (!place_is(x))
        return false;
    struct mi_shape in = *draw_shape(d, x);
    int64_t *kernel = draw_ints(d, in.rank - 2);
    draw_kernel(d, in.rank - 2, 4, kernel);
    step_operand(&step, x);
    step_attribute(&step, MI_INTS("kernel_shape", kernel, in.rank - 2));
    if (!add_window(d, &step, &in, kernel, true))
        return false;
    if (draw_chance(d, 25))
        step_attribute(&step, MI_INT("ceil_mode", 1));
    if (!largest && draw_chance(d, 40))
        step_attribute(&step, MI_INT("count_include_pad", 1));
    return draw_add(d, &step);
}

bool draw_global_pool(struct drawing *d)
{
    struct step step = step_begin(draw_chance(d, 50) ? "GlobalMaxPool" : "GlobalAveragePool");
    struct place x = draw_operand(d, MI_FLOAT, 3, 5);
    if (!place_is(x))
        return false;
    step_operand(&step, x);
    return draw_add(d, &step);
}

/* ---- Normalisation, and what works along one axis ---- */

bool draw_batch_normalization(struct drawing *d)
{
    struct step step = step_begin("BatchNormalization");
    struct place x = draw_operand(d, MI_FLOAT, 2, 5);
    if (!place_is(x) || draw_shape(d, x)->dim[1].a)
        return false;
    struct mi_shape channels = {.rank = 1, .dim = {draw_shape(d, x)->dim[1]}};
    step_operand(&step, x);
    for (int i = 0; i < 4; i++) {
        /* Of the running mean and variance nobody asks the gradients. */
        struct place of = i >= 2 ? draw_source(d, MI_FLOAT, &channels, 0.25, 2.25) : draw_like(d, MI_FLOAT, &channels);
        if (!place_is(of))
            return false;
        d->recipe->step[of.step].still = d->recipe->step[of.step].still || i >= 2;
        step_operand(&step, of);
    }
    step_attribute(&step, MI_REAL("epsilon", (float)draw_real(d, 0.0625, 0.5)));
    if (draw_chance(d, 50))
        step_attribute(&step, MI_REAL("momentum", (float)draw_real(d, 0, 1)));
    return draw_add(d, &step);
}

bool draw_along_axis(struct drawing *d)
{
    static const char *const rows[] = {"Softmax", "LogSoftmax", "ArgMax"};
    struct step step = step_begin(rows[draw_below(d, 3)]);
    struct place x = draw_operand(d, MI_FLOAT, 1, 5);
    if (!place_is(x))
        return false;
    int rank = draw_shape(d, x)->rank;
    step_operand(&step, x);
    step_attribute(&step, MI_INT("axis", draw_below(d, 2 * rank) - rank));
    if (step.op[0] == 'A') {
        step_attribute(&step, MI_INT("keepdims", draw_below(d, 2)));
        step_attribute(&step, MI_INT("select_last_index", draw_below(d, 2)));
    }
    return draw_add(d, &step);
}

bool draw_dropout(struct drawing *d)
{
    struct step step = step_begin("Dropout");
    struct place x = draw_operand(d, MI_FLOAT, 0, 5);
    if (!place_is(x))
        return false;
    step_operand(&step, x);
    step_attribute(&step, MI_REAL("rate", (float)draw_real(d, 0, 0.75)));
    return draw_add(d, &step);
}

/* ---- Losses ---- */

bool draw_label_loss(struct drawing *d)
{
    static const char *const reductions[] = {"mean", "sum", "none"};
    struct step step = step_begin(draw_chance(d, 70) ? "SoftmaxCrossEntropyLoss" : "NegativeLogLikelihoodLoss");
    struct place x = draw_operand(d, MI_FLOAT, 2, 4);
    if (!place_is(x) || draw_shape(d, x)->dim[1].a)
        return false;
    struct mi_shape scores = *draw_shape(d, x), labels = {.rank = 0};
    for (int i = 0; i < scores.rank; i++)
        if (i != 1)
            labels.dim[labels.rank++] = scores.dim[i];
    struct place y = draw_source(d, MI_INT32, &labels, 0, (double)(scores.dim[1].b - 1));
    if (!place_is(y))
        return false;
    step_operand(&step, x);
    step_operand(&step, y);
    step_attribute(&step, MI_TEXT("reduction", reductions[draw_below(d, 3)]));
    if (draw_chance(d, 30))
        step_attribute(&step, MI_INT("ignore_index", draw_below(d, scores.dim[1].b)));
    return draw_add(d, &step);
}

bool draw_categorical(struct drawing *d)
{
    struct step step = step_begin("CategoricalCrossEntropy");
    struct place x = draw_operand(d, MI_FLOAT, 1, 4);
    if (!place_is(x))
        return false;
    struct place t = draw_like(d, MI_FLOAT, draw_shape(d, x));
    if (!place_is(t))
        return false;
    int rank = draw_shape(d, x)->rank;
    step_operand(&step, x);
    step_operand(&step, t);
    step_attribute(&step, MI_INT("axis", draw_below(d, 2 * rank) - rank));
    step_attribute(&step, MI_INT("from_logits", draw_below(d, 2)));
    return draw_add(d, &step);
}
