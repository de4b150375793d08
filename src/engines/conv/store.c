/* How convolution kernels that hold results in lanes of filters store them: through the accessor of every output, so that maps
 * ride along and any layout is written. */
#include "engines/conv/conv.h"

#include <string.h>

void mi_conv_set_at(struct mi_coordinate *at, int spatial, struct mi_coordinate channel, const char *row,
                    const char *column)
{
    at[0] = (struct mi_coordinate){.at = "img"};
    at[1] = channel;
    if (spatial == 3)
        at[2] = (struct mi_coordinate){.at = "od"};
    if (spatial > 1)
        at[spatial] = (struct mi_coordinate){.at = row};
    at[1 + spatial] = (struct mi_coordinate){.at = column};
}

bool mi_conv_in_vectors(const struct mi_emitter *e, const mi_value *value)
{
    return value->type == MI_FLOAT && e->tensors[value->id].layout.block[1] == e->device->vector_width;
}

void mi_conv_store_vector(struct mi_emitter *e, mi_value *value, const char *row, const char *column,
                          const char *vector)
{
    struct mi_coordinate at[5];
    mi_conv_set_at(at, value->shape.rank - 2, (struct mi_coordinate){"kb*B", "kb", "0", e->device->vector_width}, row,
                   column);
    const char *place = mi_layout_place(e->arena, &e->tensors[value->id].layout, &value->shape, at);
    mi_line(e, "VSTORE(%s, 0, p%d + (%s));", vector, mi_emit_argument(e, value, true), place);
}

/* Where a lane lies: `at` in the tensor, `place` in its layout; the last block's tail is in the layout alone. */
static const char *lane_at(struct mi_emitter *e, const struct mi_conv *conv, int b,
                           struct mi_coordinate *at, struct mi_coordinate *place)
{
    bool tail = conv->k % b != 0;
    if (tail)
        mi_line(e, "const int f_ = kb*B + v, k_ = min(f_, @%lld);", (long long)conv->k - 1);
    else
        mi_line(e, "const int k_ = kb*B + v;");
    mi_conv_set_at(at, conv->spatial,
                   tail ? (struct mi_coordinate){.at = "k_"} : (struct mi_coordinate){"k_", "kb", "v", b}, "oh", "w_");
    memcpy(place, at, 5 * sizeof *at);
    place[1] = (struct mi_coordinate){tail ? "f_" : "k_", "kb", "v", b};
    return tail ? mi_arena_format(e->arena, "f_ < @%lld", (long long)conv->k) : NULL;
}

void mi_conv_emit_stores(struct mi_emitter *e, const struct mi_conv *conv, int b, int indent, const char *with[2])
{
    struct mi_coordinate at[5], place[5];
    size_t memos = e->memos;
    e->indent = indent;
    mi_bind(e, e->kernel->anchor->out[0], "lane[v]");
    lane_at(e, conv, b, at, place);
    for (int o = 0; o < e->kernel->outs; o++)
        mi_line(e, "result[%d][v] = %s;", o, mi_emit_value(e, e->kernel->out[o], at, NULL));
    /* A tensor that is added may have another halo than the result, or none: the program is the same. */
    with[0] = mi_sizes_apart(e->arena, mi_emit_take(e));
    e->memos = memos;
    const char *real = lane_at(e, conv, b, at, place);
    for (int o = 0; o < e->kernel->outs; o++) {
        mi_value *value = e->kernel->out[o];
        const char *text = mi_arena_format(e->arena, "result[%d][v]", o);
        if (real && e->tensors[value->id].layout.block[1] != b) {
            size_t scope = mi_scope_open(e, "if (%s) ", real);
            mi_emit_store(e, value, at, text, NULL);
            mi_scope_close(e, scope);
        } else
            mi_emit_store(e, value, place, text, real);
    }
    with[1] = mi_emit_take(e);
}

const char *mi_conv_emit_asks(struct mi_emitter *e, const struct mi_conv *conv, int b, int indent)
{
    struct mi_coordinate at[5];
    size_t memos = e->memos, bounds = e->bounds;
    e->indent = indent;
    mi_bind(e, e->kernel->anchor->out[0], mi_types[MI_FLOAT].zero);
    mi_conv_set_at(at, conv->spatial, (struct mi_coordinate){"(kb*B)", "kb", "0", b}, "oh", "w_");
    e->ahead = true;
    for (int o = 0; o < e->kernel->outs && conv->k % b == 0; o++)
        mi_emit_value(e, e->kernel->out[o], at, NULL);
    e->ahead = false;
    e->memos = memos;
    e->bounds = bounds;
    const char *text = mi_sizes_apart(e->arena, mi_emit_take(e));
    /* Measured: asking for the only one gains nothing. */
    const char *one = strstr(text, "MICA_PREFETCH");
    return one && strstr(one + 1, "MICA_PREFETCH") ? text : "";
}

const char *mi_conv_emit_weight_store(struct mi_emitter *e, int indent)
{
    int last = e->kernel->out[0]->shape.rank - 1;
    struct mi_coordinate at[5] = {{.at = "k_"}, {.at = "c_"}, {.at = "kd"}};
    at[last - 1] = last > 2 ? (struct mi_coordinate){.at = "kh"} : at[last - 1];
    at[last] = (struct mi_coordinate){.at = "kw"};
    mi_bind(e, e->kernel->anchor->out[0], "sum_");
    e->indent = indent;
    for (int o = 0; o < e->kernel->outs; o++)
        mi_emit_store(e, e->kernel->out[o], at, mi_emit_value(e, e->kernel->out[o], at, NULL), NULL);
    return mi_emit_take(e);
}

/* ---- Halos ---- */

/* Fills place (h_, w_), outside the tensor, of the channels of block kb. */
static void fill_place(struct mi_emitter *e, mi_value *value)
{
    const struct mi_layout *layout = &e->tensors[value->id].layout;
    int b = e->device->vector_width;
    const char *fill = mi_arena_format(e->arena, "(float)%.9g", (double)layout->fill);
    struct mi_coordinate at[5];
    if (mi_conv_in_vectors(e, value)) {
        mi_conv_store_vector(e, value, "h_", "w_", mi_arena_format(e->arena, "(VEC)(%s)", fill));
        return;
    }
    mi_conv_set_at(at, value->shape.rank - 2, (struct mi_coordinate){"(kb*B + v)", "kb", "v", b}, "h_", "w_");
    const char *lanes = layout->block[1] == b
                            ? "B"
                            : mi_arena_format(e->arena, "min(B, @%lld - kb*B)", (long long)value->shape.dim[1].b);
    size_t scope = mi_scope_open(e, "for (int v = 0; v < %s; v++) ", lanes);
    mi_emit_store(e, value, at, fill, NULL);
    mi_scope_close(e, scope);
}

static void fill_places(struct mi_emitter *e, mi_value *value, const char *first, const char *end, int64_t left,
                        int64_t right)
{
    if (left >= right)
        return;
    size_t rows = mi_scope_open(e, "for (int h_ = %s; h_ < %s; h_++) ", first, end);
    size_t columns = mi_scope_open(e, "for (int w_ = %s%lld; w_ < @%lld; w_++) ", left > 0 ? "@" : "", (long long)left,
                                   (long long)right);
    fill_place(e, value);
    mi_scope_close(e, columns);
    mi_scope_close(e, rows);
}

/* Of a volume, what lies beside row `first` to `end` of plane od, and whole planes before the first and behind the last one. */
static void fill_planes(struct mi_emitter *e, mi_value *value, const struct mi_conv_rows *rows)
{
    const struct mi_layout *layout = &e->tensors[value->id].layout;
    const struct mi_dim *d = value->shape.dim;
    bool any = false;
    for (int i = 2; i < 5; i++)
        any = any || layout->low[i] || layout->high[i];
    if (!any)
        return;
    size_t planes = mi_scope_open(e, "for (IDX d_ = od ? od : -%d; d_ < (od == @%lld ? @%lld : od + 1); d_++) ", layout->low[2],
                                  (long long)d[2].b - 1, (long long)d[2].b + layout->high[2]);
    mi_line(e, "const bool own = d_ == od;");
    mi_line(e, "const IDX od = d_, h_end = %s ? @%lld : %s;", rows->at_bottom, (long long)d[3].b + layout->high[3], rows->end);
    size_t lines = mi_scope_open(e, "for (IDX h_ = %s ? -%d : %s; h_ < h_end; h_++) ", rows->at_top, layout->low[3], rows->first);
    size_t columns = mi_scope_open(e, "for (IDX w_ = -%d; w_ < @%lld; w_++) ", layout->low[4],
                                   (long long)d[4].b + layout->high[4]);
    mi_line(e, "w_ = w_ == 0 && own && h_ >= 0 && h_ < @%lld ? @%lld : w_;", (long long)d[3].b, (long long)d[4].b);
    size_t outside = mi_scope_open(e, "if (w_ < @%lld) ", (long long)d[4].b + layout->high[4]);
    fill_place(e, value);
    mi_scope_close(e, outside);
    mi_scope_close(e, columns);
    mi_scope_close(e, lines);
    mi_scope_close(e, planes);
}

const char *mi_conv_emit_halo(struct mi_emitter *e, const struct mi_conv *conv, int indent,
                              const struct mi_conv_rows *rows)
{
    e->indent = indent;
    for (int o = 0; o < e->kernel->outs; o++) {
        mi_value *value = e->kernel->out[o];
        const struct mi_layout *layout = &e->tensors[value->id].layout;
        if (conv->spatial == 3) {
            fill_planes(e, value, rows);
            continue;
        }
        int h = conv->spatial, w = conv->spatial + 1;
        int64_t top = h == 2 ? layout->low[h] : 0, bottom = h == 2 ? layout->high[h] : 0, height = conv->out[0];
        int64_t left = -layout->low[w], width = conv->out[1], right = width + layout->high[w];
        fill_places(e, value, rows->first, rows->end, left, 0);
        fill_places(e, value, rows->first, rows->end, width, right);
        if (top) {
            size_t scope = mi_scope_open(e, "if (%s) ", rows->at_top);
            fill_places(e, value, mi_arena_format(e->arena, "-%lld", (long long)top), "0", left, right);
            mi_scope_close(e, scope);
        }
        if (bottom) {
            size_t scope = mi_scope_open(e, "if (%s) ", rows->at_bottom);
            fill_places(e, value, mi_arena_format(e->arena, "@%lld", (long long)height),
                        mi_arena_format(e->arena, "@%lld", (long long)(height + bottom)), left, right);
            mi_scope_close(e, scope);
        }
    }
    return mi_emit_take(e);
}

const char *mi_conv_emit_border(struct mi_emitter *e, int indent)
{
    e->indent = indent;
    for (int o = 0; o < e->kernel->outs; o++) {
        mi_value *value = e->kernel->out[o];
        const struct mi_layout *layout = &e->tensors[value->id].layout;
        if (!layout->low[2] && !layout->high[2] && !layout->low[3] && !layout->high[3])
            continue;
        size_t edge = mi_scope_open(e, "if (row == 0 || row == ROW_TILES - 1 || column == 0 || column == COLUMN_TILES - 1) ");
        mi_line(e, "const int h_end = row == ROW_TILES - 1 ? @%lld : h0 + TILE;",
                (long long)value->shape.dim[2].b + layout->high[2]);
        mi_line(e, "const int w_end = column == COLUMN_TILES - 1 ? @%lld : w0 + TILE;",
                (long long)value->shape.dim[3].b + layout->high[3]);
        size_t rows = mi_scope_open(e, "for (int h_ = row ? h0 : -%d; h_ < h_end; h_++) ", layout->low[2]);
        size_t columns = mi_scope_open(e, "for (int w_ = column ? w0 : -%d; w_ < w_end; w_++) ", layout->low[3]);
        size_t outside = mi_scope_open(e, "if (h_ < 0 || h_ >= OH || w_ < 0 || w_ >= OW) ");
        fill_place(e, value);
        mi_scope_close(e, outside);
        mi_scope_close(e, columns);
        mi_scope_close(e, rows);
        mi_scope_close(e, edge);
    }
    return mi_emit_take(e);
}
