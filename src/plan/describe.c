/* A plan as JSON, for inspect. */
#include "plan/inside.h"

#include <cjson/cJSON.h>
#include <stdlib.h>

/* A description in the making; once something could not be added it is of no use. */
struct description {
    const struct mica_plan *plan;
    struct mi_arena scratch;
    bool failed;
};

/* Adds an item to an object, or (key NULL) to an array, and gives it back; NULL where that fails, and the item is gone. */
static cJSON *add(struct description *d, cJSON *to, const char *key, cJSON *item)
{
    if (to && item && (key ? cJSON_AddItemToObject(to, key, item) : cJSON_AddItemToArray(to, item)))
        return item;
    cJSON_Delete(item);
    d->failed = true;
    return NULL;
}

static void add_text(struct description *d, cJSON *to, const char *key, const char *text)
{
    add(d, to, key, cJSON_CreateString(text));
}

static void add_work(struct description *d, const struct mi_kernel *kernel, cJSON *nodes, cJSON *outputs)
{
    for (int m = 0; m < kernel->count; m++) {
        const struct mi_node *node = kernel->nodes[m];
        const char *of = node->of ? mi_arena_format(&d->scratch, "%s'", node->of->name) : node->op->name;
        add_text(d, nodes, NULL, mi_arena_format(&d->scratch, "%s \"%s\"", of, node->name));
    }
    for (int o = 0; o < kernel->outs; o++) {
        const mi_value *value = kernel->out[o];
        const struct mi_layout *layout = &d->plan->tensors[value->id].layout;
        add_text(d, outputs, NULL, mi_arena_format(&d->scratch, "%s %s %s", mi_types[value->type].name,
                                                   mi_shape_text(&d->scratch, &value->shape),
                                                   mi_layout_text(&d->scratch, layout, value->shape.rank)));
    }
}

static void add_kernel(struct description *d, const struct mi_action *action, bool with_source, cJSON *list)
{
    const struct mica_plan *plan = d->plan;
    const struct mi_kernel *kernel = &plan->kernels.list[action->kernel];
    int rows = plan->rows[kernel->repeat];
    cJSON *object = add(d, list, NULL, cJSON_CreateObject());
    cJSON *nodes = add(d, object, "nodes", cJSON_CreateArray()), *outputs = add(d, object, "stores", cJSON_CreateArray());
    add_text(d, object, "kernel", action->code->name);
    add_text(d, object, "engine", mi_kernel_engine(plan, kernel));
    for (size_t k = 0; k < plan->kernels.count; k++)
        if ((int)k == action->kernel || (rows && plan->kernels.list[k].repeat == kernel->repeat))
            add_work(d, &plan->kernels.list[k], nodes, outputs);
    if (rows)
        add(d, object, "rows", cJSON_CreateNumber(rows));
    if (kernel->repeat)
        add(d, object, "turns", cJSON_CreateNumber((double)mi_turns_of(plan, kernel)));
    if (with_source && action->code->source)
        add_text(d, object, "source", action->code->source);
}

static void add_operators(struct description *d, cJSON *list)
{
    const struct mi_graph *graph = d->plan->graph;
    for (size_t i = 0; i < graph->node_count; i++) {
        const struct mi_node *node = graph->nodes[i];
        if (node->op == &mi_op_constant || !node->outputs)
            continue;
        cJSON *object = add(d, list, NULL, cJSON_CreateObject());
        add_text(d, object, "operator", node->op->name);
        add_text(d, object, "name", node->variable ? node->variable->name : node->name);
        add_text(d, object, "shape", mi_shape_text(&d->scratch, &node->out[0]->shape));
    }
}

static void add_bytes(struct description *d, cJSON *bytes)
{
    const struct mi_store *store = d->plan->store;
    const struct { const char *key; uint64_t bytes; } rows[] = {
        {"parameters", mi_store_bytes(store, MI_PARAMETER)}, {"other_variables", mi_store_bytes(store, MI_STATISTIC)},
        {"gradients", mi_store_bytes(store, MI_GRADIENT)},   {"moments", mi_store_bytes(store, MI_MOMENT)},
        {"activations", d->plan->activation_bytes},          {"states", d->plan->state_bytes}};
    for (size_t i = 0; i < MI_COUNT(rows); i++)
        add(d, bytes, rows[i].key, cJSON_CreateNumber((double)rows[i].bytes));
}

mica_status mi_plan_describe(const struct mica_plan *plan, bool with_source, struct mi_text *out)
{
    struct description d = {.plan = plan};
    cJSON *object = cJSON_CreateObject();
    add_operators(&d, add(&d, object, "operators", cJSON_CreateArray()));
    cJSON *kernels = add(&d, object, "kernels", cJSON_CreateArray());
    for (size_t i = 0; i < plan->action_count; i++)
        add_kernel(&d, &plan->actions[i], with_source, kernels);
    add(&d, object, "launches", cJSON_CreateNumber(mica_plan_launches(plan)));
    add_bytes(&d, add(&d, object, "bytes", cJSON_CreateObject()));
    add(&d, object, "peak_bytes", cJSON_CreateNumber((double)mica_plan_peak_bytes(plan)));
    bool good = !d.failed && !d.scratch.failed;
    char *text = good ? mi_json_write(object, true) : NULL;
    cJSON_Delete(object);
    mi_arena_destroy(&d.scratch);
    if (!text)
        return MICA_OUT_OF_MEMORY;
    mi_text_add(out, "%s", text);
    cJSON_free(text);
    return out->failed ? MICA_OUT_OF_MEMORY : MICA_OK;
}
