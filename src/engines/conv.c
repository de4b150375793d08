#include "engines/conv.h"

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
    if (!has_window(conv->x) || rank > 4 || conv->w->value->shape.rank != rank || c->out.value->shape.rank != rank ||
        !is_single(&conv->x->index[0]) || !member_match(c, &conv->x->index[1], channel) ||
        !mi_conv_is_by_sample(c, conv->x->index[0].axis[0]))
        return false;
    conv->groups = channel->group < 0 ? 1 : c->extent[channel->group].b;
    conv->c = c->extent[channel->axis].b;
    return members_match(c, conv->w, channel->group) && members_match(c, &c->out, channel->group);
}

/* Spatial axis i of two; with one spatial axis it is the second. `over` walks the image, `within` the kernel. */
static bool spatial_match(const struct mi_contraction *c, struct mi_conv *conv, int i, const struct mi_operand *over,
                          bool over_out, struct window *w)
{
    int d = i + conv->spatial;
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
    conv->in[0] = conv->out[0] = conv->kernel[0] = conv->stride[0] = conv->dilation[0] = conv->divisor[0] = 1;
    conv->w_r[0] = -1;
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
    for (int i = 2 - conv->spatial; i < 2; i++) {
        struct window w;
        if (!spatial_match(c, conv, i, &c->out, true, &w) || (conv->w_r[i] = dim_of_axis(c, conv->w, w.within)) < 0)
            return false;
    }
    return true;
}

bool mi_conv_match(const struct mi_contraction *c, struct mi_conv *conv)
{
    return mi_conv_match_phased(c, conv) && conv->groups == 1 && conv->divisor[0] == 1 && conv->divisor[1] == 1;
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
    for (int i = 2 - conv->spatial; i < 2; i++) {
        struct window w;
        if (!spatial_match(c, conv, i, conv->w, false, &w) || w.divisor != 1 ||
            c->out.index[i + conv->spatial].axis[0] != w.within)
            return false;
    }
    return true;
}

bool mi_layout_strides(const struct mi_layout *layout, const struct mi_shape *shape, int64_t *stride)
{
    int64_t step = 1;
    for (int k = 0; k < layout->inners; k++)
        step *= layout->block[layout->inner[k]];
    for (int k = shape->rank - 1; k >= 0; k--) {
        int axis = layout->order[k];
        struct mi_dim extent = mi_layout_outer(layout, shape, axis);
        stride[axis] = step;
        if (extent.a && k > 0)
            return false;
        step *= extent.b;
    }
    return true;
}

void mi_define(struct mi_text *text, const char *name, int64_t value)
{
    mi_text_add(text, "#define %s (%lld)\n", name, (long long)value);
}

bool mi_conv_groups_fit(const struct mi_conv *conv, int b)
{
    return conv->groups == 1 || (conv->c % b == 0 && conv->k / conv->groups % b == 0);
}

bool mi_conv_in_group(const struct mi_conv *conv, int b, int blocks)
{
    return conv->groups == 1 || conv->k / conv->groups / b % blocks == 0;
}

void mi_conv_define_groups(const struct mi_conv *conv, int b, struct mi_text *text)
{
    bool of_channels = conv->w_k != 0; /* w's first dimension counts the groups: of filters, or in a gradient of channels */
    if (conv->groups > 1) {
        mi_define_size(text, "GROUP_BLOCKS", conv->k / conv->groups / b);
        mi_define_size(text, "W_BLOCKS", conv->groups * conv->c / b);
    }
    mi_text_add(text, "#define X_BLOCK %s\n", conv->groups > 1 ? "(ob0/GROUP_BLOCKS*CB)" : "0");
    mi_text_add(text, "#define W_TILE %s\n",
                conv->groups > 1 && of_channels ? "(ob0%GROUP_BLOCKS/OB*W_BLOCKS + X_BLOCK)" : "(ob0/OB*CB)");
}

void mi_define_size(struct mi_text *text, const char *name, int64_t value)
{
    mi_text_add(text, "#define %s (@%lld)\n", name, (long long)value);
}

struct mi_layout mi_conv_input_layout(const struct mi_conv *conv, int xb)
{
    int rank = conv->spatial + 2;
    struct mi_layout x = xb > 1 ? mi_layout_blocked(rank, 1, xb) : mi_layout_plain(rank);
    for (int i = 2 - conv->spatial; i < 2; i++) {
        x.low[i + conv->spatial] = (int16_t)conv->low[i];
        x.high[i + conv->spatial] = (int16_t)conv->high[i];
    }
    return x;
}

bool mi_conv_takes_tiles(const struct mi_conv *conv)
{
    const int64_t most = 1 << 20;
    bool fits = conv->spatial == 2 && conv->c <= most && conv->k <= most;
    for (int i = 0; i < 2; i++)
        fits = fits && conv->kernel[i] == 3 && conv->stride[i] == 1 && conv->out[i] >= 1 && conv->in[i] >= 1 &&
               conv->out[i] <= most && conv->in[i] <= most;
    return fits;
}

void mi_conv_tile_halo(struct mi_conv *conv, int tile)
{
    for (int i = 0; i < 2; i++) {
        int64_t first = conv->offset[i] - (conv->dilation[i] < 0 ? 2 : 0);
        int64_t end = first + mi_divide_up(conv->out[i], tile) * tile + 2;
        conv->low[i] = first < 0 ? -first : 0;
        conv->high[i] = end > conv->in[i] ? end - conv->in[i] : 0;
    }
}

void mi_conv_define_phase(struct mi_emitter *e, const struct mi_conv *conv, const struct mi_phase phase[2], int b,
                          int xb, struct mi_text *text)
{
    const struct mi_layout *x = &e->tensors[conv->x->value->id].layout;
    int64_t stride[MI_MAX_RANK] = {0};
    bool two = conv->spatial == 2;
    int h = conv->spatial, w = conv->spatial + 1;
    mi_layout_strides(x, &conv->x->value->shape, stride);
    mi_define(text, "B", b);
    mi_define(text, "XB", xb);
    mi_define_size(text, "FILTERS", conv->k);
    mi_define_size(text, "CHANNELS", conv->c);
    mi_define_size(text, "CB", mi_divide_up(conv->c, xb));
    mi_define_size(text, "OH", phase[0].out);
    mi_define_size(text, "OW", phase[1].out);
    mi_define(text, "KH", phase[0].kernel);
    mi_define(text, "KW", phase[1].kernel);
    mi_define(text, "SH", phase[0].stride);
    mi_define(text, "SW", phase[1].stride);
    mi_define(text, "DH", phase[0].dilation);
    mi_define(text, "DW", phase[1].dilation);
    /* Where the first place that the kernel may read lies, halo and all. */
    mi_define_size(text, "XH0", phase[0].offset + (two ? x->low[h] : 0));
    mi_define_size(text, "XW0", phase[1].offset + x->low[w]);
    mi_define_size(text, "XSN", stride[0]);
    mi_define_size(text, "XSC", stride[1]);
    mi_text_add(text, "#define XSI %s\n", xb > 1 ? "1" : "XSC");
    mi_define_size(text, "XSH", two ? stride[h] : 0);
    mi_define(text, "XSW", xb);
    mi_text_add(text, "#define VEC float%d\n#define VLOAD vload%d\n#define VSTORE vstore%d\n", b, b, b);
    mi_text_add(text, "#define X p%d\n", mi_emit_argument(e, conv->x->value, false));
}

static struct mi_phase whole(const struct mi_conv *conv, int axis)
{
    return (struct mi_phase){.out = conv->out[axis],
                             .kernel = conv->kernel[axis],
                             .step = 1,
                             .stride = conv->stride[axis],
                             .dilation = conv->dilation[axis],
                             .offset = conv->offset[axis]};
}

struct mi_wishes mi_conv_wishes(const struct mi_problem *problem, const struct mi_conv *conv, struct mi_layout x,
                                struct mi_layout other)
{
    bool x_is_a = conv->x == &problem->c.a;
    return (struct mi_wishes){.wanted = true, .a = x_is_a ? x : other, .b = x_is_a ? other : x};
}

void mi_conv_define(struct mi_emitter *e, const struct mi_conv *conv, int b, int xb, struct mi_text *text)
{
    const struct mi_phase all[2] = {whole(conv, 0), whole(conv, 1)};
    mi_conv_define_phase(e, conv, all, b, xb, text);
}

void mi_conv_define_gradient(struct mi_emitter *e, const struct mi_conv *conv, int b, struct mi_text *text)
{
    const struct mi_layout *dy = &e->tensors[conv->w->value->id].layout;
    int64_t stride[MI_MAX_RANK] = {0};
    bool two = conv->spatial == 2;
    int h = conv->spatial, w = conv->spatial + 1;
    mi_layout_strides(dy, &conv->w->value->shape, stride);
    int64_t row = two ? stride[h] : 0, low = two ? dy->low[h] : 0;
    mi_define_size(text, "DSN", stride[0]);
    mi_define_size(text, "DSK", stride[1]);
    mi_define_size(text, "DSH", row);
    /* A halo of dy, where another engine asked for one, is stepped over. */
    mi_text_add(text, "#define DY (p%d + @%lld)\n", mi_emit_argument(e, conv->w->value, false),
                (long long)(low * row + dy->low[w] * b));
}
