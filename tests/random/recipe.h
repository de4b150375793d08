/* A random graph as a list of steps that can be built, printed and cut down. */
#ifndef MICA_TEST_RECIPE_H
#define MICA_TEST_RECIPE_H

#include "base/base.h"
#include "graph/op.h"
#include "ops/ops.h"

enum { MOST_STEPS = 32, MOST_STEP_INPUTS = 8, MOST_ATTRIBUTES = 8 };

struct place {
    int step, output;
};

/* An operator with its operands; or, without an operator, an input or a variable with the range of its elements. */
struct step {
    const char *op;              /* NULL: a source */
    int inputs, attributes;
    struct place in[MOST_STEP_INPUTS];
    struct mi_attribute attribute[MOST_ATTRIBUTES]; /* what they point at lives in the recipe's arena */
    bool variable, still;        /* still: of a source that nobody differentiates by */
    enum mi_type type;
    struct mi_shape shape;       /* also of an operator: what its first output was when it was drawn */
    double low, high;
};

struct recipe {
    struct mi_arena arena;
    uint64_t seed;
    int64_t batch;               /* the largest n */
    bool training;
    bool forward;                /* some operator has no gradient here: it says that it is unsupported */
    int count;
    struct step step[MOST_STEPS];
};

/* A recipe with its graph. The outputs y<step>.<output> are what nobody else reads; where it is differentiated, also
 * d<step>, the gradient by each source of floats of the sum of all outputs that have one, weighted by the inputs
 * w<step>.<output>. */
struct built {
    struct mi_variables variables;
    struct mi_graph *graph;
    mi_value *value[MOST_STEPS][MI_MAX_OUTPUTS];
    bool differentiated;
};

/* False: the operators do not take that; graph->error says why. Gradients are for recipes that have them. */
bool recipe_build(const struct recipe *recipe, bool gradients, struct built *out);
void built_destroy(struct built *built);

/* The recipe as a list, a line a step. */
void recipe_print(const struct recipe *recipe, struct mi_text *out);

/* Copies attributes and what they point at. */
void recipe_copy(struct recipe *to, const struct recipe *from);
void recipe_destroy(struct recipe *recipe);
/* Takes away the steps that are not marked; those that remain may not read them. */
void recipe_keep(struct recipe *recipe, const bool *keep);
/* Whether some step reads output `output` (-1: any) of a step. */
bool recipe_is_read(const struct recipe *recipe, int step, int output);

#endif
