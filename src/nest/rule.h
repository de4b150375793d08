/* The statements of a reduce rule, for a state in variables of the kernel: what folds, by whole loops or by taps, are made of. */
#ifndef MICA_SRC_NEST_RULE_H
#define MICA_SRC_NEST_RULE_H

#include "nest/inside.h"

/* The variables of one reduction. */
struct mi_state {
    const char *name[2];
    int count;
    const struct mi_type_info *limit; /* the element's type */
};

/* The rule of a member that reduces; a contraction's is the sum. */
const struct mi_reduce_rule *mi_nest_rule(const struct mi_node *node);
/* A statement of the rule with its names replaced: s0 and s1 by the state's variables with `at` behind them, t0 and t1 by the same
 * with `other`, x by the element, r by its number among the reduced, and count by how many there are. So "s0 += x;", of a sum,
 * becomes "s3_0[v] += p1[m0*16 + r0];". */
const char *mi_nest_statement(struct mi_nest *s, const char *text, const struct mi_state *own, const char *at, const char *other,
                              const char *x);
/* How many places are reduced. */
const char *mi_nest_reduced_count(struct mi_nest *s);
/* The OpenCL type of variable i of a reduction's state; NULL: it has no such variable. */
const char *mi_nest_state_type(const struct mi_node *node, int i);
/* The length of an array of so many. */
int mi_nest_array_size(int count);
/* How many partial results a reduction has. */
int mi_nest_partial(const struct mi_nest *s);
/* Declares the variables of a reduction and sets them as the rule begins. */
struct mi_state mi_nest_declare_state(struct mi_nest *s, const struct mi_node *node);
/* x, the element that a reduction folds in, at the open loops' coordinates. */
const char *mi_nest_element(struct mi_nest *s, const struct mi_node *node);

#endif
