/* What a loss takes, and the number of each sample. */
#include "nn/loss/loss.h"

#include <string.h>

/* ---- Checking ---- */

/* The number that a key of that name has; 0: the loss has no such key. */
static int64_t setting(const struct mi_loss *loss, const char *name)
{
    const struct mi_number *key = mi_number_named(loss->row->keys, name);
    return key ? (int64_t)loss->value[key - loss->row->keys] : 0;
}

/* The axis of the classes as the settings say it. */
static int axis_given(const struct mi_loss *loss)
{
    return mi_number_named(loss->row->keys, "axis") ? (int)setting(loss, "axis") : 1;
}

static mica_status check_classes(struct mi_error *error, const mi_value *y, bool masked, struct mi_loss *loss)
{
    const char *name = loss->row->layer.type;
    int given = axis_given(loss), last = y->shape.rank - 1;
    loss->axis = given < 0 ? last : given;
    if (last < 1)
        return mi_fail(error, MICA_SHAPE, "loss %s: the output has no dimension per sample, needs one: the classes", name);
    if (loss->axis != 1 && loss->axis != last)
        return mi_fail(error, MICA_SHAPE, "loss %s: axis is %d; of an output of %d dimensions per sample classes lie along 1 or -1",
                       name, given, last);
    if (masked && loss->axis != last)
        return mi_fail(error, MICA_SHAPE, "loss %s: axis 1 of the output is that of steps, of which a mask says which are padding; "
                       "classes lie along axis -1", name);
    if (y->shape.dim[loss->axis].b < 2)
        return mi_fail(error, MICA_SHAPE, "loss %s: the output has %lld class, needs at least 2 (one unit with a sigmoid "
                       "goes with binary_crossentropy)", name, (long long)y->shape.dim[loss->axis].b);
    return MICA_OK;
}

/* Steps of classes, of which one is the blank. */
static mica_status check_steps(struct mi_error *error, const mi_value *y, const struct mi_loss *loss)
{
    const char *name = loss->row->layer.type;
    if (y->shape.rank != 3 || y->shape.dim[1].b < 1 || y->shape.dim[2].b < 2)
        return mi_fail(error, MICA_SHAPE, "loss %s: the output has %d dimensions per sample, needs steps and at least 2 classes: "
                       "(steps, classes)", name, y->shape.rank - 1);
    if (setting(loss, "blank") >= y->shape.dim[2].b)
        return mi_fail(error, MICA_INVALID_ARGUMENT, "loss %s: the blank is class %lld, the output has %lld classes", name,
                       (long long)setting(loss, "blank"), (long long)y->shape.dim[2].b);
    return MICA_OK;
}

static mica_status check_output(struct mi_error *error, const mi_value *y, bool masked, struct mi_loss *loss)
{
    const struct mi_loss_row *row = loss->row;
    const char *last = mi_ending(y)->op->name, *needed = row->activation ? row->activation : "";
    if (strcmp(needed, "Sigmoid") == 0 && strcmp(last, "Softmax") == 0)
        return mi_fail(error, MICA_INVALID_ARGUMENT, "loss %s: the last layer is a softmax; it needs a sigmoid or logits",
                       row->layer.type);
    if (strcmp(needed, "Softmax") == 0 && strcmp(last, "Sigmoid") == 0)
        return mi_fail(error, MICA_INVALID_ARGUMENT, "loss %s: the last layer is a sigmoid; it needs a softmax or logits",
                       row->layer.type);
    if (row->task == MI_LABELS)
        return check_steps(error, y, loss);
    return row->task == MI_CATEGORICAL || row->task == MI_SPARSE ? check_classes(error, y, masked, loss) : MICA_OK;
}

static mica_status decide_logits(struct mi_error *error, const mi_value *y, int from_logits, struct mi_loss *loss)
{
    const struct mi_loss_row *row = loss->row;
    bool shares = false;
    loss->from_logits = from_logits > 0;
    if (!row->activation)
        return from_logits <= 0 ? MICA_OK
                                : mi_fail(error, MICA_INVALID_ARGUMENT, "from_logits goes with cross-entropies, not with %s",
                                          row->layer.type);
    if (from_logits > 0 && strcmp(mi_ending(y)->op->name, row->activation) == 0)
        return mi_fail(error, MICA_INVALID_ARGUMENT, "from_logits is true, but the last layer ends in a %s",
                       strcmp(row->activation, "Sigmoid") == 0 ? "sigmoid" : "softmax");
    if (from_logits == 0) {
        MI_TRY(mi_gives_shares(error, y, &shares));
        loss->from_logits = !shares;
    }
    return MICA_OK;
}

mica_status mi_loss_resolve(struct mi_error *error, const struct mi_loss_row *row, const mi_value *y, bool masked,
                            const mica_setting *setting, int from_logits, struct mi_loss *loss)
{
    struct mi_error why = {0};
    *loss = (struct mi_loss){.row = row, .axis = 1};
    if (mi_settings_resolve(&why, "", row->keys, setting, MICA_MOST_LOSS_SETTINGS, loss->value) != MICA_OK)
        return mi_fail(error, MICA_INVALID_ARGUMENT, "loss %s: %s", row->layer.type, why.text);
    MI_TRY(check_output(error, y, masked, loss));
    return decide_logits(error, y, from_logits, loss);
}

struct mi_shape mi_without_classes(const struct mi_shape *y, int axis)
{
    struct mi_shape out = {.rank = 0};
    for (int i = 0; i < y->rank; i++)
        if (i != axis)
            out.dim[out.rank++] = y->dim[i];
    return out;
}

float mi_loss_threshold(const struct mi_loss *loss)
{
    return loss->from_logits || loss->row->task == MI_SIGNS ? 0.0f : 0.5f;
}

/* ---- Adding ---- */

int64_t mi_loss_labels(const struct mi_loss *loss, const mi_value *y)
{
    int64_t given = setting(loss, "labels");
    return given ? given : y->shape.dim[1].b;
}

mi_value *mi_loss_each(struct mi_graph *graph, const struct mi_loss *loss, mi_value *y, mi_value *target, mi_value *mask)
{
    mi_value *logits = NULL;
    if (loss->row->activation && !loss->from_logits)
        logits = mi_logits_of(graph, y, loss->row->activation, loss->row->task == MI_LABELS ? 2 : 1);
    const struct mi_loss_use use = {.y = logits ? logits : y, .target = target, .mask = mask,
                                    .from_logits = loss->from_logits || logits, .value = loss->value};
    return loss->row->each(graph, &use);
}
