/* Compiling the steps of training and evaluation. */
#include "train/task.h"

#include "nn/optimizer/optimizer.h"
#include "tune/tune.h"
static struct mi_variable *accumulator(mica_model *model, const char *name)
{
    const struct mi_shape scalar = {.rank = 0};
    struct mi_variable *found = mi_variable_find(&model->variables, name);
    return found ? found : mi_variable_add(&model->variables, &model->device->error, name, MI_ACCUMULATOR, MI_FLOAT, &scalar,
                                           NULL);
}

static mica_status make_sums(struct mi_task_state *task)
{
    task->loss_sum = accumulator(task->model, "sum/loss");
    task->right = task->accuracy ? accumulator(task->model, "sum/accuracy") : NULL;
    return task->loss_sum && (task->right || !task->accuracy) ? MICA_OK : mi_out_of_memory(&task->model->device->error);
}

mica_status mi_task_begin(mica_model *model, mica_data *data, const char *loss, int from_logits, bool accuracy,
                          struct mi_task_state *task)
{
    MI_TRY(mi_task_check(&model->device->error, model, data, loss, from_logits, task));
    task->accuracy = accuracy && mi_task_has_accuracy(task);
    return make_sums(task);
}

mica_status mi_task_without_data(mica_model *model, const struct mi_loss *loss, enum mi_labels labels, bool accuracy,
                                 struct mi_task_state *task)
{
    *task = (struct mi_task_state){.model = model, .loss = *loss, .labels = labels, .accuracy = accuracy};
    MI_TRY(mi_model_check(model));
    MI_TRY(mi_task_check_output(&model->device->error, model->graph));
    return make_sums(task);
}

/* ---- Compiling ---- */

static mica_status accumulate(struct mi_graph *graph, struct mi_variable *variable, mi_value *sum)
{
    mi_assign(graph, variable, mi_op2(graph, "Add", mi_variable(graph, variable), sum));
    return graph->error.status;
}

static mica_status add_step(struct mi_task_state *task, struct mi_graph *graph, const struct mi_optimizer *optimizer)
{
    struct mi_loss_nodes nodes = {0};
    MI_TRY(mi_loss_add(graph, &task->loss, task->labels, &nodes));
    mi_value *right = task->accuracy ? mi_accuracy_add(graph, &task->loss, task->labels, &nodes) : NULL;
    MI_TRY(accumulate(graph, task->loss_sum, nodes.sum));
    if (task->accuracy)
        MI_TRY(accumulate(graph, task->right, right));
    graph->output_count = 0; /* a step's results are its sums */
    return optimizer ? mi_optimizer_add(task->model, graph, nodes.mean, optimizer, NULL) : MICA_OK;
}

mica_status mi_task_compile(struct mi_task_state *task, const struct mi_optimizer *optimizer, int64_t batch, mica_plan **plan)
{
    mica_device *device = task->model->device;
    struct mi_graph *graph = NULL;
    struct mi_store *store = NULL;
    *plan = NULL;
    MI_TRY(mi_model_graph(task->model, optimizer != NULL, &graph));
    mica_status status = mi_model_store(task->model, &store);
    if (status == MICA_OK)
        status = add_step(task, graph, optimizer);
    if (status != MICA_OK) {
        mi_error_report(&device->error, &graph->error);
        mi_graph_destroy(graph);
        return status;
    }
    struct mi_plan_desc desc = {.device = device, .store = store, .graph = graph, .batch = batch,
                                .engine = task->engine, .variant = task->variant, .choices = &task->model->choices,
                                .search = mi_tune, .described = task->described, .exact = task->model->exact};
    status = mi_plan_create(&desc, plan);
    if (!*plan)
        return mi_out_of_memory(&device->error);
    return status;
}
