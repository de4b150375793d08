/* Recurrent convolutions: an lstm whose products are convolutions. */
#include "nn/layer/recurrent.h"

/* The cell is that of lstm; what it has of a descriptor is here as lstm's has it. */
static bool recurs(struct mi_layer *layer, const void *given, struct mi_recurrence *out)
{
    const mica_conv_lstm_desc *desc = given;
    mica_recurrent_desc *own = mi_arena_new(&layer->graph->arena, 1, sizeof *own);
    struct mi_window_fields *window = mi_arena_new(&layer->graph->arena, 1, sizeof *window);
    if (!own || !window)
        return mi_layer_fail(layer, MICA_OUT_OF_MEMORY, "the host is out of memory") != NULL;
    *own = (mica_recurrent_desc){
        .units = desc->filters, .activation = desc->activation, .recurrent_activation = desc->recurrent_activation,
        .no_bias = desc->no_bias, .kernel = desc->kernel, .recurrent = desc->recurrent, .bias = desc->bias,
        .no_unit_forget_bias = desc->no_unit_forget_bias, .dropout = desc->dropout,
        .recurrent_dropout = desc->recurrent_dropout, .seed = desc->seed};
    *window = (struct mi_window_fields){MI_WINDOW_FIELDS(desc)};
    *out = (struct mi_recurrence){
        .cell = {{.cell = &mi_cell_lstm, .desc = own, .window = window, .states = mi_cell_lstm.states}}, .cells = 1,
        .return_sequences = desc->return_sequences, .return_state = desc->return_state, .go_backwards = desc->go_backwards,
        .recompute = desc->recompute};
    return true;
}

#define ROW(axes)                                                                                                                \
    static const struct mi_key keys##axes[] = {                                                                                  \
        MI_KEY_WITH(mica_conv_lstm_desc, "filters", MI_KEY_LONG, filters, .required = true, MI_KEY_AT_LEAST(1)),                 \
        MI_WINDOW_KEYS(mica_conv_lstm_desc, axes),                                                                               \
        MI_KEY(mica_conv_lstm_desc, "activation", MI_KEY_TEXT, activation),                                                      \
        MI_KEY(mica_conv_lstm_desc, "recurrent_activation", MI_KEY_TEXT, recurrent_activation),                                  \
        MI_KEY(mica_conv_lstm_desc, "unit_forget_bias", MI_KEY_NOT, no_unit_forget_bias),                                        \
        MI_PRODUCT_KEYS(mica_conv_lstm_desc), MI_SEQUENCE_KEYS(mica_conv_lstm_desc), {0}};                                       \
    const struct mi_layer_type mi_layer_conv_lstm##axes##d = {                                                                   \
        .type = "conv_lstm" #axes "d", .desc_size = sizeof(mica_conv_lstm_desc), .keys = keys##axes, .min_inputs = 1,            \
        .max_inputs = 3, .spatial = (axes), .recurs = recurs, .build = mi_recurrent_build};                                      \
    mica_node *mica_conv_lstm##axes##d(mica_node *const *x, int count, const mica_conv_lstm_desc *desc)                          \
    {                                                                                                                            \
        return mi_layer_add(&mi_layer_conv_lstm##axes##d, x, count, desc);                                                       \
    }
ROW(1)
ROW(2)
ROW(3)
