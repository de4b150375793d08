/* Losses by name. A sample's loss is the mean over its outputs, a batch's the mean over its samples, as in Keras. */
#include "json/keys.h"
#include "nn/loss/loss.h"

#include <float.h>
#include <string.h>

#define EPSILON 1e-7f /* Keras's: probabilities are clipped to [EPSILON, 1 - EPSILON] */

static const struct mi_loss_row rows[] = {
    {"mean_squared_error", MI_VALUES, NULL, -FLT_MAX, FLT_MAX},
    {"binary_crossentropy", MI_BINARY, "Sigmoid", 0, 1},
    {"categorical_crossentropy", MI_CATEGORICAL, "Softmax", 0, 1},
    {"sparse_categorical_crossentropy", MI_SPARSE, "Softmax", 0, 0}, /* takes classes only */
};

/* The last is Keras's short form. */
const char *const mi_loss_names[] = {"mean_squared_error", "binary_crossentropy", "categorical_crossentropy",
                                     "sparse_categorical_crossentropy", "mse", NULL};

const struct mi_loss_row *mi_loss_find(const char *name)
{
    if (strcmp(name, "mse") == 0)
        name = "mean_squared_error";
    for (size_t i = 0; i < MI_COUNT(rows); i++)
        if (strcmp(rows[i].name, name) == 0)
            return &rows[i];
    return NULL;
}

/* ---- Choosing ---- */

static mica_status check_output(struct mi_error *error, const mi_value *output, const struct mi_loss_row *row)
{
    const char *last = mi_ending(output)->op->name;
    bool softmax = strcmp(last, "Softmax") == 0, sigmoid = strcmp(last, "Sigmoid") == 0;
    if (row->task == MI_BINARY && softmax)
        return mi_fail(error, MICA_INVALID_ARGUMENT, "loss %s: the last layer is a softmax; it needs a sigmoid or logits",
                       row->name);
    if ((row->task == MI_CATEGORICAL || row->task == MI_SPARSE) && sigmoid)
        return mi_fail(error, MICA_INVALID_ARGUMENT, "loss %s: the last layer is a sigmoid; it needs a softmax or logits",
                       row->name);
    if (row->task != MI_SPARSE && row->task != MI_CATEGORICAL)
        return MICA_OK;
    int rank = output->shape.rank;
    if (rank != 2)
        return mi_fail(error, MICA_SHAPE, "loss %s: the output has %d dimensions per sample, needs one: the classes",
                       row->name, rank - 1);
    if (output->shape.dim[1].b < 2)
        return mi_fail(error, MICA_SHAPE, "loss %s: the output has %lld class, needs at least 2 (one unit with a sigmoid "
                       "goes with binary_crossentropy)", row->name, (long long)output->shape.dim[1].b);
    return MICA_OK;
}

/* Whether the output is logits: as the caller says, else by what the network ends in. */
static mica_status choose_logits(struct mi_error *error, const struct mi_graph *graph, int from_logits, struct mi_loss *loss)
{
    bool shares = false;
    const char *last = mi_ending(mi_model_output(graph, NULL))->op->name;
    loss->from_logits = from_logits > 0;
    if (!loss->row->activation)
        return from_logits <= 0 ? MICA_OK
                                : mi_fail(error, MICA_INVALID_ARGUMENT, "from_logits goes with cross-entropies, not with %s",
                                          loss->row->name);
    if (from_logits > 0 && strcmp(last, loss->row->activation) == 0)
        return mi_fail(error, MICA_INVALID_ARGUMENT, "from_logits is true, but the last layer ends in a %s",
                       loss->row->task == MI_BINARY ? "sigmoid" : "softmax");
    if (from_logits == 0) {
        MI_TRY(mi_gives_shares(error, graph, &shares));
        loss->from_logits = !shares;
    }
    return MICA_OK;
}

mica_status mi_loss_choose(struct mi_error *error, const struct mi_graph *graph, const char *name, int from_logits,
                           struct mi_loss *loss)
{
    const mi_value *output = mi_model_output(graph, NULL);
    if (!name)
        return mi_fail(error, MICA_INVALID_ARGUMENT, "the loss is missing");
    loss->row = mi_loss_find(name);
    if (!loss->row) {
        return mi_fail(error, MICA_INVALID_ARGUMENT, "there is no loss \"%s\"%s", mi_show(name).text,
                       mi_advise_term(false, name, mi_loss_names).text);
    }
    if (!output)
        return mi_fail(error, MICA_INVALID_ARGUMENT, "loss %s: the model has no output", name);
    MI_TRY(check_output(error, output, loss->row));
    return choose_logits(error, graph, from_logits, loss);
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

/* ---- Losses ---- */

mi_value *mi_sum_of_means(struct mi_graph *graph, mi_value *each)
{
    int64_t axes[MI_MAX_RANK];
    int rank = each ? each->shape.rank : 0;
    for (int i = 1; i < rank; i++)
        axes[i - 1] = i;
    if (rank > 1)
        each = mi_apply(graph, "ReduceMean", (mi_value *const[]){each, mi_ints(graph, axes, rank - 1)}, 2,
                        (const struct mi_attribute[]){MI_INT("keepdims", 0)}, 1);
    return mi_apply(graph, "ReduceSum", &each, 1, (const struct mi_attribute[]){MI_INT("keepdims", 0)}, 1);
}

static mi_value *squared_error(struct mi_graph *graph, mi_value *output, mi_value *targets)
{
    return mi_sum_of_means(graph, mi_op2(graph, "SquaredError", output, targets));
}

static mi_value *binary(struct mi_graph *graph, mi_value *output, mi_value *targets, bool from_logits)
{
    if (from_logits)
        return mi_sum_of_means(graph, mi_op2(graph, "BinaryCrossEntropyWithLogits", output, targets));
    return mi_sum_of_means(graph, mi_apply(graph, "BinaryCrossEntropy", (mi_value *const[]){output, targets}, 2,
                                        (const struct mi_attribute[]){MI_REAL("epsilon", EPSILON)}, 1));
}

static mi_value *categorical(struct mi_graph *graph, mi_value *output, mi_value *targets, bool from_logits)
{
    mi_value *each = mi_apply(graph, "CategoricalCrossEntropy", (mi_value *const[]){output, targets}, 2,
                              (const struct mi_attribute[]){MI_INT("axis", 1), MI_INT("from_logits", from_logits),
                                                            MI_REAL("epsilon", EPSILON)}, 3);
    return mi_sum_of_means(graph, each);
}

static mi_value *sparse(struct mi_graph *graph, mi_value *output, mi_value *labels, bool from_logits)
{
    const struct mi_attribute sum = MI_TEXT("reduction", "sum");
    const char *op = from_logits ? "SoftmaxCrossEntropyLoss" : "NegativeLogLikelihoodLoss";
    if (!from_logits)
        output = mi_apply(graph, "LogProbability", &output, 1, (const struct mi_attribute[]){MI_REAL("epsilon", EPSILON)}, 1);
    return mi_apply(graph, op, (mi_value *const[]){output, labels}, 2, &sum, 1);
}

/* Where the output consists of a softmax or sigmoid, the loss is taken of what went in: the same number, without the
 * cancellation that probabilities near 0 and 1 suffer from. */
static mi_value *loss_argument(struct mi_graph *graph, mi_value *output, const struct mi_loss *loss, bool *from_logits)
{
    *from_logits = loss->from_logits;
    if (!loss->row->activation || loss->from_logits)
        return output;
    mi_value *logits = mi_logits_of(graph, output, loss->row->activation);
    *from_logits = logits != NULL;
    return logits ? logits : output;
}

mica_status mi_loss_add(struct mi_graph *graph, const struct mi_loss *loss, enum mi_labels labels,
                        struct mi_loss_nodes *nodes)
{
    bool from_logits;
    mi_value *output = nodes->output = mi_model_output(graph, NULL);
    if (loss->row->task == MI_SPARSE && labels != MI_LABELS_CLASSES)
        return mi_fail(&graph->error, MICA_DATA, "loss %s: the labels are values, it needs class indices", loss->row->name);
    graph->scope = "loss";
    nodes->labels = label_input(graph, output, labels);
    mi_value *argument = loss_argument(graph, output, loss, &from_logits), *targets = nodes->labels;
    bool as_sparse = loss->row->task == MI_SPARSE || (loss->row->task == MI_CATEGORICAL && labels == MI_LABELS_CLASSES);
    if (labels == MI_LABELS_CLASSES && !as_sparse)
        targets = class_values(graph, output, nodes->labels);
    if (as_sparse)
        nodes->sum = sparse(graph, argument, nodes->labels, from_logits);
    else if (loss->row->task == MI_BINARY)
        nodes->sum = binary(graph, argument, targets, from_logits);
    else if (loss->row->task == MI_CATEGORICAL)
        nodes->sum = categorical(graph, argument, targets, from_logits);
    else
        nodes->sum = squared_error(graph, argument, targets);
    nodes->mean = mi_apply(graph, "DivideByCount", &nodes->sum, 1,
                           (const struct mi_attribute[]){MI_INT("per_n", 1), MI_INT("fixed", 0)}, 2);
    graph->scope = NULL;
    return graph->error.status;
}
