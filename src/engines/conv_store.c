/* How convolution kernels that hold results in lanes of filters store them: through the accessor of every output, so that maps
 * ride along and any layout is written. */
#include "engines/conv.h"

#include <string.h>

/* Where a lane lies: `at` in the tensor, `place` in its layout; the last block's tail is in the layout alone. */
static const char *lane_at(struct mi_emitter *e, const struct mi_conv *conv, int b,
                           struct mi_coordinate *at, struct mi_coordinate *place)
{
    bool tail = conv->k % b != 0;
    at[0] = (struct mi_coordinate){.at = "img"};
    if (tail) {
        mi_line(e, "const int f_ = kb*B + v, k_ = min(f_, %lld);", (long long)conv->k - 1);
        at[1] = (struct mi_coordinate){.at = "k_"};
    } else {
        mi_line(e, "const int k_ = kb*B + v;");
        at[1] = (struct mi_coordinate){"k_", "kb", "v", b};
    }
    if (conv->spatial == 2)
        at[2] = (struct mi_coordinate){.at = "oh"};
    at[1 + conv->spatial] = (struct mi_coordinate){.at = "w_"};
    memcpy(place, at, 4 * sizeof *at);
    place[1] = (struct mi_coordinate){tail ? "f_" : "k_", "kb", "v", b};
    return tail ? mi_arena_format(e->arena, "f_ < %lld", (long long)conv->k) : NULL;
}

void mi_conv_emit_stores(struct mi_emitter *e, const struct mi_conv *conv, int b, int indent, const char *with[2])
{
    struct mi_coordinate at[4], place[4];
    size_t memos = e->memos;
    e->indent = indent;
    mi_bind(e, e->kernel->anchor->out[0], "lane[v]");
    lane_at(e, conv, b, at, place);
    for (int o = 0; o < e->kernel->outs; o++)
        mi_line(e, "result[%d][v] = %s;", o, mi_emit_value(e, e->kernel->out[o], at, NULL));
    with[0] = mi_emit_take(e);
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

const char *mi_conv_emit_border(struct mi_emitter *e, int b, int indent)
{
    e->indent = indent;
    for (int o = 0; o < e->kernel->outs; o++) {
        mi_value *value = e->kernel->out[o];
        const struct mi_layout *layout = &e->tensors[value->id].layout;
        struct mi_coordinate at[4] = {{.at = "img"}, {"(kb*B + v)", "kb", "v", b}, {.at = "h_"}, {.at = "w_"}};
        if (!layout->low[2] && !layout->high[2] && !layout->low[3] && !layout->high[3])
            continue;
        size_t edge = mi_scope_open(e, "if (row == 0 || row == ROW_TILES - 1 || column == 0 || column == COLUMN_TILES - 1) ");
        mi_line(e, "const int h_end = row == ROW_TILES - 1 ? OH + %d : h0 + TILE;", layout->high[2]);
        mi_line(e, "const int w_end = column == COLUMN_TILES - 1 ? OW + %d : w0 + TILE;", layout->high[3]);
        size_t rows = mi_scope_open(e, "for (int h_ = row ? h0 : -%d; h_ < h_end; h_++) ", layout->low[2]);
        size_t columns = mi_scope_open(e, "for (int w_ = column ? w0 : -%d; w_ < w_end; w_++) ", layout->low[3]);
        size_t outside = mi_scope_open(e, "if (h_ < 0 || h_ >= OH || w_ < 0 || w_ >= OW) ");
        size_t lanes = layout->block[1] == b
                           ? mi_scope_open(e, "for (int v = 0; v < B; v++) ")
                           : mi_scope_open(e, "for (int v = 0; v < min(B, FILTERS - kb*B); v++) ");
        mi_emit_store(e, value, at, mi_arena_format(e->arena, "(float)%.9g", (double)layout->fill), NULL);
        mi_scope_close(e, lanes);
        mi_scope_close(e, outside);
        mi_scope_close(e, columns);
        mi_scope_close(e, rows);
        mi_scope_close(e, edge);
    }
    return mi_emit_take(e);
}
