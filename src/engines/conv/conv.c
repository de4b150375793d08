#include "engines/conv/conv.h"

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
    for (int d = 2; d < rank; d++) {
        x.low[d] = (int16_t)conv->low[mi_conv_axis(conv, d)];
        x.high[d] = (int16_t)conv->high[mi_conv_axis(conv, d)];
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

/* The planes of a volume; an image is one, and then what counts them is a number. */
static void define_depth(const struct mi_conv *conv, const struct mi_phase *phase, int64_t low, int64_t stride,
                         struct mi_text *text)
{
    void (*const define)(struct mi_text *, const char *, int64_t) = conv->spatial == 3 ? mi_define_size : mi_define;
    mi_define(text, "VOLUME", conv->spatial == 3);
    define(text, "OD", phase->out);
    mi_define(text, "KD", phase->kernel);
    mi_define(text, "SD", phase->stride);
    mi_define(text, "DD", phase->dilation);
    define(text, "XD0", phase->offset + low);
    define(text, "XSD", stride);
}

void mi_conv_define_phase(struct mi_emitter *e, const struct mi_conv *conv, const struct mi_phase phase[MI_CONV_AXES], int b,
                          int xb, struct mi_text *text)
{
    const struct mi_layout *x = &e->tensors[conv->x->value->id].layout;
    int64_t stride[MI_MAX_RANK] = {0};
    bool two = conv->spatial > 1, volume = conv->spatial == 3;
    int h = conv->spatial, w = conv->spatial + 1;
    mi_layout_strides(x, &conv->x->value->shape, stride);
    define_depth(conv, &phase[MI_CONV_DEPTH], volume ? x->low[2] : 0, volume ? stride[2] : 0, text);
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
    const struct mi_phase all[MI_CONV_AXES] = {whole(conv, 0), whole(conv, 1), whole(conv, 2)};
    mi_conv_define_phase(e, conv, all, b, xb, text);
}

void mi_conv_define_gradient(struct mi_emitter *e, const struct mi_conv *conv, int b, struct mi_text *text)
{
    const struct mi_layout *dy = &e->tensors[conv->w->value->id].layout;
    int64_t stride[MI_MAX_RANK] = {0};
    bool two = conv->spatial > 1, volume = conv->spatial == 3;
    int h = conv->spatial, w = conv->spatial + 1;
    mi_layout_strides(dy, &conv->w->value->shape, stride);
    int64_t row = two ? stride[h] : 0, low = (two ? dy->low[h] * row : 0) + (volume ? dy->low[2] * stride[2] : 0);
    mi_define_size(text, "DSN", stride[0]);
    mi_define_size(text, "DSK", stride[1]);
    mi_define_size(text, "DSH", row);
    mi_define_size(text, "DSD", volume ? stride[2] : 0);
    /* A halo of dy, where another engine asked for one, is stepped over. */
    mi_text_add(text, "#define DY (p%d + @%lld)\n", mi_emit_argument(e, conv->w->value, false),
                (long long)(low + dy->low[w] * b));
}
