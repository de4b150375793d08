/* Own kernels: the body from kernels/NAME.cl behind generated accessors, one item each. */
#include "emit/emit.h"

#include <string.h>

static const char *parameters(struct mi_emitter *e, int rank)
{
    const char *text = "";
    for (int i = 0; i < rank; i++)
        text = mi_arena_format(e->arena, "%s%si%d", text, i ? ", " : "", i);
    return text;
}

static const char *place_of(struct mi_emitter *e, const mi_value *value)
{
    struct mi_coordinate at[MI_MAX_RANK];
    for (int i = 0; i < value->shape.rank; i++)
        at[i] = (struct mi_coordinate){.at = mi_arena_format(e->arena, "(i%d)", i)};
    return mi_layout_place(e->arena, &e->tensors[value->id].layout, &value->shape, at);
}

static void define_dims(struct mi_emitter *e, struct mi_text *text, const char *what, int k, const mi_value *value)
{
    for (int d = 0; d < value->shape.rank; d++)
        mi_text_add(text, "#define MICA_%s%d_D%d %s\n", what, k, d, mi_dim_code(e->arena, value->shape.dim[d]));
}

static void define_attributes(struct mi_text *text, const struct mi_node *node)
{
    for (int i = 0; i < node->attributes; i++) {
        const struct mi_attribute *attribute = &node->attribute[i];
        if (attribute->type != MI_ATTRIBUTE_INT && attribute->type != MI_ATTRIBUTE_FLOAT)
            continue;
        mi_text_add(text, "#define MICA_");
        for (const char *c = attribute->name; *c; c++)
            mi_text_add(text, "%c", mi_to_upper(*c));
        if (attribute->type == MI_ATTRIBUTE_INT)
            mi_text_add(text, " %lld\n", (long long)attribute->i);
        else
            mi_text_add(text, " %af\n", (double)attribute->f);
    }
}

mica_status mi_emit_own(struct mi_emitter *e, struct mi_codes *codes)
{
    const struct mi_node *node = e->kernel->anchor;
    struct mi_text defines = {0};
    for (int k = 0; k < node->inputs; k++) {
        if (!node->in[k] || node->in[k]->node->op == &mi_op_constant)
            continue;
        int argument = mi_emit_argument(e, node->in[k], false);
        mi_text_add(&defines, "#define MICA_LOAD%d(%s) %s\n", k, parameters(e, node->in[k]->shape.rank),
                    mi_emit_element(e, node->in[k], argument, place_of(e, node->in[k])));
        define_dims(e, &defines, "IN", k, node->in[k]);
    }
    for (int k = 0; k < node->outputs; k++) {
        const char *comma = node->out[k]->shape.rank ? ", " : "";
        if (!e->tensors[node->out[k]->id].stored) { /* nobody reads it */
            mi_text_add(&defines, "#define MICA_STORE%d(value%s%s) (void)0\n", k, comma, parameters(e, node->out[k]->shape.rank));
            continue;
        }
        int argument = mi_emit_argument(e, node->out[k], true);
        mi_text_add(&defines, "#define MICA_STORE%d(value%s%s) %s\n", k, comma, parameters(e, node->out[k]->shape.rank),
                    mi_emit_assignment(e, node->out[k], argument, place_of(e, node->out[k]), "(value)"));
        mi_text_add(&defines, "#define MICA_GET%d(%s) %s\n", k, parameters(e, node->out[k]->shape.rank),
                    mi_emit_element(e, node->out[k], argument, place_of(e, node->out[k])));
        define_dims(e, &defines, "OUT", k, node->out[k]);
    }
    define_attributes(&defines, node);
    if (mi_draws(node))
        mi_text_add(&defines, "#define MICA_STREAM %s\n", mi_emit_stream(e, node));
    struct mi_dim items = node->op->items(node);
    const char *file = mi_arena_format(e->arena, "%s.cl", node->op->own);
    if (node->op->tools)
        mi_add_file(&defines, mi_arena_format(e->arena, "%s.cl", node->op->tools), NULL, NULL, 0);
    const char *name = mi_arena_format(e->arena, "mica_%s", node->op->name);
    mi_text_add(&defines, "#define MICA_ITEMS %s\n", mi_dim_code(e->arena, items));
    return mi_emit_file(e, file, name, &defines, NULL, NULL, 0, mi_grid_of_items(e->device, mi_dim_at(items, e->batch)),
                        codes);
}
