/* Draws random graphs. Each family of operators has a function that adds a step of its kind, or says that it cannot. */
#ifndef MICA_TEST_DRAW_H
#define MICA_TEST_DRAW_H

#include "random/recipe.h"

/* The graph of that seed: a few operators over inputs of random shapes. */
void recipe_draw(struct recipe *recipe, uint64_t seed, bool small);

/* ---- For families ---- */

struct drawing {
    struct recipe *recipe;
    uint64_t counter;            /* random numbers drawn so far */
    bool small;
    struct built built;          /* of the steps so far: its values have the shapes */
};

typedef bool draw_family(struct drawing *d);
draw_family draw_unary, draw_map, draw_reduce;
draw_family draw_reshape, draw_squeeze, draw_transpose, draw_slice, draw_concat, draw_expand, draw_pad, draw_gather;
draw_family draw_matmul, draw_gemm, draw_conv, draw_pool, draw_global_pool, draw_batch_normalization, draw_along_axis, draw_dropout,
    draw_label_loss, draw_categorical;

int draw_below(struct drawing *d, int64_t limit);       /* 0 to limit - 1 */
bool draw_chance(struct drawing *d, int percent);
double draw_real(struct drawing *d, double low, double high); /* a float32 */
int64_t draw_size(struct drawing *d);
int64_t *draw_ints(struct drawing *d, int count);       /* zeros, of the recipe */

const mi_value *draw_value(const struct drawing *d, struct place place);
const struct mi_shape *draw_shape(const struct drawing *d, struct place place);

enum { NO_STEP = -1 };
static inline bool place_is(struct place place) { return place.step >= 0; }

/* A value of that type and rank (-1: any) that is there already, or a new input. */
struct place draw_operand(struct drawing *d, enum mi_type type, int least_rank, int most_rank);
/* A new input, or (where no dimension varies) perhaps a variable. */
struct place draw_source(struct drawing *d, enum mi_type type, const struct mi_shape *shape, double low, double high);
/* A value that broadcasts against that shape without making it larger. */
struct place draw_partner(struct drawing *d, enum mi_type type, const struct mi_shape *shape);
/* A value of just that shape. */
struct place draw_like(struct drawing *d, enum mi_type type, const struct mi_shape *shape);
/* Whether a tensor of that shape is small enough. */
bool draw_fits(const struct drawing *d, const struct mi_shape *shape);

struct step step_begin(const char *op);
void step_operand(struct step *step, struct place place);
void step_attribute(struct step *step, struct mi_attribute attribute);
/* Writes a shape as the attributes of moves. */
void step_shape(struct drawing *d, struct step *step, const struct mi_shape *shape);
/* False: the operator does not take that, and nothing was added. */
bool draw_add(struct drawing *d, const struct step *step);
struct place draw_last(const struct drawing *d);

#endif
