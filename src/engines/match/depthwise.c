#include "engines/match/depthwise.h"

#include <string.h>

enum { MOST_HALO = 256 };

static bool is_out(const struct mi_contraction *c, int axis)
{
    return axis < c->out_axes;
}

/* The axis that an index is, axes of size 1 left out; -1: it is not one axis alone. */
static int axis_of(const struct mi_contraction *c, const struct mi_index *index)
{
    int axis = -1, many = 0;
    for (int t = 0; t < index->terms; t++) {
        if (index->terms > 1 && mi_dim_is(c->extent[index->axis[t]], 1))
            continue;
        axis = index->coefficient[t] == 1 ? index->axis[t] : -1;
        many++;
    }
    return many == 1 && index->offset == 0 && index->divisor == 1 ? axis : -1;
}

/* Dimension d of x: (over*stride + within*dilation + offset)/divisor, `over` on the side of the contraction that is named. */
static bool window_match(const struct mi_contraction *c, struct mi_depthwise *d, int i, bool over_out, int *over,
                         int *within)
{
    int dim = i + d->conv.spatial;
    const struct mi_index *index = &d->conv.x->index[dim];
    struct mi_dim size = d->conv.x->value->shape.dim[dim];
    if (index->terms != 2 || index->divisor < 1 || size.a)
        return false;
    int o = is_out(c, index->axis[0]) == over_out ? 0 : 1;
    *over = index->axis[o];
    *within = index->axis[1 - o];
    struct mi_dim places = c->extent[*over], taps = c->extent[*within];
    if (is_out(c, *over) != over_out || is_out(c, *within) == over_out || places.a || taps.a || places.b < 1 ||
        taps.b < 1)
        return false;
    int64_t stride = index->coefficient[o], dilation = index->coefficient[1 - o];
    if (stride < 1 || (index->divisor > 1 && stride > 1))
        return false;
    int64_t reach = (taps.b - 1) * dilation, first = index->offset + (reach < 0 ? reach : 0);
    int64_t last = index->offset + (places.b - 1) * stride + (reach > 0 ? reach : 0);
    d->conv.in[i] = size.b;
    d->conv.out[i] = places.b;
    d->conv.kernel[i] = taps.b;
    d->conv.stride[i] = stride;
    d->conv.dilation[i] = dilation;
    d->conv.offset[i] = index->offset;
    d->divisor[i] = index->divisor;
    d->conv.low[i] = first < 0 ? -first / index->divisor : 0;
    d->conv.high[i] = last / index->divisor >= size.b ? last / index->divisor - size.b + 1 : 0;
    return d->conv.low[i] <= MOST_HALO && d->conv.high[i] <= MOST_HALO;
}

/* The operand with windows is x; all three have samples or channels first, and the channels are one axis of the result. */
static bool operands_match(const struct mi_contraction *c, struct mi_depthwise *d)
{
    int rank = c->out.value->shape.rank;
    memset(d, 0, sizeof *d);
    if (rank < 3 || rank > 4 || c->a.value->shape.rank != rank || c->b.value->shape.rank != rank)
        return false;
    bool a = c->a.index[rank - 1].terms == 2;
    struct mi_conv *conv = &d->conv;
    conv->x = a ? &c->a : &c->b;
    conv->w = a ? &c->b : &c->a;
    conv->spatial = rank - 2;
    for (int i = 0; i < MI_CONV_AXES; i += MI_CONV_DEPTH) {
        conv->in[i] = conv->out[i] = conv->kernel[i] = conv->stride[i] = conv->dilation[i] = 1;
        conv->w_r[i] = -1;
    }
    d->divisor[0] = 1;
    conv->w_r[1] = rank - 1;
    int channel = axis_of(c, &conv->x->index[1]);
    if (conv->x->index[rank - 1].terms != 2 || conv->x->value->type != MI_FLOAT || conv->w->value->type != MI_FLOAT ||
        channel < 0 || !is_out(c, channel) || !mi_conv_is_by_sample(c, axis_of(c, &conv->x->index[0])))
        return false;
    conv->k = conv->c = c->extent[channel].b;
    return mi_dim_is(conv->x->value->shape.dim[1], conv->c);
}

static bool is_axis(const struct mi_contraction *c, const struct mi_index *index, int axis)
{
    return axis_of(c, index) == axis;
}

bool mi_depthwise_match(const struct mi_contraction *c, struct mi_depthwise *d)
{
    if (!operands_match(c, d))
        return false;
    const struct mi_operand *x = d->conv.x, *w = d->conv.w;
    int channel = axis_of(c, &x->index[1]), n = axis_of(c, &x->index[0]);
    if (!is_axis(c, &c->out.index[0], n) || !is_axis(c, &c->out.index[1], channel) ||
        !is_axis(c, &w->index[0], channel) || !mi_dim_is(w->value->shape.dim[1], 1))
        return false;
    for (int i = 2 - d->conv.spatial; i < 2; i++) {
        int over, within, dim = i + d->conv.spatial;
        if (!window_match(c, d, i, true, &over, &within) || !is_axis(c, &c->out.index[dim], over) ||
            !is_axis(c, &w->index[dim], within))
            return false;
        d->conv.w_r[i] = dim;
    }
    return true;
}

bool mi_depthwise_weight_match(const struct mi_contraction *c, struct mi_depthwise *d)
{
    if (!operands_match(c, d))
        return false;
    const struct mi_operand *x = d->conv.x, *dy = d->conv.w;
    int channel = axis_of(c, &x->index[1]), n = axis_of(c, &x->index[0]);
    if (is_out(c, n) || !is_axis(c, &dy->index[0], n) || !is_axis(c, &dy->index[1], channel) ||
        !is_axis(c, &c->out.index[0], channel) || !mi_dim_is(c->out.value->shape.dim[1], 1))
        return false;
    for (int i = 2 - d->conv.spatial; i < 2; i++) {
        int over, within, dim = i + d->conv.spatial;
        if (!window_match(c, d, i, false, &over, &within) || d->divisor[i] != 1 || !is_axis(c, &dy->index[dim], over) ||
            !is_axis(c, &c->out.index[dim], within))
            return false;
    }
    return true;
}

bool mi_depthwise_fits(const struct mi_problem *problem, const struct mi_depthwise *d)
{
    const mica_device *device = problem->device;
    return device->is_cpu && device->vector_width >= 4 && !problem->plain_only &&
           problem->c.out.value->type == MI_FLOAT && d->conv.c >= device->vector_width / 2;
}
