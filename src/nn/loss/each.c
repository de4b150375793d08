/* What a loss takes, and the number of each sample. */
#include "nn/loss/loss.h"

#include <string.h>

mi_value *mi_mean_of_sample(struct mi_graph *graph, mi_value *each)
{
    int64_t axes[MI_MAX_RANK];
    int rank = each ? each->shape.rank : 0;
    for (int i = 1; i < rank; i++)
        axes[i - 1] = i;
    if (rank < 2)
        return each;
    return mi_apply(graph, "ReduceMean", (mi_value *const[]){each, mi_ints(graph, axes, rank - 1)}, 2,
                    (const struct mi_attribute[]){MI_INT("keepdims", 0)}, 1);
}

/* ---- Checking ---- */

static mica_status check_classes(struct mi_error *error, const mi_value *y, const char *name)
{
    int rank = y->shape.rank;
    if (rank != 2)
        return mi_fail(error, MICA_SHAPE, "loss %s: the output has %d dimensions per sample, needs one: the classes", name,
                       rank - 1);
    if (y->shape.dim[1].b < 2)
        return mi_fail(error, MICA_SHAPE, "loss %s: the output has %lld class, needs at least 2 (one unit with a sigmoid "
                       "goes with binary_crossentropy)", name, (long long)y->shape.dim[1].b);
    return MICA_OK;
}

static mica_status check_output(struct mi_error *error, const mi_value *y, const struct mi_loss_row *row)
{
    const char *last = mi_ending(y)->op->name;
    bool softmax = strcmp(last, "Softmax") == 0, sigmoid = strcmp(last, "Sigmoid") == 0;
    bool classes = row->task == MI_CATEGORICAL || row->task == MI_SPARSE;
    if (row->task == MI_BINARY && softmax)
        return mi_fail(error, MICA_INVALID_ARGUMENT, "loss %s: the last layer is a softmax; it needs a sigmoid or logits",
                       row->layer.type);
    if (classes && sigmoid)
        return mi_fail(error, MICA_INVALID_ARGUMENT, "loss %s: the last layer is a sigmoid; it needs a softmax or logits",
                       row->layer.type);
    return classes ? check_classes(error, y, row->layer.type) : MICA_OK;
}

mica_status mi_loss_check(struct mi_error *error, const mi_value *y, int from_logits, struct mi_loss *loss)
{
    const struct mi_loss_row *row = loss->row;
    bool shares = false;
    MI_TRY(check_output(error, y, row));
    loss->from_logits = from_logits > 0;
    if (!row->activation)
        return from_logits <= 0 ? MICA_OK
                                : mi_fail(error, MICA_INVALID_ARGUMENT, "from_logits goes with cross-entropies, not with %s",
                                          row->layer.type);
    if (from_logits > 0 && strcmp(mi_ending(y)->op->name, row->activation) == 0)
        return mi_fail(error, MICA_INVALID_ARGUMENT, "from_logits is true, but the last layer ends in a %s",
                       row->task == MI_BINARY ? "sigmoid" : "softmax");
    if (from_logits == 0) {
        MI_TRY(mi_gives_shares(error, y, &shares));
        loss->from_logits = !shares;
    }
    return MICA_OK;
}

/* ---- Adding ---- */

mi_value *mi_loss_each(struct mi_graph *graph, const struct mi_loss *loss, mi_value *y, mi_value *target)
{
    mi_value *logits = NULL;
    if (loss->row->activation && !loss->from_logits)
        logits = mi_logits_of(graph, y, loss->row->activation);
    return loss->row->each(graph, logits ? logits : y, target, loss->from_logits || logits);
}
