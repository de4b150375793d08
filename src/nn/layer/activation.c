/* Activations by name, as a layer and as what other layers end in. */
#include "nn/layer/activation.h"

#include <math.h>
#include <string.h>

#define LIST(id) &mi_layer_##id,
static const struct mi_layer_type *const rows[] = {MI_ACTIVATION_LAYERS(LIST) NULL};

/* The row of that name; NULL: there is none. */
static const struct mi_layer_type *find(const char *name)
{
    const struct mi_layer_type *const *row = rows;
    while (*row && !mi_layer_is_called(*row, name))
        row++;
    return *row;
}

bool mi_activation_exists(const char *name)
{
    return find(name) != NULL;
}

void mi_activation_names(const char **names, size_t limit)
{
    size_t count = 0;
    for (; rows[count] && count + 1 < limit; count++)
        names[count] = rows[count]->type;
    names[count] = NULL;
}

/* Where a descriptor has the key; NULL: it has none. */
static void *field(const struct mi_layer_type *row, char *desc, const char *key)
{
    for (const struct mi_key *at = row->keys; at->name; at++)
        if (strcmp(at->name, key) == 0)
            return desc + at->offset;
    return NULL;
}

mi_value *mi_layer_activation(struct mi_layer *layer, mi_value *x, const char *name, float alpha, int64_t axis)
{
    if (!x || !name || strcmp(name, "linear") == 0)
        return x;
    const struct mi_layer_type *row = find(name);
    const char *names[128];
    mi_activation_names(names, MI_COUNT(names));
    if (!row)
        return mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "there is no activation \"%s\"%s", mi_show(name).text,
                             mi_advise_term(false, name, names).text);
    char *desc = mi_arena_new(&layer->graph->arena, 1, row->desc_size);
    float *number = desc ? field(row, desc, "alpha") : NULL;
    int *along = desc ? field(row, desc, "axis") : NULL;
    if (!desc)
        return mi_layer_fail(layer, MICA_OUT_OF_MEMORY, "the host is out of memory");
    if (fpclassify(alpha) != FP_ZERO && !number)
        return mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "%s takes no alpha", name);
    if (number)
        *number = alpha;
    if (along)
        *along = (int)axis;
    return row->build(layer, &x, 1, desc);
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
    .keeps_steps = true, .build = build, .stem = stem};

mica_node *mica_activation(mica_node *x, const mica_activation_desc *desc)
{
    return mi_layer_add(&mi_layer_activation_row, &x, 1, desc);
}
