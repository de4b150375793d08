/* Shapes of samples: counting, comparing, naming; and text of files in errors. */
#include "data/data.h"

#include <string.h>

/* More elements than this in a sample are a mistake, and products of two such numbers still fit 64 bits. */
#define MOST_ELEMENTS ((size_t)1 << 31)

bool mi_sample_elements(const mica_shape *shape, size_t *elements)
{
    size_t product = 1;
    if (shape->rank < 1 || shape->rank > MICA_MAX_RANK)
        return false;
    for (int i = 0; i < shape->rank; i++) {
        if (shape->dim[i] < 1 || (uint64_t)shape->dim[i] > MOST_ELEMENTS ||
            !mi_mul_size(product, (size_t)shape->dim[i], &product) || product > MOST_ELEMENTS)
            return false;
    }
    *elements = product;
    return true;
}

struct mi_shape_text mi_sample_text(const mica_shape *shape)
{
    struct mi_shape_text out = {"["};
    size_t used = 1;
    for (int i = 0; i < shape->rank && i < MICA_MAX_RANK; i++) {
        int more = mi_format(out.text + used, sizeof out.text - used, "%s%lld", i ? ", " : "",
                            (long long)shape->dim[i]);
        used += more > 0 ? (size_t)more : 0;
    }
    mi_format(out.text + used, sizeof out.text - used, "]");
    return out;
}

bool mi_sample_same(const mica_shape *a, const mica_shape *b)
{
    if (a->rank != b->rank)
        return false;
    for (int i = 0; i < a->rank; i++)
        if (a->dim[i] != b->dim[i])
            return false;
    return true;
}

/* The same with the last dimension, the channels, in front. */
static mica_shape channels_first(const mica_shape *shape)
{
    mica_shape turned = *shape;
    for (int i = 1; i < shape->rank; i++)
        turned.dim[i] = shape->dim[i - 1];
    turned.dim[0] = shape->dim[shape->rank - 1];
    return turned;
}

/* Height, width, channels: few channels, behind. */
static bool looks_channels_last(const mica_shape *shape)
{
    return shape->rank == 3 && shape->dim[2] <= 4 && shape->dim[0] > 4 && shape->dim[1] > 4;
}

/* Whether `first` is `last` with its channels, more than one, brought to the front. */
static bool is_turned(const mica_shape *last, const mica_shape *first)
{
    if (last->rank < 3 || last->dim[last->rank - 1] == 1 || mi_sample_same(last, first))
        return false;
    mica_shape turned = channels_first(last);
    return mi_sample_same(&turned, first);
}

mica_status mi_sample_reshape(struct mi_error *error, const char *place, const mica_shape *from,
                              const mica_shape *to)
{
    size_t have = 0, want = 0;
    if (!mi_sample_elements(to, &want))
        return mi_fail(error, MICA_SHAPE, "%s: the sample shape %s needs dimensions of 1 or more, and 2^31 "
                       "elements at most", place, mi_sample_text(to).text);
    if (is_turned(from, to))
        return mi_fail(error, MICA_SHAPE, "%s: the samples %s have their channels last, the shape %s has "
                       "them first; store them channels first", place, mi_sample_text(from).text,
                       mi_sample_text(to).text);
    if (is_turned(to, from))
        return mi_fail(error, MICA_SHAPE, "%s: images are channels first: %s, not %s", place,
                       mi_sample_text(from).text, mi_sample_text(to).text);
    if (mi_sample_elements(from, &have) && have == want)
        return MICA_OK;
    const mica_shape *odd = looks_channels_last(from) ? from : to;
    if (looks_channels_last(odd)) {
        mica_shape better = channels_first(odd);
        return mi_fail(error, MICA_SHAPE, "%s: a sample has shape %s, not %s; images are channels first: %s, "
                       "not %s", place, mi_sample_text(from).text, mi_sample_text(to).text,
                       mi_sample_text(&better).text, mi_sample_text(odd).text);
    }
    return mi_fail(error, MICA_SHAPE, "%s: a sample has shape %s (%zu elements), not %s (%zu elements)",
                   place, mi_sample_text(from).text, have, mi_sample_text(to).text, want);
}
