/* The loss that training adds behind a model's output, and the input of its labels. */
#include "nn/loss/loss.h"

mica_status mi_loss_choose(struct mi_error *error, const struct mi_graph *graph, const char *name, int from_logits,
                           struct mi_loss *loss)
{
    const mi_value *output = mi_model_output(graph, NULL);
    if (!name)
        return mi_fail(error, MICA_INVALID_ARGUMENT, "the loss is missing");
    loss->row = mi_loss_find(name);
    if (!loss->row)
        return mi_fail(error, MICA_INVALID_ARGUMENT, "there is no loss \"%s\"%s", mi_show(name).text,
                       mi_advise_term(false, name, mi_loss_names).text);
    if (!output)
        return mi_fail(error, MICA_INVALID_ARGUMENT, "loss %s: the model has no output", name);
    MI_TRY(mi_model_check_samples(error, output));
    return mi_loss_check(error, output, from_logits, loss);
}

/* ---- Labels ---- */

/* Classes (n) as the values that an output of shape (n, C) should have: one-hot, or the number itself where C is 1. */
static mi_value *class_values(struct mi_graph *graph, const mi_value *output, mi_value *labels)
{
    const struct mi_attribute to_float = MI_INT("to", MI_FLOAT);
    struct mi_shape sample = output->shape;
    int64_t column[MI_MAX_RANK] = {0};
    for (int i = 1; i < sample.rank; i++)
        column[i] = 1;
    mi_value *wide = mi_op2(graph, "Reshape", labels, mi_ints(graph, column, sample.rank));
    if (mi_shape_count(&sample, 1) == 1)
        return mi_apply(graph, "Cast", &wide, 1, &to_float, 1);
    if (sample.rank != 2) {
        mi_fail(&graph->error, MICA_SHAPE, "labels are class indices, the output has shape %s: they need a row of classes",
                mi_shape_text(&graph->arena, &sample));
        return NULL;
    }
    mi_value *shape_giver = mi_model_output(graph, NULL);
    mi_value *index = mi_apply(graph, "Index", &shape_giver, 1, (const struct mi_attribute[]){MI_INT("axis", 1)}, 1);
    mi_value *hot = mi_op2(graph, "Equal", index, wide);
    return mi_apply(graph, "Cast", &hot, 1, &to_float, 1);
}

static mi_value *label_input(struct mi_graph *graph, const mi_value *output, enum mi_labels labels)
{
    struct mi_shape rows_only = {.rank = 1, .dim = {mi_batch()}};
    if (labels == MI_LABELS_CLASSES)
        return mi_input(graph, "labels", MI_INT32, &rows_only);
    return mi_input(graph, "labels", MI_FLOAT, &output->shape);
}
/* ---- The loss ---- */

mica_status mi_loss_add(struct mi_graph *graph, const struct mi_loss *loss, enum mi_labels labels,
                        struct mi_loss_nodes *nodes)
{
    const struct mi_loss_row *row = loss->row;
    mi_value *output = nodes->output = mi_model_output(graph, NULL);
    if (row->task == MI_SPARSE && labels != MI_LABELS_CLASSES)
        return mi_fail(&graph->error, MICA_DATA, "loss %s: the labels are values, it needs class indices", row->layer.type);
    graph->scope = "loss";
    mi_value *targets = nodes->labels = label_input(graph, output, labels);
    struct mi_loss taken = *loss;
    if (row->task == MI_CATEGORICAL && labels == MI_LABELS_CLASSES)
        taken.row = mi_loss_find("sparse_categorical_crossentropy"); /* the same number, without the zeros */
    else if (row->task != MI_SPARSE && labels == MI_LABELS_CLASSES)
        targets = class_values(graph, output, nodes->labels);
    mi_value *each = mi_loss_each(graph, &taken, output, targets);
    nodes->sum = mi_apply(graph, "ReduceSum", &each, 1, (const struct mi_attribute[]){MI_INT("keepdims", 0)}, 1);
    nodes->mean = mi_apply(graph, "DivideByCount", &nodes->sum, 1,
                           (const struct mi_attribute[]){MI_INT("per_n", 1), MI_INT("fixed", 0)}, 2);
    graph->scope = NULL;
    return graph->error.status;
}
