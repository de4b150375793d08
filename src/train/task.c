/* Fitting model, data and loss together, and compiling the steps of training and evaluation. */
#include "train/task.h"
#include "train/optimizers.h"

#include <math.h>
#include <string.h>

static mica_status device_fail(mica_model *model, mica_status status, const char *text)
{
    return mi_fail(&model->device->error, status, "%s", text);
}

/* ---- Checks ---- */

static mica_status check_input(mica_model *model, mica_data *data)
{
    if (model->graph->input_count != 1) {
        mi_fail(&model->device->error, MICA_UNSUPPORTED, "the model has %zu inputs; training and evaluation feed one",
                model->graph->input_count);
        return MICA_UNSUPPORTED;
    }
    mica_shape wanted = mica_node_shape(model->graph->inputs[0]);
    if (wanted.rank == 0) /* one number a sample */
        return data->elements == 1 ? MICA_OK : device_fail(model, MICA_SHAPE, "the model takes one number a sample");
    return mi_data_reshape(data, &model->device->error, "the model's input", wanted);
}

static bool all_zero_or_one(const mica_data *data)
{
    size_t count = data->label_elements * (size_t)data->samples;
    for (size_t i = 0; i < count; i++)
        if (fpclassify(data->values[i]) != FP_ZERO && (data->values[i] < 1 || data->values[i] > 1))
            return false;
    return true;
}

/* Whether the labels are what the loss and the output take. */
static mica_status check_labels(struct mi_task_state *task, const mi_value *output)
{
    const mica_data *data = task->data;
    struct mi_error *error = &task->model->device->error;
    const char *name = task->loss.row->name;
    int64_t units = mi_shape_count(&output->shape, 1);
    if (!data->classes && !data->values)
        return mi_fail(error, MICA_DATA, "the data have no labels; loss %s needs them", name);
    if (data->values && task->loss.row->task == MI_SPARSE)
        return mi_fail(error, MICA_DATA, "the labels are values, loss %s needs class indices (whole numbers)",
                       name);
    if (data->values && (int64_t)data->label_elements != units)
        return mi_fail(error, MICA_SHAPE, "a label has %zu values, the model's output has %lld", data->label_elements,
                       (long long)units);
    if (!data->classes)
        return MICA_OK;
    int64_t classes = data->preprocess.classes, room = units == 1 ? 2 : units;
    if (task->loss.row->task == MI_BINARY && units > 1)
        return mi_fail(error, MICA_DATA, "loss %s: the labels are class indices, which take one output, not %lld; "
                       "sparse_categorical_crossentropy takes one a class", name, (long long)units);
    if (units > 1 && output->shape.rank != 2)
        return mi_fail(error, MICA_SHAPE, "labels are class indices, the output has %d dimensions per sample, needs one",
                       output->shape.rank - 1);
    if (classes > room)
        return mi_fail(error, MICA_DATA, "the data have %lld classes, the model's output has room for %lld",
                       (long long)classes, (long long)room);
    return MICA_OK;
}

/* Classes are right or wrong; so are values that are all 0 or 1, except for the shares of a softmax. */
static bool has_accuracy(const struct mi_task_state *task)
{
    if (task->labels == MI_LABELS_CLASSES)
        return true;
    return task->loss.row->task == MI_CATEGORICAL || task->loss.row->task == MI_BINARY || all_zero_or_one(task->data);
}

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
    *task = (struct mi_task_state){.model = model, .data = data};
    if (data->error.status != MICA_OK)
        return mi_error_report(&model->device->error, &data->error);
    MI_TRY(mi_model_check(model));
    struct mi_graph *graph = model->graph;
    MI_TRY(mi_loss_choose(&model->device->error, graph, loss, from_logits, &task->loss));
    MI_TRY(check_input(model, data));
    MI_TRY(check_labels(task, mi_model_output(graph, NULL)));
    task->labels = data->classes ? MI_LABELS_CLASSES : MI_LABELS_VALUES;
    task->accuracy = accuracy && has_accuracy(task);
    return make_sums(task);
}

mica_status mi_task_without_data(mica_model *model, const struct mi_loss *loss, enum mi_labels labels, bool accuracy,
                                 struct mi_task_state *task)
{
    *task = (struct mi_task_state){.model = model, .loss = *loss, .labels = labels, .accuracy = accuracy};
    MI_TRY(mi_model_check(model));
    return make_sums(task);
}

/* ---- Compiling ---- */

static mica_status accumulate(struct mi_graph *graph, struct mi_variable *variable, mi_value *sum)
{
    mi_assign(graph, variable, mi_op2(graph, "Add", mi_variable(graph, variable), sum));
    return graph->error.status;
}

static mica_status add_step(struct mi_task_state *task, struct mi_graph *graph, const mica_optimizer *optimizer)
{
    struct mi_loss_nodes nodes = {0};
    MI_TRY(mi_loss_add(graph, &task->loss, task->labels, &nodes));
    mi_value *right = task->accuracy ? mi_accuracy_add(graph, &task->loss, task->labels, &nodes) : NULL;
    MI_TRY(accumulate(graph, task->loss_sum, nodes.sum));
    if (task->accuracy)
        MI_TRY(accumulate(graph, task->right, right));
    graph->output_count = 0; /* a step's results are its sums */
    return optimizer ? mi_optimizer_add(task->model, graph, nodes.mean, optimizer) : MICA_OK;
}

mica_status mi_task_compile(struct mi_task_state *task, const mica_optimizer *optimizer, int64_t batch, mica_plan **plan)
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
                                .exact = task->model->exact};
    status = mi_plan_create(&desc, plan);
    if (!*plan)
        return mi_out_of_memory(&device->error);
    return status;
}
