/* Equations of Einsum: "abc,cd->abd" names each axis of each operand by a letter. A letter that the result lacks is summed over;
 * "..." stands for the axes that no letter names. */
#ifndef MICA_SRC_EQUATION_H
#define MICA_SRC_EQUATION_H

#include "graph/graph.h"

enum { MI_MOST_TERMS = 4, MI_MOST_LETTERS = 52 };

/* The letters of an operand, or of the result: at most MI_MAX_RANK. */
struct mi_term {
    int count;                   /* of letters */
    char letter[MI_MOST_LETTERS];
    int dots;                    /* "..." stands before letter[dots]; -1: nowhere */
};

struct mi_equation {
    int operands;
    struct mi_term operand[MI_MOST_TERMS], result;
};

/* Without an arrow the result has the letters that occur once, in the order of the alphabet, behind "..." where an operand has it.
 * Errors say what is wrong with which text. */
mica_status mi_equation_parse(struct mi_error *error, const char *text, struct mi_equation *equation);
/* As a text, with an arrow; NULL: no memory. */
const char *mi_equation_text(struct mi_arena *arena, const struct mi_equation *equation);
/* Where the letter stands in a term; -1: nowhere. */
int mi_term_find(const struct mi_term *term, char letter);

/* Gives the axes that "..." stands for letters of their own, the last ones of each operand the same, and checks ranks and sizes:
 * an axis of size 1 meets any under "...". size: of each letter. */
mica_status mi_equation_fit(struct mi_error *error, struct mi_equation *equation, const struct mi_shape *const *shapes, int count,
                            struct mi_dim size[128]);

#endif
