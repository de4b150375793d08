/* Activations: the rows of src/ops/activation.h in snake_case, and the softmaxes. */
#include "nn/layer.h"
#include "ops/activation.h"

#include <math.h>
#include <string.h>

enum { LONGEST = 40 };

/* Keras's defaults where they are not the operator's. */
static const struct {
    const char *type;
    float alpha;
} defaults[] = {{"leaky_relu", 0.2f}, {"elu", 1.0f}, {"hard_sigmoid", 1.0f / 6.0f}};

/* "LeakyRelu" -> "leaky_relu" */
static void snake_case(const char *name, char out[LONGEST])
{
    size_t at = 0;
    for (const char *c = name; *c && at + 2 < LONGEST; c++) {
        if (mi_to_lower(*c) != *c && c != name)
            out[at++] = '_';
        out[at++] = mi_to_lower(*c);
    }
    out[at] = 0;
}

/* The operators that are activations: the rows of src/ops/activation.h, and the two row kernels. */
#define NAME(id, defaults, expression, derivative) #id,
static const char *const operators[] = {MI_ACTIVATIONS(NAME) "Softmax", "LogSoftmax"};

static const struct mi_op *find(const struct mi_op *const *ops, const char *type)
{
    char name[LONGEST];
    for (size_t i = 0; i < MI_COUNT(operators); i++) {
        snake_case(operators[i], name);
        if (strcmp(name, type) == 0)
            return mi_op_find(ops, operators[i]);
    }
    return NULL;
}

bool mi_activation_exists(const struct mi_op *const *ops, const char *type)
{
    return strcmp(type, "linear") == 0 || find(ops, type) != NULL;
}

void mi_activation_names(struct mi_arena *arena, const char **names, size_t limit)
{
    char name[LONGEST];
    size_t count = 0;
    names[count++] = "linear";
    for (size_t i = 0; i < MI_COUNT(operators) && count + 1 < limit; i++) {
        snake_case(operators[i], name);
        names[count++] = mi_arena_format(arena, "%s", name);
    }
    names[count] = NULL;
}

static bool takes_alpha(const struct mi_op *op)
{
    return op->map && op->map->expr[0] && strstr(op->map->expr[0], "alpha") != NULL;
}

mi_value *mi_layer_activation(struct mi_layer *layer, mi_value *x, const char *type, float alpha, int64_t axis)
{
    if (!x || !type || strcmp(type, "linear") == 0)
        return x;
    const struct mi_op *op = find(layer->graph->ops, type);
    if (!op) {
        const char *names[128];
        mi_activation_names(&layer->graph->arena, names, MI_COUNT(names));
        return mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "there is no activation \"%s\"%s", mi_show(type).text,
                             mi_advise_term(false, type, names).text);
    }
    if (op->kind != MI_MAP) /* a softmax */
        return mi_apply(layer->graph, op->name, &x, 1, (const struct mi_attribute[]){MI_INT("axis", axis)}, 1);
    bool given = fpclassify(alpha) != FP_ZERO;
    if (given && !takes_alpha(op))
        return mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "%s takes no alpha", type);
    for (size_t i = 0; i < MI_COUNT(defaults) && !given; i++)
        if (strcmp(defaults[i].type, type) == 0) {
            alpha = defaults[i].alpha;
            given = true;
        }
    return mi_apply(layer->graph, op->name, &x, 1, (const struct mi_attribute[]){MI_REAL("alpha", alpha)}, given ? 1 : 0);
}

/* ---- The layer ---- */

static mi_value *build(struct mi_layer *layer, mi_value *const *x, int count, const void *given)
{
    (void)count;
    const mica_activation_desc *desc = given;
    if (!desc->type)
        return mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "the activation's type is missing");
    mi_value *y = mi_layer_activation(layer, x[0], desc->type, desc->alpha, -1);
    /* A node of its own, so that each layer has one. */
    return y == x[0] ? mi_op1(layer->graph, "Identity", y) : y;
}

static const char *stem(const void *desc)
{
    return ((const mica_activation_desc *)desc)->type;
}

static const struct mi_key keys[] = {
    MI_KEY_WITH(mica_activation_desc, "activation", MI_KEY_TEXT, type, .required = true),
    MI_KEY(mica_activation_desc, "alpha", MI_KEY_FLOAT, alpha),
    MI_KEY_WITH(mica_activation_desc, "negative_slope", MI_KEY_FLOAT, alpha, .alias = true),
    {0},
};

const struct mi_layer_type mi_layer_activation_row = {
    .type = "activation", .desc_size = sizeof(mica_activation_desc), .keys = keys, .min_inputs = 1, .max_inputs = 1,
    .build = build, .stem = stem};

mica_node *mica_activation(mica_node *x, const mica_activation_desc *desc)
{
    return mi_layer_add(&mi_layer_activation_row, &x, 1, desc);
}
