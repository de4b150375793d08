/* Every layer type, one a line; nothing else lists them. Activations and losses are layers too. */
#include "nn/layer/activation.h"
#include "nn/loss/loss.h"

#define LAYERS(X)                                                                                                                \
    X(input)                                                                                                                     \
    X(dense)                                                                                                                     \
    X(einsum_dense)                                                                                                              \
    X(conv1d)                                                                                                                    \
    X(conv2d)                                                                                                                    \
    X(conv3d)                                                                                                                    \
    X(conv1d_transpose)                                                                                                          \
    X(conv2d_transpose)                                                                                                          \
    X(conv3d_transpose)                                                                                                          \
    X(depthwise_conv1d)                                                                                                          \
    X(depthwise_conv2d)                                                                                                          \
    X(separable_conv1d)                                                                                                          \
    X(separable_conv2d)                                                                                                          \
    X(max_pooling1d)                                                                                                             \
    X(max_pooling2d)                                                                                                             \
    X(max_pooling3d)                                                                                                             \
    X(average_pooling1d)                                                                                                         \
    X(average_pooling2d)                                                                                                         \
    X(average_pooling3d)                                                                                                         \
    X(global_average_pooling)                                                                                                    \
    X(global_max_pooling)                                                                                                        \
    X(adaptive_average_pooling1d)                                                                                                \
    X(adaptive_average_pooling2d)                                                                                                \
    X(adaptive_average_pooling3d)                                                                                                \
    X(adaptive_max_pooling1d)                                                                                                    \
    X(adaptive_max_pooling2d)                                                                                                    \
    X(adaptive_max_pooling3d)                                                                                                    \
    X(flatten)                                                                                                                   \
    X(reshape_row)                                                                                                               \
    X(permute)                                                                                                                   \
    X(repeat_vector)                                                                                                             \
    X(zero_padding1d)                                                                                                            \
    X(zero_padding2d)                                                                                                            \
    X(zero_padding3d)                                                                                                            \
    X(cropping1d)                                                                                                                \
    X(cropping2d)                                                                                                                \
    X(cropping3d)                                                                                                                \
    X(up_sampling1d)                                                                                                             \
    X(up_sampling2d)                                                                                                             \
    X(up_sampling3d)                                                                                                             \
    X(activation_row)                                                                                                            \
    X(prelu)                                                                                                                     \
    X(threshold)                                                                                                                 \
    X(simple_rnn)                                                                                                                \
    X(lstm)                                                                                                                      \
    X(gru)                                                                                                                       \
    X(conv_lstm1d)                                                                                                               \
    X(conv_lstm2d)                                                                                                               \
    X(conv_lstm3d)                                                                                                               \
    X(rnn)                                                                                                                       \
    X(bidirectional)                                                                                                             \
    X(time_distributed)                                                                                                          \
    X(multi_head_attention)                                                                                                      \
    X(grouped_query_attention)                                                                                                   \
    X(attention)                                                                                                                 \
    X(additive_attention)                                                                                                        \
    X(position_embedding)                                                                                                        \
    X(sine_position_encoding)                                                                                                    \
    X(rotary_embedding)                                                                                                          \
    X(transformer_encoder)                                                                                                       \
    X(transformer_decoder)                                                                                                       \
    X(dropout)                                                                                                                   \
    X(activity_regularization)                                                                                                   \
    X(spatial_dropout1d)                                                                                                         \
    X(spatial_dropout2d)                                                                                                         \
    X(spatial_dropout3d)                                                                                                         \
    X(alpha_dropout)                                                                                                             \
    X(gaussian_dropout)                                                                                                          \
    X(gaussian_noise)                                                                                                            \
    X(batch_normalization)                                                                                                       \
    X(layer_normalization)                                                                                                       \
    X(rms_normalization)                                                                                                         \
    X(group_normalization)                                                                                                       \
    X(instance_normalization)                                                                                                    \
    X(unit_normalization)                                                                                                        \
    X(spectral_normalization)                                                                                                    \
    X(weight_normalization)                                                                                                      \
    X(embedding)                                                                                                                 \
    X(join_add)                                                                                                                  \
    X(multiply)                                                                                                                  \
    X(subtract)                                                                                                                  \
    X(average)                                                                                                                   \
    X(maximum)                                                                                                                   \
    X(minimum)                                                                                                                   \
    X(dot)                                                                                                                       \
    X(concatenate)                                                                                                               \
    X(rescaling)                                                                                                                 \
    X(normalization)                                                                                                             \
    X(discretization)                                                                                                            \
    X(category_encoding)                                                                                                         \
    X(hashing)                                                                                                                   \
    X(masking)                                                                                                                   \
    X(triplet_margin)                                                                                                            \
    X(info_nce)                                                                                                                  \
    X(map)                                                                                                                       \
    X(op)                                                                                                                        \
    X(variable)                                                                                                                  \
    X(constant)

#define DECLARE(name) extern const struct mi_layer_type mi_layer_##name;
LAYERS(DECLARE)
#define DECLARE_LOSS(name) extern const struct mi_loss_row mi_loss_##name;
MI_LOSSES(DECLARE_LOSS)

#define LIST(name) &mi_layer_##name,
#define LIST_LOSS(name) &mi_loss_##name.layer,
const struct mi_layer_type *const mi_layer_types[] = {LAYERS(LIST) MI_ACTIVATION_LAYERS(LIST) MI_LOSSES(LIST_LOSS) NULL};
