/* ONNX's Loop, Scan and If, made of repeats (graph/repeat.c) and Where: what an importer of graphs with bodies calls. A body is no
 * graph of its own here: its nodes are added between the beginning and the end, and may read what stands outside. */
#ifndef MICA_SRC_LOOP_H
#define MICA_SRC_LOOP_H

#include "graph/graph.h"

/* ---- Loop ----
 *
 *     for (i = 0; i < trips && condition; i++)
 *         condition, now[0..count-1], scan[0..scans-1] = body(i, now[0..count-1])
 *
 * `bound` turns are computed, however many count: a turn that does not leaves what is carried as it is, and its scans are zeros.
 * What the body makes in such a turn is thrown away, also where it is no number; but there too its derivatives have to be numbers,
 * where a gradient is asked for. The condition that ONNX hands to a body is true, as it only runs turns that count. */
struct mi_loop {
    struct mi_graph *graph;
    int64_t bound;
    int count;
    mi_value *trips, *condition;      /* of the beginning; NULL: there is none */
    mi_value *iteration;              /* for the body: i, an int64 of rank 0 */
    mi_value **now;                   /* (count) for the body: what is carried; the graph's, as the next ones are */
    mi_value **last;                  /* (count) behind the end: what was carried out of the last turn that counts */
    mi_value **all;                   /* (scans) behind the end: (bound, ...), of each turn */
    mi_value *turns;                  /* behind the end: how many count, an int64 of rank 0 */
};

/* trips, one whole number, and condition, one bool, are data, of rank 0 or shape (1); NULL: no limit but the bound; first: what is
 * carried into the first turn. False: there is an error, which is the graph's. */
bool mi_loop_begin(struct mi_graph *graph, int64_t bound, mi_value *trips, mi_value *condition, mi_value *const *first, int count,
                   struct mi_loop *loop);
/* condition: whether another turn counts; NULL: as far as trips say. next: (count) of the types and shapes of what is carried. */
bool mi_loop_end(struct mi_loop *loop, mi_value *condition, mi_value *const *next, mi_value *const *scan, int scans);

/* ---- Scan ----
 *
 * A repeat is ONNX's Scan, of as many turns as its inputs have places: states are carried, and each input and output has an axis
 * and a direction of its own, here of a repeat that does not run backwards. A negative axis counts from the end, an output's from
 * that of the result. */
mi_value *mi_scan_input(struct mi_graph *graph, mi_value *x, int axis, bool backwards);
mi_value *mi_scan_output(struct mi_node *repeat, mi_value *value, int axis, bool backwards);

/* ---- If ---- */

/* out[i] is then[i] where the condition, one bool, holds, else otherwise[i], which have one type and shape. Both are computed. */
bool mi_choose_between(struct mi_graph *graph, mi_value *condition, mi_value *const *then, mi_value *const *otherwise, int count,
                       mi_value **out);

#endif
