#include "random/network.h"

#include "nn/layer/recurrent.h"
#include "ops/ops.h"
#include "support/device.h"
#include "nn/optimizer/optimizer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MOST_ELEMENTS = 2000, MOST_PARAMETERS = 4000 };

struct drawer {
    struct drawn_network *network;
    mica_device *device;
    uint64_t counter;
    bool small;
};

static int64_t below(struct drawer *d, int64_t limit)
{
    uint32_t word[4];
    mi_philox(d->network->seed, 2, d->counter++, word);
    return (int64_t)(word[0] % (uint64_t)limit);
}

static bool chance(struct drawer *d, int percent)
{
    return below(d, 100) < percent;
}

static int64_t size(struct drawer *d)
{
    static const int64_t sizes[] = {1, 1, 2, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 33};
    return sizes[below(d, d->small ? 8 : (int64_t)MI_COUNT(sizes))];
}

/* ---- Keys ---- */

static void add_list(struct drawer *d, struct mi_text *out, int count, int64_t least, int64_t most)
{
    for (int i = 0; i < count; i++)
        mi_text_add(out, "%s%lld", i ? ", " : "[", (long long)(least + below(d, most - least + 1)));
    mi_text_add(out, "]");
}

static void add_activation(struct drawer *d, struct mi_text *out)
{
    const char *names[64];
    int count = 0;
    mi_activation_names(names, MI_COUNT(names));
    while (names[count])
        count++;
    mi_text_add(out, "\"%s\"", names[below(d, count)]);
}

/* A shape of the layer's own kind: of an input, or one that the sample before has in another order. */
static void add_shape(struct drawer *d, struct mi_text *out, const char *type, const mica_shape *before)
{
    if (strcmp(type, "input") == 0) {
        int rank = 1 + (int)below(d, 3);
        for (int i = 0; i < rank; i++)
            mi_text_add(out, "%s%lld", i ? ", " : "[", (long long)size(d));
    } else if (strcmp(type, "permute") == 0 && before->rank > 0) {
        int first = (int)below(d, before->rank);
        for (int i = 0; i < before->rank; i++)
            mi_text_add(out, "%s%d", i ? ", " : "[", (first + i) % before->rank + 1);
    } else {
        mi_text_add(out, "[%lld, -1", (long long)(before->rank > 0 && chance(d, 60) ? before->dim[below(d, before->rank)] : 1));
        if (chance(d, 30))
            mi_text_add(out, ", 1");
    }
    mi_text_add(out, "]");
}

static void add_number(struct drawer *d, struct mi_text *out, const struct mi_key *key)
{
    double low = key->ranged ? key->min : -0.5, high = key->ranged && key->max < 1.5 ? key->max : low + 1;
    if (strcmp(key->name, "rate") == 0)
        low = 0, high = 0.75;
    mi_text_add(out, "%.6g", low + (high - low) * (double)below(d, 1000) / 1000);
}

static void add_keys(struct drawer *d, struct mi_text *out, const struct mi_layer_type *type, const mica_shape *before);

/* A cell that has a name, or one of layers. */
static void add_cell(struct drawer *d, struct mi_text *out, const mica_shape *before)
{
    int types = 0;
    long long units = size(d);
    while (mi_cell_types[types])
        types++;
    const struct mi_layer_type *type = mi_cell_types[below(d, types)];
    if (chance(d, 60)) {
        mi_text_add(out, "{\"type\": \"%s\"", type->type);
        add_keys(d, out, type, before);
        mi_text_add(out, "}");
        return;
    }
    mi_text_add(out, "{\"states\": [{\"name\": \"h\", \"shape\": [%lld], \"next\": \"new\"}], \"layers\": ["
                "{\"type\": \"dense\", \"name\": \"in\", \"units\": %lld}, "
                "{\"type\": \"dense\", \"name\": \"of_h\", \"units\": %lld, \"inputs\": [\"h\"]}, "
                "{\"type\": \"%s\", \"name\": \"sum\", \"inputs\": [\"in\", \"of_h\"]}, "
                "{\"type\": \"activation\", \"name\": \"new\", \"activation\": \"%s\"}%s]}", units, units, units,
                chance(d, 70) ? "add" : "maximum", chance(d, 50) ? "tanh" : "sigmoid",
                chance(d, 40) ? ", {\"type\": \"dense\", \"units\": 2}" : "");
}

static void add_cells(struct drawer *d, struct mi_text *out, const mica_shape *before)
{
    bool several = chance(d, 40);
    mi_text_add(out, ", \"cell\": %s", several ? "[" : "");
    add_cell(d, out, before);
    if (several) {
        mi_text_add(out, ", ");
        add_cell(d, out, before);
        mi_text_add(out, "]");
    }
}

/* The layer that a wrapper is around: one with a weight, or a recurrent one. */
static void add_within(struct drawer *d, struct mi_text *out, const char *wrapper, const mica_shape *before)
{
    static const char *const recurrent[] = {"simple_rnn", "lstm", "gru", "rnn"};
    bool both = strcmp(wrapper, "bidirectional") == 0;
    const struct mi_layer_type *type = mi_layer_type_named(both ? recurrent[below(d, MI_COUNT(recurrent))] : "dense");
    mi_text_add(out, "{\"type\": \"%s\"", type->type);
    add_keys(d, out, type, before);
    mi_text_add(out, "}");
}

static void add_value(struct drawer *d, struct mi_text *out, const char *type, const struct mi_key *key, const mica_shape *before)
{
    int choices = 0;
    while (key->choices && key->choices[choices])
        choices++;
    switch (key->type) {
    case MI_KEY_TEXT:
        if (choices)
            mi_text_add(out, "\"%s\"", key->choices[below(d, choices)]);
        else
            add_activation(d, out);
        break;
    case MI_KEY_BOOL:
    case MI_KEY_NOT:
    case MI_KEY_TRISTATE: mi_text_add(out, chance(d, 50) ? "true" : "false"); break;
    case MI_KEY_INT: mi_text_add(out, "%lld", (long long)below(d, 7) - 3); break;
    case MI_KEY_FLOAT: add_number(d, out, key); break;
    case MI_KEY_SIZES:
        if (chance(d, 60))
            mi_text_add(out, "%lld", (long long)(1 + below(d, 3)));
        else
            add_list(d, out, key->spatial, (int64_t)key->min, 3);
        break;
    case MI_KEY_PADDING:
        if (chance(d, 70))
            mi_text_add(out, "\"%s\"", chance(d, 70) ? "same" : "valid");
        else
            add_list(d, out, 2 * key->spatial, 0, 2);
        break;
    case MI_KEY_AXES: mi_text_add(out, "%s", chance(d, 50) ? "-1" : before->rank > 1 ? "[1, 2]" : "1"); break;
    case MI_KEY_SHAPE: add_shape(d, out, type, before); break;
    case MI_KEY_JSON: add_within(d, out, type, before); break;
    case MI_KEY_OBJECT: mi_text_add(out, "\"%s\"", key->keys[0].choices[below(d, 3)]); break;
    default: /* an embedding has a row for each number that is fed */
        mi_text_add(out, "%lld", (long long)(strcmp(key->name, "groups") == 0      ? 1 + below(d, 3)
                                             : strcmp(key->name, "input_dim") == 0 ? 5 + below(d, 3)
                                                                                   : size(d)));
        break;
    }
}

/* Numbers that stand under names of their own. */
static void add_numbers(struct drawer *d, struct mi_text *out, const struct mi_number *number)
{
    for (; number->name; number++) {
        double low = (double)number->least, high = (double)number->most < low + 2 ? (double)number->most : low + 2;
        double value = low + (high - low) * (double)(1 + below(d, 998)) / 1000;
        if (!chance(d, 35))
            continue;
        if (number->flag)
            mi_text_add(out, ", \"%s\": %s", number->name, value > 0.5 ? "true" : "false");
        else
            mi_text_add(out, ", \"%s\": %.6g", number->name, number->whole ? (double)(int64_t)value : value);
    }
}

static void add_keys(struct drawer *d, struct mi_text *out, const struct mi_layer_type *type, const mica_shape *before)
{
    if (type->has_cells)
        add_cells(d, out, before);
    for (const struct mi_key *key = type->keys; key && key->name; key++) {
        if (strcmp(key->name, "stateful") == 0)
            continue; /* the host does not see what a plan keeps: train.stateful */
        if (key->type == MI_KEY_NUMBERS)
            add_numbers(d, out, key->numbers);
        if (key->type == MI_KEY_NUMBERS || key->alias || (!key->required && !chance(d, 35)))
            continue;
        mi_text_add(out, ", \"%s\": ", key->name);
        if (!key->required && chance(d, 3))
            mi_text_add(out, "null");
        else
            add_value(d, out, type->type, key, before);
    }
}

/* ---- Layers ---- */

static void layers_text(const struct drawn_network *network, struct mi_text *out)
{
    mi_text_add(out, "{\"layers\": [");
    for (int i = 0; i < network->count; i++)
        mi_text_add(out, "%s%s", i ? ",\n" : "", network->layer[i]);
    mi_text_add(out, "]}");
}

static mica_model *described(const struct drawn_network *network, mica_device *device)
{
    struct mi_text text = {0};
    mica_device_clear_error(device);
    mica_model *model = mica_model_create(device, &(mica_model_desc){.seed = network->seed});
    layers_text(network, &text);
    assert_non_null(model);
    mica_model_add_json(model, mi_text_get(&text));
    mi_text_destroy(&text);
    return model;
}

static bool is_small_enough(const struct drawn_network *network, const mica_model *model)
{
    for (size_t i = 0; i < model->graph->value_count; i++)
        if (mi_shape_count(&model->graph->values[i]->shape, network->batch[0]) > MOST_ELEMENTS)
            return false;
    return mica_model_parameter_count(model) <= MOST_PARAMETERS;
}

/* The layer stays where the library takes it. */
static bool keep_layer(struct drawer *d, const char *text, uint64_t *refused)
{
    struct drawn_network *network = d->network;
    if (network->count == MOST_LAYERS || strlen(text) >= LAYER_TEXT)
        return false;
    memcpy(network->layer[network->count++], text, strlen(text) + 1);
    mica_model *model = described(network, d->device);
    bool fine = mica_model_status(model) == MICA_OK;
    if (!fine && !*mica_model_error(model))
        fail_msg("network %llu: %s is refused without a word", (unsigned long long)network->seed, text);
    *refused += !fine;
    fine = fine && is_small_enough(network, model);
    mica_model_destroy(model);
    network->count -= !fine;
    return fine;
}

static mica_shape shape_of_last(struct drawer *d)
{
    mica_shape shape = {0};
    if (d->network->count == 0)
        return shape;
    mica_model *model = described(d->network, d->device);
    shape = mica_node_shape(model->layers[model->layer_count - 1].value);
    mica_model_destroy(model);
    return shape;
}

/* Layers that learn from data, of which there are none here, and those whose expressions the reference does not know, also as
 * operators: normal numbers, and arithmetic of 64 bits. */
static bool is_left_out(const struct mi_layer_type *type, const char *text)
{
    static const char *const unknown[] = {"gaussian_dropout", "gaussian_noise", "hashing", "GaussianDropout", "GaussianNoise"};
    bool left_out = type->adapt != NULL;
    for (size_t i = 0; i < MI_COUNT(unknown); i++)
        left_out = left_out || strstr(text, unknown[i]) != NULL;
    return left_out;
}

static bool add_layer(struct drawer *d, const struct mi_layer_type *type, uint64_t *refused)
{
    struct mi_text text = {0};
    int number = d->network->count, inputs = type->max_inputs < 0 || type->min_inputs > 1 ? 2 + (int)below(d, 2) : chance(d, 20);
    mica_shape before = shape_of_last(d);
    mi_text_add(&text, "{\"type\": \"%s\", \"name\": \"l%d\"", type->type, number);
    add_keys(d, &text, type, &before);
    for (int i = 0; i < inputs && number > 0; i++)
        mi_text_add(&text, "%s\"l%lld\"%s", i ? ", " : ", \"inputs\": [",
                    (long long)(i == 0 ? number - 1 - below(d, inputs > 1 ? 1 : number) : below(d, number)),
                    i + 1 == inputs ? "]" : "");
    mi_text_add(&text, "}");
    bool kept = !is_left_out(type, mi_text_get(&text)) && keep_layer(d, mi_text_get(&text), refused);
    mi_text_destroy(&text);
    return kept;
}

static void add_input(struct drawer *d, uint64_t *refused)
{
    if (chance(d, 15)) {
        char text[LAYER_TEXT];
        snprintf(text, sizeof text, "{\"type\": \"input\", \"name\": \"l0\", \"shape\": [%lld], \"integer\": true}",
                 (long long)(1 + below(d, 5)));
        keep_layer(d, text, refused);
        snprintf(text, sizeof text, "{\"type\": \"embedding\", \"name\": \"l1\", \"input_dim\": 5, \"output_dim\": %lld}",
                 (long long)size(d));
        keep_layer(d, text, refused);
        return;
    }
    while (!add_layer(d, mi_layer_types[0], refused))
        continue;
}

static void add_end(struct drawer *d, uint64_t *refused)
{
    static const char *const ends[] = {"", ", \"activation\": \"softmax\"", ", \"activation\": \"sigmoid\""};
    char text[LAYER_TEXT];
    snprintf(text, sizeof text, "{\"type\": \"flatten\", \"name\": \"flat\"}");
    keep_layer(d, text, refused);
    snprintf(text, sizeof text, "{\"type\": \"dense\", \"name\": \"end\", \"units\": %lld%s}", (long long)(1 + below(d, 5)),
             ends[below(d, 3)]);
    keep_layer(d, text, refused);
}

/* ---- Loss and optimizer ---- */

static void draw_optimizer(struct drawer *d, mica_optimizer *o)
{
    static const char *const types[] = {"sgd", "adam", "rmsprop", "adagrad"};
    static const char *const clips[] = {"clipvalue", "clipnorm", "global_clipnorm"};
    size_t count = 0;
    *o = (mica_optimizer){.type = types[below(d, 4)]};
    bool sgd = strcmp(o->type, "sgd") == 0;
    o->setting[count++] = (mica_setting){"learning_rate", chance(d, 50) ? 0.0625 : 0.015625};
    if (sgd || strcmp(o->type, "rmsprop") == 0)
        o->setting[count++] = (mica_setting){"momentum", chance(d, 50) ? 0.75 : 0};
    if (sgd)
        o->setting[count++] = (mica_setting){"nesterov", chance(d, 50)};
    else /* so that a gradient of nearly nothing does not decide the sign of a whole step */
        o->setting[count++] = (mica_setting){"epsilon", 0.125};
    o->setting[count++] = (mica_setting){"weight_decay", chance(d, 30) ? 0.125 : 0};
    o->setting[count++] = (mica_setting){clips[below(d, 3)], chance(d, 30) ? 0.25 : 0};
}

static bool loss_fits(struct drawer *d, const char *loss)
{
    d->network->loss = loss;
    mica_model *model = network_model(d->network, d->device);
    struct mi_graph *graph = model ? network_training(d->network, model) : NULL;
    bool fits = graph != NULL;
    mi_graph_destroy(graph);
    mica_model_destroy(model);
    return fits;
}

/* False: there is none, as of whole numbers that no layer made floats. */
static bool draw_loss(struct drawer *d)
{
    for (int tries = 0; tries < 6; tries++)
        if (loss_fits(d, mi_loss_names[below(d, 4)]))
            return true;
    return loss_fits(d, "mean_squared_error");
}

bool network_draw(struct drawn_network *network, mica_device *device, uint64_t seed, bool small, uint64_t *refused)
{
    static const int64_t batches[] = {1, 2, 3, 5, 8, 9, 16, 17};
    *network = (struct drawn_network){.seed = seed};
    struct drawer d = {.network = network, .device = device, .small = small};
    int types = 0, wanted = 1 + (int)below(&d, small ? 3 : 6);
    network->batch[0] = batches[below(&d, small ? 4 : (int64_t)MI_COUNT(batches))];
    for (int i = 1; i < STEPS; i++)
        network->batch[i] = 1 + below(&d, network->batch[0]);
    while (mi_layer_types[types])
        types++;
    draw_optimizer(&d, &network->optimizer);
    add_input(&d, refused);
    for (int tries = 0, made = 0; made < wanted && tries < 40; tries++)
        made += add_layer(&d, mi_layer_types[1 + below(&d, types - 1)], refused);
    if (chance(&d, 70))
        add_end(&d, refused);
    return draw_loss(&d);
}

/* ---- Models ---- */

static double uniform(const struct drawn_network *network, const char *name, uint64_t step, int64_t i)
{
    return (double)mi_uniform(network->seed, mi_hash(name, strlen(name), step), (uint64_t)i);
}

mica_model *network_model(const struct drawn_network *network, mica_device *device)
{
    mica_model *model = described(network, device);
    if (mica_model_status(model) != MICA_OK) {
        mica_model_destroy(model);
        return NULL;
    }
    for (size_t k = 0; k < model->variables.count; k++) {
        struct mi_variable *variable = model->variables.list[k];
        bool variance = strstr(variable->name, "running_var") != NULL;
        double scale = variable->shape.rank > 1 ? 1 : 0.5;
        if (!mi_variable_make(variable))
            fail_msg("out of memory");
        float *initial = variable->initial;
        for (size_t i = 0; initial && i < mi_variable_count(variable); i++) {
            double u = uniform(network, variable->name, 0, (int64_t)i);
            initial[i] = (float)(variance ? 0.5 + u : scale * (2 * u - 1));
        }
    }
    return model;
}

struct mi_graph *network_training(const struct drawn_network *network, mica_model *model)
{
    struct mi_graph *graph = NULL;
    const mica_objective given = {.loss = network->loss,
                                  .classes = strcmp(network->loss, "sparse_categorical_crossentropy") == 0};
    struct mi_objective objective;
    struct mi_objective_nodes nodes = {0};
    struct mi_optimizer optimizer;
    mica_device *device = model->device;
    if (mi_objective_resolve(&device->error, model, &given, &objective) ||
        mi_optimizer_resolve(&device->error, "optimizer", &network->optimizer, &optimizer) || mi_model_graph(model, true, &graph))
        return NULL;
    bool fine = mi_objective_add(graph, &objective, true, &nodes) == MICA_OK;
    graph->output_count = 0; /* a step's result is its loss */
    fine = fine && mi_output(graph, "loss", nodes.mean) &&
           mi_optimizer_add(model, graph, nodes.mean, &optimizer, NULL) == MICA_OK;
    if (fine)
        return graph;
    mi_error_report(&device->error, &graph->error);
    mi_graph_destroy(graph);
    return NULL;
}

/* Classes; shares that sum to anything; zeros and ones; or values. */
double network_label(const struct drawn_network *network, const mi_value *labels, int step, int64_t i)
{
    double u = uniform(network, "labels", (uint64_t)step, i);
    if (labels->type == MI_INT32)
        return u < 0.5 ? 0 : 1;
    if (strcmp(network->loss, "binary_crossentropy") == 0)
        return u < 0.5 ? 0 : 1;
    return (double)(float)(strcmp(network->loss, "mean_squared_error") == 0 ? 4 * u - 2 : u);
}

double network_input_value(const struct drawn_network *network, const mi_value *input, int step, int64_t i)
{
    double u = uniform(network, input->name, (uint64_t)step, i);
    return strstr(network->layer[0], "\"integer\": true") ? floor(5 * u) : (double)(float)(4 * u - 2);
}
