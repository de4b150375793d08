/* Windows of convolutions and poolings. */
#include "nn/layer/window.h"

#include <string.h>

/* Sizes in which a later 0 repeats the first, and a first 0 is the default. */
static int64_t size_at(const int64_t *sizes, int i, int64_t otherwise)
{
    int64_t first = sizes && sizes[0] ? sizes[0] : otherwise;
    return i && sizes && sizes[i] ? sizes[i] : first;
}

static int64_t reach_of(const struct mi_window *window, int i)
{
    return (window->size[i] - 1) * window->dilation[i] + 1;
}

static bool is_word(const char *padding, const char *word)
{
    return padding && strcmp(padding, word) == 0;
}

/* Pads that are given as numbers. */
static bool take_pads(struct mi_layer *layer, struct mi_window *out, int i, const int64_t *pads)
{
    out->pads[i] = pads[i];
    out->pads[i + out->spatial] = pads[i + out->spatial];
    return mi_layer_size(layer, "a pad", pads[i], 0) && mi_layer_size(layer, "a pad", pads[i + out->spatial], 0);
}

static bool set_pads(struct mi_layer *layer, struct mi_window *out, int i, int64_t in, const struct mi_window_fields *fields)
{
    int64_t reach = reach_of(out, i), *before = &out->pads[i], *after = &out->pads[i + out->spatial];
    if (is_word(fields->padding, "same")) {
        int64_t last = in > 0 ? (in - 1) / out->stride[i] * out->stride[i] : 0;
        int64_t total = last + reach > in ? last + reach - in : 0;
        *before = total / 2;
        *after = total - total / 2;
    } else if (is_word(fields->padding, "explicit") && !take_pads(layer, out, i, fields->pads))
        return false;
    if (in + *before + *after >= reach)
        return true;
    mi_layer_fail(layer, MICA_SHAPE, "a window of %lld does not fit into an input of %lld (with padding, %lld)",
                  (long long)reach, (long long)in, (long long)(in + *before + *after));
    return false;
}

/* A window for each of `in` places reaches (in - 1) * stride + reach places; by Keras's formulas some of them are left out, more of
 * them after than before, or places that no window reaches come after them. `beyond` is its output_padding: 0 where there is none,
 * -1 where it is 0. */
static bool set_crop(struct mi_layer *layer, struct mi_window *out, int i, int64_t in, const struct mi_window_fields *fields)
{
    int64_t reach = reach_of(out, i), stride = out->stride[i], beyond = size_at(fields->beyond, i, 0);
    int64_t more = beyond > 0 ? beyond : 0;
    int64_t crop = beyond ? -more : reach < stride ? reach - stride : 0;
    if (is_word(fields->padding, "same"))
        crop = beyond ? reach - reach % 2 - more : reach - stride;
    if (more >= stride) {
        mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "output_padding of %lld must be smaller than the strides of %lld",
                      (long long)more, (long long)stride);
        return false;
    }
    out->beyond[i] = crop < 0 ? -crop : 0;
    out->pads[i] = crop > 0 ? crop / 2 : 0;
    out->pads[i + out->spatial] = crop > 0 ? crop - crop / 2 : 0;
    if (is_word(fields->padding, "explicit")) {
        out->beyond[i] = more;
        if (!take_pads(layer, out, i, fields->pads))
            return false;
    }
    int64_t places = (in - 1) * stride + reach + out->beyond[i] - out->pads[i] - out->pads[i + out->spatial];
    if (places > 0)
        return mi_layer_size(layer, "an output's side", places, 1);
    mi_layer_fail(layer, MICA_SHAPE, "padding of %lld and %lld leaves nothing of the %lld places that an input of %lld makes",
                  (long long)out->pads[i], (long long)out->pads[i + out->spatial],
                  (long long)((in - 1) * stride + reach + out->beyond[i]), (long long)in);
    return false;
}

/* Height, width and few channels where channels, height and width belong: an image that came channels last, or a volume. Or a
 * length and few channels where channels and a length belong, which is too short for the window. */
static bool looks_channels_last(const mi_value *x, int spatial, int64_t reach)
{
    const struct mi_dim *d = x->shape.dim + 1;
    int64_t last = d[spatial].b;
    bool looks = x->node->op == &mi_op_input && (last == 1 || last == 3 || last == 4);
    if (spatial == 1)
        return x->node->op == &mi_op_input && last < d[0].b && last < reach;
    for (int i = 0; i < spatial; i++)
        looks = looks && d[i].b >= 8 && d[i].b <= 4 * d[0].b && d[0].b <= 4 * d[i].b;
    return looks;
}

static void fail_channels_last(struct mi_layer *layer, const mi_value *x, int spatial)
{
    static const char *const what[] = {"sequences", "images", "volumes"};
    struct mi_shape better = {.rank = spatial + 1, .dim = {x->shape.dim[spatial + 1]}};
    memcpy(better.dim + 1, x->shape.dim + 1, (size_t)spatial * sizeof *better.dim);
    mi_layer_fail(layer, MICA_SHAPE, "input has shape %s per sample; %s are channels first: %s", mi_layer_shape_text(layer, x),
                  what[spatial - 1], mi_shape_text(&layer->graph->arena, &better));
}

/* What a layer over so many axes takes, and that its padding is a word that there is. */
static bool input_fits(struct mi_layer *layer, const mi_value *x, const struct mi_window_fields *fields)
{
    static const char *const words[] = {"valid", "same", "explicit", NULL};
    static const char *const needs[] = {"(channels, length)", "(channels, height, width)", "(channels, depth, height, width)"};
    int spatial = layer->type->spatial;
    const char *padding = fields->padding;
    /* Every input is long enough for a transposed convolution. */
    int64_t reach = fields->beyond ? 0 : size_at(fields->size, 0, fields->size_default);
    if (x->shape.rank != spatial + 2)
        mi_layer_fail(layer, MICA_SHAPE, "input has shape %s per sample, needs %s", mi_layer_shape_text(layer, x),
                      needs[spatial - 1]);
    else if (looks_channels_last(x, spatial, reach))
        fail_channels_last(layer, x, spatial);
    else if (padding && !is_word(padding, "valid") && !is_word(padding, "same") && !is_word(padding, "explicit"))
        mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "there is no padding \"%s\"%s", mi_show(padding).text,
                      mi_advise(padding, words).text);
    else
        return true;
    return false;
}

/* Sets the sizes, and with `ends` what is added or left out at both ends of an axis. */
static bool resolve(struct mi_layer *layer, const mi_value *x, const struct mi_window_fields *fields, struct mi_window *out,
                    bool (*ends)(struct mi_layer *, struct mi_window *, int, int64_t, const struct mi_window_fields *))
{
    *out = (struct mi_window){.spatial = layer->type->spatial};
    if (!input_fits(layer, x, fields))
        return false;
    for (int i = 0; i < out->spatial; i++) {
        int64_t in = x->shape.dim[2 + i].b;
        out->size[i] = size_at(fields->size, i, fields->size_default);
        out->stride[i] = size_at(fields->stride, i, fields->size_default ? out->size[i] : 1);
        out->dilation[i] = size_at(fields->dilation, i, 1);
        if (!mi_layer_size(layer, fields->size_default ? "pool_size" : "kernel_size", out->size[i], 1) ||
            !mi_layer_size(layer, "strides", out->stride[i], 1) || !mi_layer_size(layer, "dilation_rate", out->dilation[i], 1) ||
            !mi_layer_size(layer, "an input's side", in, 0) || !ends(layer, out, i, in, fields))
            return false;
    }
    return true;
}

bool mi_window_resolve(struct mi_layer *layer, const mi_value *x, const struct mi_window_fields *fields, struct mi_window *out)
{
    return resolve(layer, x, fields, out, set_pads);
}

bool mi_window_resolve_transposed(struct mi_layer *layer, const mi_value *x, const struct mi_window_fields *fields,
                                  struct mi_window *out)
{
    return resolve(layer, x, fields, out, set_crop);
}

double mi_window_places(const struct mi_window *window)
{
    double places = 1;
    for (int i = 0; i < window->spatial; i++)
        places *= (double)window->size[i];
    return places;
}
