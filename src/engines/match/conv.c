#include "engines/match/conv.h"

#include <string.h>

static bool is_single(const struct mi_index *index)
{
    return index->terms == 1 && index->coefficient[0] == 1 && index->offset == 0 && index->divisor == 1;
}

/* A channel's or filter's index, group * size + member; group -1: there is only one. */
struct member {
    int group, axis;
};

static bool member_match(const struct mi_contraction *c, const struct mi_index *index, struct member *member)
{
    *member = (struct member){-1, index->axis[0]};
    if (is_single(index))
        return true;
    if (index->terms != 2 || index->offset || index->divisor != 1 || index->coefficient[1] != 1 ||
        !mi_dim_is(c->extent[index->axis[1]], index->coefficient[0]))
        return false;
    *member = (struct member){index->axis[0], index->axis[1]};
    return true;
}

static bool is_out(const struct mi_contraction *c, int axis)
{
    return axis < c->out_axes;
}

/* A dimension p*stride + r*dilation + offset with p on one side of the contraction and r on the other. */
struct window {
    int over, within;
    int64_t stride, dilation, offset, divisor, low, high;
};

static bool window_match(const struct mi_contraction *c, const struct mi_index *index, struct mi_dim dim, bool over_out,
                         struct window *w)
{
    if (index->terms != 2 || dim.a)
        return false;
    int o = is_out(c, index->axis[0]) == over_out ? 0 : 1;
    w->over = index->axis[o];
    w->within = index->axis[1 - o];
    w->stride = index->coefficient[o];
    w->dilation = index->coefficient[1 - o];
    w->offset = index->offset;
    w->divisor = index->divisor;
    if (w->divisor > 1 && w->stride != 1)
        return false;
    if (is_out(c, w->over) != over_out || is_out(c, w->within) == over_out || w->stride < 1)
        return false;
    int64_t over = c->extent[w->over].b - 1, within = (c->extent[w->within].b - 1) * w->dilation;
    int64_t first = w->offset + (within < 0 ? within : 0),
            last = w->offset + over * w->stride + (within > 0 ? within : 0);
    first = mi_divide_up(first, w->divisor);
    last = last < 0 ? -1 : last / w->divisor;
    w->low = first < 0 ? -first : 0;
    w->high = last >= dim.b ? last - dim.b + 1 : 0;
    return c->extent[w->over].a == 0 && c->extent[w->within].a == 0 && over >= 0 && c->extent[w->within].b > 0;
}

static bool has_window(const struct mi_operand *operand)
{
    int rank = operand->value->shape.rank;
    return rank >= 3 && operand->index[rank - 1].terms == 2;
}

static int dim_of_axis(const struct mi_contraction *c, const struct mi_operand *operand, int axis)
{
    struct member member;
    for (int d = 0; d < operand->value->shape.rank; d++)
        if (member_match(c, &operand->index[d], &member) && member.axis == axis)
            return d;
    return -1;
}

/* Whether every index is one axis, or a member of this group. */
static bool members_match(const struct mi_contraction *c, const struct mi_operand *operand, int group)
{
    struct member member;
    for (int d = 0; d < operand->value->shape.rank; d++)
        if (!member_match(c, &operand->index[d], &member) || (member.group >= 0 && member.group != group))
            return false;
    return true;
}

bool mi_conv_is_by_sample(const struct mi_contraction *c, int samples)
{
    for (int axis = 0; axis < c->axes; axis++)
        if (c->extent[axis].a != (axis == samples) || (axis == samples && c->extent[axis].b))
            return false;
    return true;
}

/* What both kinds have in common: x has windows, the other two operands have plain indices. `channel` is x's. */
static bool shape_match(const struct mi_contraction *c, struct mi_conv *conv, struct member *channel)
{
    memset(conv, 0, sizeof *conv);
    conv->x = has_window(&c->a) ? &c->a : &c->b;
    conv->w = has_window(&c->a) ? &c->b : &c->a;
    int rank = conv->x->value->shape.rank;
    conv->spatial = rank - 2;
    if (!has_window(conv->x) || rank > 5 || conv->w->value->shape.rank != rank || c->out.value->shape.rank != rank ||
        !is_single(&conv->x->index[0]) || !member_match(c, &conv->x->index[1], channel) ||
        !mi_conv_is_by_sample(c, conv->x->index[0].axis[0]))
        return false;
    conv->groups = channel->group < 0 ? 1 : c->extent[channel->group].b;
    conv->c = c->extent[channel->axis].b;
    return members_match(c, conv->w, channel->group) && members_match(c, &c->out, channel->group);
}

/* The axis of dimension d of x. `over` walks the image, `within` the kernel. */
static bool spatial_match(const struct mi_contraction *c, struct mi_conv *conv, int d, const struct mi_operand *over,
                          bool over_out, struct window *w)
{
    int i = mi_conv_axis(conv, d);
    if (!window_match(c, &conv->x->index[d], conv->x->value->shape.dim[d], over_out, w) ||
        over->index[d].axis[0] != w->over)
        return false;
    conv->in[i] = conv->x->value->shape.dim[d].b;
    conv->out[i] = c->extent[w->over].b;
    conv->kernel[i] = c->extent[w->within].b;
    conv->stride[i] = w->stride;
    conv->dilation[i] = w->dilation;
    conv->offset[i] = w->offset;
    conv->divisor[i] = w->divisor;
    conv->low[i] = w->low;
    conv->high[i] = w->high;
    return true;
}

static void spatial_default(struct mi_conv *conv)
{
    for (int i = 0; i < MI_CONV_AXES; i++) {
        conv->in[i] = conv->out[i] = conv->kernel[i] = conv->stride[i] = conv->dilation[i] = conv->divisor[i] = 1;
        conv->w_r[i] = -1;
    }
}

bool mi_conv_match_phased(const struct mi_contraction *c, struct mi_conv *conv)
{
    struct member channel, filter;
    if (!shape_match(c, conv, &channel) || !member_match(c, &c->out.index[1], &filter) || filter.group != channel.group)
        return false;
    int n = conv->x->index[0].axis[0];
    conv->w_k = dim_of_axis(c, conv->w, filter.axis);
    conv->w_c = dim_of_axis(c, conv->w, channel.axis);
    if (n != c->out.index[0].axis[0] || is_out(c, channel.axis) || conv->w_k < 0 || conv->w_c < 0)
        return false;
    conv->k = conv->groups * c->extent[filter.axis].b;
    spatial_default(conv);
    for (int d = 2; d < conv->spatial + 2; d++) {
        struct window w;
        if (!spatial_match(c, conv, d, &c->out, true, &w))
            return false;
        int within = conv->w_r[mi_conv_axis(conv, d)] = dim_of_axis(c, conv->w, w.within);
        if (within < 0)
            return false;
    }
    return true;
}

bool mi_conv_match(const struct mi_contraction *c, struct mi_conv *conv)
{
    return mi_conv_match_phased(c, conv) && conv->groups == 1 && mi_conv_volume(conv->divisor) == 1;
}

/* r*dilation + offset + phase is a multiple of the divisor for every step-th r. */
struct mi_phase mi_conv_phase(const struct mi_conv *conv, int axis, int64_t phase)
{
    int64_t divisor = conv->divisor[axis], dilation = conv->dilation[axis], from = conv->offset[axis] + phase;
    struct mi_phase p = {.phase = phase, .stride = conv->stride[axis], .step = 1};
    p.out = phase < conv->out[axis] ? mi_divide_up(conv->out[axis] - phase, divisor) : 0;
    while (p.first < divisor && (from + p.first * dilation) % divisor)
        p.first++;
    while (p.step * dilation % divisor)
        p.step++;
    bool met = p.first < divisor && p.first < conv->kernel[axis];
    p.kernel = met ? mi_divide_up(conv->kernel[axis] - p.first, p.step) : 0;
    p.dilation = p.step * dilation / divisor;
    p.offset = p.kernel ? (from + p.first * dilation) / divisor : 0;
    return p;
}

bool mi_conv_weight_match(const struct mi_contraction *c, struct mi_conv *conv)
{
    struct member channel, filter, gradient;
    if (!shape_match(c, conv, &channel) || !member_match(c, &c->out.index[0], &filter) ||
        !member_match(c, &conv->w->index[1], &gradient))
        return false;
    int n = conv->x->index[0].axis[0];
    if (is_out(c, n) || conv->w->index[0].axis[0] != n || gradient.axis != filter.axis || gradient.group != filter.group ||
        filter.group != channel.group || c->out.index[1].axis[0] != channel.axis)
        return false;
    conv->k = conv->groups * c->extent[filter.axis].b;
    spatial_default(conv);
    for (int d = 2; d < conv->spatial + 2; d++) {
        struct window w;
        if (!spatial_match(c, conv, d, conv->w, false, &w) || w.divisor != 1 || c->out.index[d].axis[0] != w.within)
            return false;
    }
    return true;
}
