/* What the engines for convolutions share: what their kernels know of one, and how they store its results. */
#ifndef MICA_SRC_CONV_H
#define MICA_SRC_CONV_H

#include "engines/match/conv.h"

/* Whether it is one that Winograd's algorithm knows, but for its dilation: a 3 x 3 kernel, no stride, and no size so large that
 * products of sizes leave 64 bits. */
bool mi_conv_takes_tiles(const struct mi_conv *conv);
/* The halo with which whole tiles of tile x tile results of a 3 x 3 kernel, also the last ones, read inside x. */
void mi_conv_tile_halo(struct mi_conv *conv, int tile);

/* The layout in which kernels/direct.cl and direct_weight.cl read x: blocks of xb channels (1: planes), with the halo that is
 * read. */
struct mi_layout mi_conv_input_layout(const struct mi_conv *conv, int xb);
/* Defines what the kernels know of a convolution: sizes, strides, X and how it lies, vectors of `b` lanes. */
void mi_conv_define(struct mi_emitter *e, const struct mi_conv *conv, int b, int xb, struct mi_text *text);
/* The same for one phase of it. */
void mi_conv_define_phase(struct mi_emitter *e, const struct mi_conv *conv, const struct mi_phase phase[MI_CONV_AXES], int b,
                          int xb, struct mi_text *text);
/* Of a weight gradient: dy in blocks of b filters, and how it lies. */
void mi_conv_define_gradient(struct mi_emitter *e, const struct mi_conv *conv, int b, struct mi_text *text);
void mi_define(struct mi_text *text, const char *name, int64_t value);
/* Whether groups begin and end with whole vectors of b filters and of b channels; so do those of one group, which has all. */
bool mi_conv_groups_fit(const struct mi_conv *conv, int b);
/* Whether tiles of so many blocks of b filters lie each in one group. */
bool mi_conv_in_group(const struct mi_conv *conv, int b, int blocks);
/* Defines what the kernels know of groups: in which block of channels that of the filters ob0 and on begins. */
void mi_conv_define_groups(const struct mi_conv *conv, int b, struct mi_text *text);
/* Defines a size of the problem, which becomes an argument of the kernel (finish.c). */
void mi_define_size(struct mi_text *text, const char *name, int64_t value);

/* Wishes for x in one layout and for the other operand in another. */
struct mi_wishes mi_conv_wishes(const struct mi_problem *problem, const struct mi_conv *conv, struct mi_layout x,
                                struct mi_layout other);

/* ---- store.c ---- */

/* Two texts: one computes lane `v` of every output, result[o][v], from lane[v], the other stores it through the outputs'
 * accessors. The kernel's variables are img, kb (a block of b filters), v, of a volume od, oh and w_. */
void mi_conv_emit_stores(struct mi_emitter *e, const struct mi_conv *conv, int b, int indent, const char *with[2]);
/* A text that asks for what the outputs' maps read for block kb at place (oh, w_), in whole tensors; "" where that is less than
 * two of them. */
const char *mi_conv_emit_asks(struct mi_emitter *e, const struct mi_conv *conv, int b, int indent);
/* The text that fills the part of every output's halo that goes with rows first to end - 1 of block kb of image img: left and
 * right of them, above where they are the first, and below where they are the last. */
struct mi_conv_rows {
    const char *first, *end, *at_top, *at_bottom;
};
const char *mi_conv_emit_halo(struct mi_emitter *e, const struct mi_conv *conv, int indent,
                              const struct mi_conv_rows *rows);
/* The same for one tile of TILE x TILE places, at (row, column) of ROW_TILES x COLUMN_TILES and from (h0, w0) on. Two spatial
 * axes. */
const char *mi_conv_emit_border(struct mi_emitter *e, int indent);

/* The text that stores a weight's gradient, sum_ of filter k_, channel c_ and place kd (of a volume), kh, kw, through the
 * outputs' accessors. */
const char *mi_conv_emit_weight_store(struct mi_emitter *e, int indent);

/* The coordinates of an element of image img; of a volume in plane od. */
void mi_conv_set_at(struct mi_coordinate *at, int spatial, struct mi_coordinate channel, const char *row,
                    const char *column);
/* Whether an output lies in vectors of channels. */
bool mi_conv_in_vectors(const struct mi_emitter *e, const mi_value *value);
/* Stores a vector of such an output, at the first lane of block kb. */
void mi_conv_store_vector(struct mi_emitter *e, mi_value *value, const char *row, const char *column,
                          const char *vector);

/* Elements between neighbours along each axis of a layout; false where that depends on n. */
bool mi_layout_strides(const struct mi_layout *layout, const struct mi_shape *shape, int64_t *stride);

#endif
