/* A plan as JSON, for inspect. */
#include "compile/compile.h"

#include <cjson/cJSON.h>
#include <stdlib.h>

static void add_kernels(const struct mica_plan *plan, bool with_source, cJSON *list)
{
    struct mi_arena scratch = {0};
    for (size_t i = 0; i < plan->action_count; i++) {
        const struct mi_action *action = &plan->actions[i];
        const struct mi_kernel *kernel = &plan->kernels.list[action->kernel];
        cJSON *object = cJSON_CreateObject(), *nodes = cJSON_AddArrayToObject(object, "nodes");
        cJSON *outputs = cJSON_AddArrayToObject(object, "stores");
        cJSON_AddStringToObject(object, "kernel", action->code->name);
        cJSON_AddStringToObject(object, "engine", kernel->engine ? kernel->engine->name : kernel->anchor ? "own" : "nest");
        for (int m = 0; m < kernel->count; m++) {
            const struct mi_node *node = kernel->nodes[m];
            const char *of = node->of ? mi_arena_format(&scratch, "%s'", node->of->name) : node->op->name;
            cJSON_AddItemToArray(nodes, cJSON_CreateString(mi_arena_format(&scratch, "%s \"%s\"", of, node->name)));
        }
        for (int o = 0; o < kernel->outs; o++) {
            const mi_value *value = kernel->out[o];
            const struct mi_layout *layout = &plan->tensors[value->id].layout;
            cJSON_AddItemToArray(outputs, cJSON_CreateString(mi_arena_format(
                &scratch, "%s %s %s", mi_types[value->type].name, mi_shape_text(&scratch, &value->shape),
                mi_layout_text(&scratch, layout, value->shape.rank))));
        }
        if (with_source && action->code->source)
            cJSON_AddStringToObject(object, "source", action->code->source);
        cJSON_AddItemToArray(list, object);
    }
    mi_arena_destroy(&scratch);
}

static void add_operators(const struct mica_plan *plan, cJSON *list)
{
    struct mi_arena scratch = {0};
    for (size_t i = 0; i < plan->graph->node_count; i++) {
        const struct mi_node *node = plan->graph->nodes[i];
        if (node->op == &mi_op_constant || !node->outputs)
            continue;
        cJSON *object = cJSON_CreateObject();
        cJSON_AddStringToObject(object, "operator", node->op->name);
        cJSON_AddStringToObject(object, "name", node->variable ? node->variable->name : node->name);
        cJSON_AddStringToObject(object, "shape", mi_shape_text(&scratch, &node->out[0]->shape));
        cJSON_AddItemToArray(list, object);
    }
    mi_arena_destroy(&scratch);
}

mica_status mi_plan_describe(const struct mica_plan *plan, bool with_source, struct mi_text *out)
{
    cJSON *object = cJSON_CreateObject(), *bytes;
    add_operators(plan, cJSON_AddArrayToObject(object, "operators"));
    add_kernels(plan, with_source, cJSON_AddArrayToObject(object, "kernels"));
    cJSON_AddNumberToObject(object, "launches", (double)plan->action_count);
    bytes = cJSON_AddObjectToObject(object, "bytes");
    cJSON_AddNumberToObject(bytes, "parameters", (double)mi_store_bytes(plan->store, MI_PARAMETER));
    cJSON_AddNumberToObject(bytes, "other_variables", (double)mi_store_bytes(plan->store, MI_STATISTIC));
    cJSON_AddNumberToObject(bytes, "gradients", (double)mi_store_bytes(plan->store, MI_GRADIENT));
    cJSON_AddNumberToObject(bytes, "moments", (double)mi_store_bytes(plan->store, MI_MOMENT));
    cJSON_AddNumberToObject(bytes, "activations", (double)plan->activation_bytes);
    cJSON_AddNumberToObject(object, "peak_bytes", (double)mica_plan_peak_bytes(plan));
    char *text = cJSON_Print(object);
    cJSON_Delete(object);
    if (!text)
        return MICA_OUT_OF_MEMORY;
    mi_text_add(out, "%s", text);
    cJSON_free(text);
    return out->failed ? MICA_OUT_OF_MEMORY : MICA_OK;
}
