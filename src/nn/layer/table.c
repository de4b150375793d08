/* Every layer type; nothing else lists them. */
#include "nn/layer.h"
#include "nn/loss/loss.h"

extern const struct mi_layer_type mi_layer_input, mi_layer_dense, mi_layer_conv1d, mi_layer_conv2d, mi_layer_max_pooling1d,
    mi_layer_max_pooling2d, mi_layer_average_pooling1d, mi_layer_average_pooling2d, mi_layer_global_average_pooling,
    mi_layer_global_max_pooling, mi_layer_flatten, mi_layer_reshape_row, mi_layer_permute, mi_layer_activation_row,
    mi_layer_dropout, mi_layer_batch_normalization, mi_layer_embedding, mi_layer_join_add, mi_layer_multiply,
    mi_layer_concatenate, mi_layer_map;
extern const struct mi_loss_row mi_loss_mean_squared_error, mi_loss_binary_crossentropy, mi_loss_categorical_crossentropy,
    mi_loss_sparse_categorical_crossentropy;

const struct mi_layer_type *const mi_layer_types[] = {
    &mi_layer_input, &mi_layer_dense, &mi_layer_conv1d, &mi_layer_conv2d, &mi_layer_max_pooling1d,
    &mi_layer_max_pooling2d, &mi_layer_average_pooling1d, &mi_layer_average_pooling2d, &mi_layer_global_average_pooling,
    &mi_layer_global_max_pooling, &mi_layer_flatten, &mi_layer_reshape_row, &mi_layer_permute, &mi_layer_activation_row,
    &mi_layer_dropout, &mi_layer_batch_normalization, &mi_layer_embedding, &mi_layer_join_add, &mi_layer_multiply,
    &mi_layer_concatenate, &mi_layer_map, &mi_loss_mean_squared_error.layer, &mi_loss_binary_crossentropy.layer,
    &mi_loss_categorical_crossentropy.layer, &mi_loss_sparse_categorical_crossentropy.layer, NULL,
};
