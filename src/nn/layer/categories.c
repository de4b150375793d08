/* Layers that give categories: numbers of bins, and what these look like to a network. */
#include "nn/layer/given.h"

#include "ops/ops.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_BINS = 1 << 24 }; /* float32 holds the whole numbers below */

/* ---- Encodings ---- */

static const char *const encodings[] = {"multi_hot", "one_hot", "count", NULL};
static const char *const int_encodings[] = {"int", "one_hot", "multi_hot", "count", NULL};

/* The numbers 0 to depth - 1 as floats. */
static mi_value *numbers(struct mi_graph *graph, int64_t depth)
{
    const struct mi_shape shape = {.rank = 1, .dim = {mi_fixed(depth)}};
    mi_value *zeros = mi_expand_to(graph, mi_scalar(graph, 0), &shape);
    mi_value *index = MI_APPLY(graph, "Index", ((mi_value *[]){zeros}), MI_INT("axis", 0));
    return MI_APPLY(graph, "Cast", ((mi_value *[]){index}), MI_INT("to", MI_FLOAT));
}

/* (...) -> (..., depth): 1 where the new axis has the number; NaN gives NaN. */
static mi_value *one_hot(struct mi_layer *layer, mi_value *number, int64_t depth)
{
    struct mi_graph *graph = layer->graph;
    if (!number)
        return NULL;
    const int64_t last = number->shape.rank;
    mi_value *one = MI_APPLY(graph, "Unsqueeze", ((mi_value *[]){number}), MI_INTS("axes", &last, 1));
    mi_value *away = mi_op1(graph, "Abs", mi_op2(graph, "Sub", one, numbers(graph, depth)));
    return mi_op2(graph, "Sub", mi_scalar(graph, 1), mi_op1(graph, "Step", away));
}

/* Numbers below `depth` in one of the ways that Keras has. */
static mi_value *encoded(struct mi_layer *layer, mi_value *number, int64_t depth, const char *mode, const char *const *modes)
{
    const char *const *found = modes;
    while (*found && strcmp(*found, mode))
        found++;
    if (!*found)
        return mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "there is no output_mode \"%s\"%s", mi_show(mode).text,
                             mi_advise(mode, modes).text);
    if (!number || strcmp(mode, "int") == 0)
        return number;
    int rank = number->shape.rank;
    const int64_t last = rank - 1;
    bool folds = rank > 1 && (strcmp(mode, "one_hot") || mi_dim_is(number->shape.dim[last], 1));
    if (rank + 1 > MI_MAX_RANK)
        return mi_layer_fail(layer, MICA_SHAPE, "input has shape %s per sample, which has no room for one more axis",
                             mi_layer_shape_text(layer, number));
    mi_value *hot = one_hot(layer, number, depth);
    return folds ? mi_reduce(layer->graph, strcmp(mode, "count") ? "ReduceMax" : "ReduceSum", hot, &last, 1, false) : hot;
}

/* ---- Discretization ---- */

struct discretization_desc {
    const char *name;
    const cJSON *bin_boundaries;
    int64_t num_bins;
    const char *output_mode;
};

/* Given, or a statistic that is no number until it is learnt. */
static mi_value *boundaries(struct mi_layer *layer, const struct discretization_desc *desc)
{
    int count = 0;
    if (!desc->bin_boundaries == !desc->num_bins)
        return mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "takes bin_boundaries or num_bins%s",
                             desc->num_bins ? ", not both" : "");
    if (!desc->bin_boundaries) {
        if (!mi_layer_size(layer, "num_bins", desc->num_bins, 2))
            return NULL;
        struct mi_variable *statistic = mi_layer_statistic(layer, "bin_boundaries", desc->num_bins - 1, NAN);
        return statistic ? mi_variable(layer->graph, statistic) : NULL;
    }
    const float *values = mi_given_read(layer, "bin_boundaries", desc->bin_boundaries, &count);
    for (int i = 1; i < count && values; i++)
        if (values[i] < values[i - 1])
            return mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "bin_boundaries must rise, %g comes after %g", (double)values[i],
                                 (double)values[i - 1]);
    return values ? mi_held(layer->graph, values, (size_t)count) : NULL;
}

/* How many boundaries x reaches: all but those above it. NaN gives NaN. */
static mi_value *bin_of(struct mi_layer *layer, mi_value *x, mi_value *boundary)
{
    struct mi_graph *graph = layer->graph;
    const int64_t last = x->shape.rank;
    if (!boundary)
        return NULL;
    mi_value *one = MI_APPLY(graph, "Unsqueeze", ((mi_value *[]){mi_layer_float(layer, x)}), MI_INTS("axes", &last, 1));
    mi_value *above = mi_op1(graph, "Step", mi_op2(graph, "Sub", boundary, one));
    mi_value *count = mi_scalar(graph, (float)boundary->shape.dim[0].b);
    return mi_op2(graph, "Sub", count, mi_reduce(graph, "ReduceSum", above, &last, 1, false));
}

static mi_value *build_discretization(struct mi_layer *layer, mi_value *const *x, int count, const void *given)
{
    (void)count;
    const struct discretization_desc *desc = given;
    if (x[0]->shape.rank + 1 > MI_MAX_RANK)
        return mi_layer_fail(layer, MICA_SHAPE, "input has shape %s per sample, which has no room for one more axis",
                             mi_layer_shape_text(layer, x[0]));
    mi_value *boundary = boundaries(layer, desc);
    return boundary ? encoded(layer, bin_of(layer, x[0], boundary), boundary->shape.dim[0].b + 1,
                              desc->output_mode ? desc->output_mode : "int", int_encodings)
                    : NULL;
}

/* ---- Learning boundaries: quantiles of evenly spread samples ---- */

static int compare_floats(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* Every `stride`-th value; returns how many there are. */
static mica_status take_some(struct mi_adapting *adapting, int64_t stride, float *some, size_t *count)
{
    const float *values;
    int64_t n, next = 0;
    *count = 0;
    do {
        MI_TRY(adapting->next(adapting, &values, &n));
        int64_t have = n * adapting->elements;
        for (; next < have; next += stride)
            some[(*count)++] = values[next];
        next -= have;
    } while (n > 0);
    return MICA_OK;
}

/* Boundary k of `bins` is the value that (k / bins) of the sorted ones do not exceed, between two of them the mean by distance. */
static void take_quantiles(const float *sorted, size_t count, int64_t bins, float *boundary)
{
    for (int64_t k = 1; k < bins; k++) {
        double place = (double)k / (double)bins * (double)count - 1;
        size_t low = place > 0 ? (size_t)place : 0, high = low + 1 < count ? low + 1 : low;
        double part = place > 0 ? place - (double)low : 0;
        boundary[k - 1] = (float)((double)sorted[low] + part * ((double)sorted[high] - (double)sorted[low]));
    }
}

static mica_status adapt_discretization(struct mi_adapting *adapting)
{
    enum { MOST_VALUES = 100000 };
    struct mi_error *error = &adapting->model->device->error;
    const char *name = mi_arena_format(&adapting->model->graph->arena, "%s.bin_boundaries", adapting->layer->name);
    const struct mi_variable *statistic = name ? mi_variable_find(&adapting->model->variables, name) : NULL;
    size_t wanted = statistic ? mi_variable_count(statistic) : 0, count = 0;
    int64_t stride = mi_divide_up(adapting->samples * adapting->elements, MOST_VALUES);
    float *some = mi_new(MOST_VALUES + 1, sizeof *some), *boundary = mi_new(wanted, sizeof *boundary);
    mica_status status = statistic && some && boundary ? take_some(adapting, stride > 0 ? stride : 1, some, &count)
                                                       : mi_out_of_memory(error);
    for (size_t i = 0; i < count && status == MICA_OK; i++)
        if (isnan(some[i]))
            status = mi_fail(error, MICA_DATA, "discretization \"%s\": the data that it learns from hold NaN",
                             adapting->layer->name);
    if (status == MICA_OK && !count)
        status = mi_fail(error, MICA_DATA, "discretization \"%s\": there are no data to learn from", adapting->layer->name);
    if (status == MICA_OK) {
        qsort(some, count, sizeof *some, compare_floats);
        take_quantiles(some, count, (int64_t)wanted + 1, boundary);
        status = mi_adapting_write(adapting, "bin_boundaries", boundary, wanted);
    }
    free(some);
    free(boundary);
    return status;
}

static const struct mi_key discretization_keys[] = {
    MI_KEY(struct discretization_desc, "bin_boundaries", MI_KEY_JSON, bin_boundaries),
    MI_KEY_WITH(struct discretization_desc, "num_bins", MI_KEY_LONG, num_bins, MI_KEY_BETWEEN(2, MOST_BINS)),
    MI_KEY_WITH(struct discretization_desc, "output_mode", MI_KEY_TEXT, output_mode, .choices = int_encodings),
    {0},
};

const struct mi_layer_type mi_layer_discretization = {
    .type = "discretization", .desc_size = sizeof(struct discretization_desc), .keys = discretization_keys, .min_inputs = 1,
    .max_inputs = 1, .build = build_discretization, .adapts = "bin_boundaries", .adapt = adapt_discretization};

mica_node *mica_discretization(mica_node *x, const mica_discretization_desc *desc)
{
    const mica_discretization_desc none = {0};
    desc = desc ? desc : &none;
    cJSON *given = mi_given_json(desc->bin_boundaries, desc->boundary_count);
    mica_node *y = mi_layer_add(&mi_layer_discretization, &x, 1, &(struct discretization_desc){
        .name = desc->name, .bin_boundaries = given, .num_bins = desc->num_bins, .output_mode = desc->output_mode});
    cJSON_Delete(given);
    return y;
}

/* ---- Category encoding ---- */

static mi_value *build_category_encoding(struct mi_layer *layer, mi_value *const *x, int count, const void *given)
{
    (void)count;
    const mica_category_encoding_desc *desc = given;
    if (desc->num_tokens < 1 || desc->num_tokens > MOST_BINS)
        return mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "num_tokens must be 1 to %d, not %lld", MOST_BINS,
                             (long long)desc->num_tokens);
    static const char says[] = "a number that the layers before it computed is none of its tokens";
    mi_value *row = mi_layer_rows(layer, x[0], desc->num_tokens, says);
    return encoded(layer, mi_layer_float(layer, row), desc->num_tokens, desc->output_mode ? desc->output_mode : "multi_hot",
                   encodings);
}

static const struct mi_key category_encoding_keys[] = {
    MI_KEY_WITH(mica_category_encoding_desc, "num_tokens", MI_KEY_LONG, num_tokens, .required = true, MI_KEY_BETWEEN(1, MOST_BINS)),
    MI_KEY_WITH(mica_category_encoding_desc, "output_mode", MI_KEY_TEXT, output_mode, .choices = encodings),
    {0},
};

const struct mi_layer_type mi_layer_category_encoding = {
    .type = "category_encoding", .desc_size = sizeof(mica_category_encoding_desc), .keys = category_encoding_keys, .min_inputs = 1,
    .max_inputs = 1, .build = build_category_encoding};

mica_node *mica_category_encoding(mica_node *x, const mica_category_encoding_desc *desc)
{
    return mi_layer_add(&mi_layer_category_encoding, &x, 1, desc);
}

/* ---- Hashing ---- */

static mi_value *build_hashing(struct mi_layer *layer, mi_value *const *x, int count, const void *given)
{
    (void)count;
    const mica_hashing_desc *desc = given;
    if (desc->num_bins < 1 || desc->num_bins > MOST_BINS)
        return mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "num_bins must be 1 to %d, not %lld", MOST_BINS,
                             (long long)desc->num_bins);
    struct mi_graph *graph = layer->graph;
    const struct mi_attribute how[] = {MI_INT("bins", desc->num_bins), MI_INT("salt", desc->salt)};
    mi_value *whole = x[0]->type == MI_INT64 ? x[0] : MI_APPLY(graph, "Cast", ((mi_value *[]){x[0]}), MI_INT("to", MI_INT64));
    struct mi_node *node = mi_node_add(graph, "HashBin", &whole, 1, how, (int)MI_COUNT(how));
    return node ? encoded(layer, node->out[3], desc->num_bins, desc->output_mode ? desc->output_mode : "int", int_encodings) : NULL;
}

static const struct mi_key hashing_keys[] = {
    MI_KEY_WITH(mica_hashing_desc, "num_bins", MI_KEY_LONG, num_bins, .required = true, MI_KEY_BETWEEN(1, MOST_BINS)),
    MI_KEY(mica_hashing_desc, "salt", MI_KEY_LONG, salt),
    MI_KEY_WITH(mica_hashing_desc, "output_mode", MI_KEY_TEXT, output_mode, .choices = int_encodings),
    {0},
};

const struct mi_layer_type mi_layer_hashing = {
    .type = "hashing", .desc_size = sizeof(mica_hashing_desc), .keys = hashing_keys, .min_inputs = 1, .max_inputs = 1,
    .build = build_hashing};

mica_node *mica_hashing(mica_node *x, const mica_hashing_desc *desc)
{
    return mi_layer_add(&mi_layer_hashing, &x, 1, desc);
}
