/* Dense layers whose product is an equation, as Keras's EinsumDense. */
#include "nn/layer.h"
#include "ops/equation.h"

#include <string.h>

/* ---- The equation ---- */

/* -1: there are none, 0: in front, 1: behind. */
static int place_of_dots(const struct mi_term *term)
{
    return term->dots > 0 ? 1 : term->dots;
}

/* "...x,xy->...y" of the input and the kernel, with a batch that stays first. */
static bool read_equation(struct mi_layer *layer, const char *text, struct mi_equation *equation)
{
    struct mi_error error = {0};
    if (!text)
        mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "equation is missing");
    else if (mi_equation_parse(&error, text, equation) != MICA_OK)
        mi_layer_fail(layer, error.status, "%s", error.text);
    else if (equation->operands != 2 || !strstr(text, "->"))
        mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "equation \"%s\": it has an input, a kernel and a result: \"abc,cd->abd\"",
                      mi_show(text).text);
    else if (equation->operand[1].dots >= 0)
        mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "equation \"%s\": the kernel's term has no \"...\"", mi_show(text).text);
    else if (place_of_dots(&equation->operand[0]) != place_of_dots(&equation->result))
        mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "equation \"%s\": \"...\" stands at another place of the result",
                      mi_show(text).text);
    else
        return true;
    return false;
}

/* How many axes of x "..." stands for; -1: they do not fit. */
static int dots_of(struct mi_layer *layer, const mi_value *x, const struct mi_equation *equation)
{
    const struct mi_term *in = &equation->operand[0];
    int dots = x->shape.rank - in->count;
    if (in->dots < 0 ? dots == 0 : dots >= (in->dots == 0) && dots + equation->result.count <= MI_MAX_RANK)
        return dots;
    mi_layer_fail(layer, MICA_SHAPE, "input has shape %s per sample, with the batch %d axes, the equation names %s%d",
                  mi_layer_shape_text(layer, x), x->shape.rank, in->dots < 0 ? "" : "at least ", in->count + (in->dots == 0));
    return -1;
}

/* Whether the batch, x's first axis, is the result's first. */
static bool keeps_batch(struct mi_layer *layer, const struct mi_equation *equation)
{
    const struct mi_term *in = &equation->operand[0], *out = &equation->result;
    if (in->dots == 0 || (in->count && out->count && in->letter[0] == out->letter[0] &&
                          mi_term_find(&equation->operand[1], in->letter[0]) < 0))
        return true;
    mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "the equation must keep the input's first axis, the batch, as the first");
    return false;
}

/* ---- Sizes ---- */

/* Sizes of letters: those of x, and of the result's others what output_shape says. 0: not known. */
static bool find_sizes(struct mi_layer *layer, const mi_value *x, const struct mi_equation *equation, int dots,
                       const mica_shape *wanted, int64_t size[128])
{
    const struct mi_term *in = &equation->operand[0], *out = &equation->result;
    int skipped = out->dots != 0; /* the batch, which output_shape leaves out */
    for (int i = skipped; i < in->count; i++)
        size[(int)in->letter[i]] = x->shape.dim[i + (in->dots >= 0 && i >= in->dots ? dots : 0)].b;
    if (wanted->rank != out->count - skipped) {
        mi_layer_fail(layer, MICA_SHAPE, "output_shape has %d dimensions, the equation's result names %d beside %s", wanted->rank,
                      out->count - skipped, skipped ? "the batch" : "\"...\"");
        return false;
    }
    for (int i = skipped; i < out->count; i++) {
        int64_t given = wanted->dim[i - skipped], *known = &size[(int)out->letter[i]];
        if (given < -1 || given > MI_MOST_SIZE || (given > 0 && *known && *known != given)) {
            mi_layer_fail(layer, MICA_SHAPE, "output_shape says %lld for %c%s", (long long)given, out->letter[i],
                          *known ? mi_arena_format(&layer->graph->arena, ", the input %lld", (long long)*known) : "");
            return false;
        }
        *known = *known ? *known : given > 0 ? given : 0;
    }
    return true;
}

/* Keras's fans of a kernel by its shape: the last two axes, times all before them. */
static void set_fans(struct mi_parameter *parameter)
{
    double before = 1;
    for (int i = 0; i < parameter->rank - 2; i++)
        before *= (double)parameter->dim[i];
    parameter->fan_out = parameter->rank ? before * (double)parameter->dim[parameter->rank - 1] : 1;
    parameter->fan_in = parameter->rank > 1 ? before * (double)parameter->dim[parameter->rank - 2] : parameter->fan_out;
}

static mi_value *add_kernel(struct mi_layer *layer, const struct mi_term *term, const int64_t size[128],
                            const mica_parameter_desc *desc)
{
    struct mi_parameter kernel = {.name = "weight", .rank = term->count, .desc = desc, .inputs_first = true,
                                  .otherwise = "glorot_uniform"};
    for (int i = 0; i < term->count; i++) {
        kernel.dim[i] = size[(int)term->letter[i]];
        if (kernel.dim[i] < 1)
            return mi_layer_fail(layer, MICA_SHAPE, "the size of %c is not known: neither the input nor output_shape says it",
                                 term->letter[i]);
    }
    set_fans(&kernel);
    return mi_layer_parameter(layer, &kernel);
}

/* A bias with an axis for each letter of bias_axes, in the result's order; y + bias. */
static mi_value *add_bias(struct mi_layer *layer, mi_value *y, const struct mi_term *out, int dots,
                          const mica_einsum_dense_desc *desc)
{
    struct mi_parameter bias = {.name = "bias", .desc = &desc->bias, .inputs_first = true, .otherwise = "zeros"};
    int64_t beside[MI_MAX_RANK];
    for (int i = 0; i < y->shape.rank; i++)
        beside[i] = 1;
    for (int i = 0; i < out->count; i++) {
        int at = i + (out->dots >= 0 && i >= out->dots ? dots : 0);
        if (at > 0 && strchr(desc->bias_axes, out->letter[i]))
            beside[at] = bias.dim[bias.rank++] = y->shape.dim[at].b;
    }
    if (bias.rank == 0 || (size_t)bias.rank != strlen(desc->bias_axes))
        return mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "bias_axes \"%s\" must name axes of the result, without the batch",
                             mi_show(desc->bias_axes).text);
    set_fans(&bias);
    mi_value *value = mi_layer_parameter(layer, &bias);
    return mi_op2(layer->graph, "Add", y, mi_op2(layer->graph, "Reshape", value, mi_ints(layer->graph, beside, y->shape.rank)));
}

/* ---- The row ---- */

static mi_value *build(struct mi_layer *layer, mi_value *const *x, int count, const void *given)
{
    (void)count;
    const mica_einsum_dense_desc *desc = given;
    struct mi_equation equation;
    int64_t size[128] = {0};
    if (!read_equation(layer, desc->equation, &equation))
        return NULL;
    int dots = dots_of(layer, x[0], &equation);
    if (dots < 0 || !keeps_batch(layer, &equation) || !find_sizes(layer, x[0], &equation, dots, &desc->output_shape, size))
        return NULL;
    mi_value *kernel = add_kernel(layer, &equation.operand[1], size, &desc->kernel);
    if (!kernel)
        return NULL;
    mi_value *y = mi_apply(layer->graph, "Einsum", (mi_value *const[]){x[0], kernel}, 2,
                           (const struct mi_attribute[]){MI_TEXT("equation", desc->equation)}, 1);
    if (y && desc->bias_axes)
        y = add_bias(layer, y, &equation.result, dots, desc);
    return mi_layer_activation(layer, y, desc->activation, 0, -1);
}

static const struct mi_key keys[] = {
    MI_KEY_WITH(mica_einsum_dense_desc, "equation", MI_KEY_TEXT, equation, .required = true),
    MI_KEY_WITH(mica_einsum_dense_desc, "output_shape", MI_KEY_SHAPE, output_shape, .required = true, MI_KEY_AT_LEAST(-1)),
    MI_KEY(mica_einsum_dense_desc, "activation", MI_KEY_TEXT, activation),
    MI_KEY(mica_einsum_dense_desc, "bias_axes", MI_KEY_TEXT, bias_axes),
    MI_PARAMETER_KEYS(mica_einsum_dense_desc, kernel),
    MI_PARAMETER_KEYS(mica_einsum_dense_desc, bias),
    {0},
};

const struct mi_layer_type mi_layer_einsum_dense = {
    .type = "einsum_dense", .desc_size = sizeof(mica_einsum_dense_desc), .keys = keys, .min_inputs = 1, .max_inputs = 1,
    .build = build};

mica_node *mica_einsum_dense(mica_node *x, const mica_einsum_dense_desc *desc)
{
    return mi_layer_add(&mi_layer_einsum_dense, &x, 1, desc);
}
