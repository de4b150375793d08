/* Cross-entropies, of probabilities or of logits. */
#include "nn/loss/loss.h"

static mi_value *binary(struct mi_graph *graph, mi_value *y, mi_value *target, bool from_logits)
{
    mi_value *const in[] = {y, target};
    const struct mi_attribute clipped = MI_REAL("epsilon", MI_LOSS_EPSILON);
    return mi_mean_of_sample(graph, from_logits ? mi_op2(graph, "BinaryCrossEntropyWithLogits", y, target)
                                                : mi_apply(graph, "BinaryCrossEntropy", in, 2, &clipped, 1));
}

const struct mi_loss_row mi_loss_binary_crossentropy = {
    .layer = MI_LOSS_LAYER("binary_crossentropy", mi_crossentropy_keys), .task = MI_BINARY, .activation = "Sigmoid", .highest = 1,
    .each = binary};

mica_node *mica_binary_crossentropy(mica_node *y, mica_node *target, const mica_loss_desc *desc)
{
    return mi_layer_add(&mi_loss_binary_crossentropy.layer, (mica_node *[]){y, target}, 2, desc);
}

/* ---- Of classes ---- */

static mi_value *categorical(struct mi_graph *graph, mi_value *y, mi_value *target, bool from_logits)
{
    return mi_apply(graph, "CategoricalCrossEntropy", (mi_value *const[]){y, target}, 2,
                    (const struct mi_attribute[]){MI_INT("axis", 1), MI_INT("from_logits", from_logits),
                                                  MI_REAL("epsilon", MI_LOSS_EPSILON)}, 3);
}

const struct mi_loss_row mi_loss_categorical_crossentropy = {
    .layer = MI_LOSS_LAYER("categorical_crossentropy", mi_crossentropy_keys), .task = MI_CATEGORICAL, .activation = "Softmax",
    .highest = 1, .each = categorical};

mica_node *mica_categorical_crossentropy(mica_node *y, mica_node *target, const mica_loss_desc *desc)
{
    return mi_layer_add(&mi_loss_categorical_crossentropy.layer, (mica_node *[]){y, target}, 2, desc);
}

static mi_value *sparse(struct mi_graph *graph, mi_value *y, mi_value *target, bool from_logits)
{
    const struct mi_attribute apart = MI_TEXT("reduction", "none"), clipped = MI_REAL("epsilon", MI_LOSS_EPSILON);
    const char *op = from_logits ? "SoftmaxCrossEntropyLoss" : "NegativeLogLikelihoodLoss";
    if (!from_logits)
        y = mi_apply(graph, "LogProbability", &y, 1, &clipped, 1);
    return mi_apply(graph, op, (mi_value *const[]){y, target}, 2, &apart, 1);
}

const struct mi_loss_row mi_loss_sparse_categorical_crossentropy = {
    .layer = MI_LOSS_LAYER("sparse_categorical_crossentropy", mi_crossentropy_keys), .task = MI_SPARSE, .activation = "Softmax",
    .each = sparse};

mica_node *mica_sparse_categorical_crossentropy(mica_node *y, mica_node *target, const mica_loss_desc *desc)
{
    return mi_layer_add(&mi_loss_sparse_categorical_crossentropy.layer, (mica_node *[]){y, target}, 2, desc);
}
