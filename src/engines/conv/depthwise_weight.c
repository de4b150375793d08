/* The weight gradient of a depthwise convolution, on channel-blocked tensors, for CPU devices (kernels/depthwise_weight.cl).
 * Few channels and many pixels are divided among more items than there are blocks of channels; a second launch then adds
 * their sums, always in the same order. */
#include "engines/conv/depthwise.h"

#include <string.h>

/* The numbers of a variant: pixels in registers, and how many shares the images and rows are divided into. */
enum { WIDTH, PARTS };
enum { MOST_WIDTH = 12, MOST_TAPS = 256 };

static bool supports(const struct mi_problem *problem)
{
    struct mi_depthwise d;
    return mi_depthwise_weight_match(&problem->c, &d) && mi_depthwise_fits(problem, &d) &&
           d.conv.kernel[1] <= MOST_WIDTH && d.conv.kernel[0] <= MOST_TAPS / d.conv.kernel[1];
}

/* Bound by memory, or by the loads of an operand for each product. */
static double cost(const struct mi_problem *problem)
{
    const mica_device *device = problem->device;
    double products = mi_problem_products(problem) / (0.3 * 4.8e9 * device->vector_width * device->info.compute_units);
    double bytes = 4.0 * (double)mi_shape_count(&problem->c.a.value->shape, problem->batch) +
                   4.0 * (double)mi_shape_count(&problem->c.b.value->shape, problem->batch);
    return products + bytes / (8e9 * device->info.compute_units);
}

/* How many chunks of rows an image is divided into so that there are as many units as parts. */
static int64_t chunks_of(const struct mi_problem *problem, const struct mi_conv *conv, int64_t parts)
{
    int64_t chunks = mi_divide_up(parts < 1 ? 1 : parts, problem->batch < 1 ? 1 : problem->batch);
    int64_t rows = mi_divide_up(conv->out[0], chunks < conv->out[0] ? chunks : conv->out[0]);
    return mi_divide_up(conv->out[0], rows);
}

static int variants(const struct mi_problem *problem, struct mi_variant *list, int most)
{
    struct mi_depthwise d;
    mi_depthwise_weight_match(&problem->c, &d);
    const int widths[] = {4, 2, 7, 1}, items[] = {8, 32, 0};
    int64_t blocks = mi_divide_up(d.conv.c, problem->device->vector_width), units = problem->device->info.compute_units;
    int count = 0;
    for (size_t p = 0; p < MI_COUNT(items); p++)
        for (size_t w = 0; w < MI_COUNT(widths); w++) {
            int64_t parts = mi_divide_up(items[p] * units, blocks),
                    chunks = chunks_of(problem, &d.conv, parts) * problem->batch;
            int width = widths[w] < d.conv.out[1] ? widths[w] : (int)d.conv.out[1];
            struct mi_variant v = {{width, (int32_t)(parts < 1 || chunks < 1 ? 1 : parts < chunks ? parts : chunks)}};
            count = mi_variant_add(list, count, most, v);
        }
    return count;
}

static void wishes(const struct mi_problem *problem, struct mi_wishes *wishes)
{
    struct mi_depthwise d;
    mi_depthwise_weight_match(&problem->c, &d);
    int b = problem->device->vector_width;
    struct mi_layout x = mi_conv_input_layout(&d.conv, b), dy = mi_layout_blocked(d.conv.spatial + 2, 1, b);
    *wishes = mi_conv_wishes(problem, &d.conv, x, dy);
}

/* Stores the B channels of `lane`, the sums of one tap. */
static const char *emit_stores(struct mi_emitter *e, const struct mi_conv *conv)
{
    int b = e->device->vector_width;
    const char *real = conv->c % b ? mi_arena_format(e->arena, "kb*B + v < @%lld", (long long)conv->c) : "true";
    struct mi_coordinate at[4] = {{.at = "k_"}, {.at = "0"}, {.at = "tap/KW"}}, place[4];
    e->indent = 1;
    mi_bind(e, e->kernel->anchor->out[0], "lane[v]");
    at[1 + conv->spatial] = (struct mi_coordinate){.at = "tap%KW"};
    memcpy(place, at, sizeof place);
    place[0] = (struct mi_coordinate){"kb*B + v", "kb", "v", b};
    size_t lanes = mi_scope_open(e, "for (int v = 0; v < B; v++) ");
    mi_line(e, "const int k_ = min(kb*B + v, @%lld);", (long long)conv->c - 1);
    for (int o = 0; o < e->kernel->outs; o++) {
        mi_value *value = e->kernel->out[o];
        const char *text = mi_emit_value(e, value, at, NULL);
        bool blocked = e->tensors[value->id].layout.block[0] == b;
        size_t scope = mi_scope_open(e, "if (%s) ", blocked ? "true" : real);
        mi_emit_store(e, value, blocked ? place : at, text, blocked ? real : NULL);
        mi_scope_close(e, scope);
    }
    mi_scope_close(e, lanes);
    return mi_emit_take(e);
}

static void define_gradient(struct mi_emitter *e, const struct mi_conv *conv, struct mi_text *text)
{
    const struct mi_layout *dy = &e->tensors[conv->w->value->id].layout;
    int64_t stride[MI_MAX_RANK] = {0};
    int h = conv->spatial, w = conv->spatial + 1;
    mi_layout_strides(dy, &conv->w->value->shape, stride);
    int64_t row = h == 2 ? stride[h] : 0, low = h == 2 ? dy->low[h] : 0;
    mi_define_size(text, "DSN", stride[0]);
    mi_define_size(text, "DSC", stride[1]);
    mi_define_size(text, "DSH", row);
    /* A halo of dy, where another engine asked for one, is stepped over. */
    mi_text_add(text, "#define DY (p%d + @%lld)\n", mi_emit_argument(e, conv->w->value, false),
                (long long)(low * row + dy->low[w] * e->device->vector_width));
}

/* The first launch: sums of the parts to scratch, or the result itself where there is one part. */
static mica_status emit_sums(struct mi_emitter *e, const struct mi_problem *problem, const struct mi_conv *conv,
                             struct mi_codes *codes)
{
    struct mi_text defines = {0};
    int b = problem->device->vector_width, tw = problem->variant.number[WIDTH], parts = problem->variant.number[PARTS];
    int64_t chunks = chunks_of(problem, conv, parts), blocks = mi_divide_up(conv->c, b),
            reach = (conv->kernel[1] - 1) * conv->dilation[1];
    int64_t registers = b >= 16 ? 20 : 10, fit = registers / conv->kernel[1];
    mi_conv_define(e, conv, b, b, &defines);
    define_gradient(e, conv, &defines);
    mi_define(&defines, "TW", tw);
    mi_define(&defines, "KR", fit < 1 ? 1 : fit < conv->kernel[0] ? fit : conv->kernel[0]);
    mi_define_size(&defines, "PARTS", parts);
    mi_define_size(&defines, "CHUNKS", chunks);
    mi_define_size(&defines, "ROWS", mi_divide_up(conv->out[0], chunks));
    mi_define(&defines, "FIRST", reach < 0 ? reach : 0);
    mi_define(&defines, "LAST", (tw - 1) * conv->stride[1] + (reach > 0 ? reach : 0));
    const char *result =
        mi_arena_format(e->arena, "const float *lane = total + tap*B;\n    %s", parts > 1 ? "" : emit_stores(e, conv));
    if (parts > 1)
        result = mi_arena_format(e->arena, "VSTORE(VLOAD(tap, total), tap, p%d + (part*@%lld + kb)*(KH*KW*B));",
                                 mi_emit_scratch(e, 0, true), (long long)blocks);
    struct mi_grid grid = {.dims = 2, .global = {(size_t)blocks, (size_t)parts}, .local = {1, 1}};
    const char *name = mi_arena_format(e->arena, "mica_depthwise_%s", e->kernel->anchor->op->name);
    return mi_emit_file(e, "depthwise_weight.cl", name, &defines, (const char *const[]){"MICA_RESULT"}, &result, 1,
                        grid, codes);
}

/* The second: adds the parts' sums. */
static mica_status emit_total(struct mi_emitter *e, const struct mi_problem *problem, const struct mi_conv *conv,
                              struct mi_codes *codes)
{
    struct mi_text defines = {0};
    int b = problem->device->vector_width, parts = problem->variant.number[PARTS];
    int64_t blocks = mi_divide_up(conv->c, b), taps = conv->kernel[0] * conv->kernel[1];
    mi_define(&defines, "B", b);
    mi_define(&defines, "KW", conv->kernel[1]);
    int sums = mi_emit_scratch(e, 0, false);
    const char *stores = emit_stores(e, conv);
    e->indent = 1;
    mi_line(e, "const int kb = (int)get_global_id(0);");
    size_t tap = mi_scope_open(e, "for (int tap = 0; tap < %lld; tap++) ", (long long)taps);
    mi_line(e, "float lane[B + 8];");
    mi_line(e, "for (int v = 0; v < B; v++) lane[v] = 0;");
    size_t part = mi_scope_open(e, "for (int part = 0; part < @%d; part++) ", parts);
    mi_line(e, "for (int v = 0; v < B; v++) lane[v] += p%d[((part*@%lld + kb)*%lld + tap)*B + v];", sums,
            (long long)blocks, (long long)taps);
    mi_scope_close(e, part);
    mi_text_append(&e->text, stores, strlen(stores));
    mi_scope_close(e, tap);
    struct mi_grid grid = {.dims = 1, .global = {(size_t)blocks}, .local = {1}};
    mica_status status = mi_emit_body(e, "mica_depthwise_parts", mi_text_get(&defines), grid, codes);
    mi_emit_text_end(e, &defines);
    return status;
}

static mica_status emit(struct mi_emitter *e, const struct mi_problem *problem, struct mi_codes *codes)
{
    struct mi_depthwise d;
    mi_depthwise_weight_match(&problem->c, &d);
    const struct mi_conv *conv = &d.conv;
    int64_t b = problem->device->vector_width, parts = problem->variant.number[PARTS];
    if (parts == 1)
        return emit_sums(e, problem, conv, codes);
    codes->scratch[codes->scratches++] =
        parts * mi_divide_up(conv->c, b) * b * conv->kernel[0] * conv->kernel[1] * (int64_t)sizeof(float);
    MI_TRY(emit_sums(e, problem, conv, codes));
    return emit_total(e, problem, conv, codes);
}

const struct mi_engine mi_engine_depthwise_weight = {.name = "depthwise_weight",
                                                     .supports = supports,
                                                     .cost = cost,
                                                     .variants = variants,
                                                     .epilogue = true,
                                                     .memory = true,
                                                     .wishes = wishes,
                                                     .emit = emit};
