/* Labels of a sequence from the scores of its steps, on the host: what a loss of MI_LABELS has taught a network to say. */
#include "base/base.h"

#include <mica/ctc.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NEVER ((double)-INFINITY) /* the logarithm of 0 */

static bool fits(const float *scores, int64_t steps, int64_t classes, int64_t blank, const int32_t *labels, const int64_t *count)
{
    size_t all;
    return count && steps >= 0 && classes >= 1 && classes <= INT32_MAX && blank >= 0 && blank < classes &&
           (!steps || (scores && labels)) && mi_mul_size((size_t)steps, (size_t)classes, &all);
}

/* ---- The best class of each step ---- */

mica_status mica_ctc_greedy(const float *scores, int64_t steps, int64_t classes, int64_t blank, int32_t *labels, int64_t *count)
{
    int64_t before = blank, made = 0;
    if (!fits(scores, steps, classes, blank, labels, count))
        return MICA_INVALID_ARGUMENT;
    for (int64_t t = 0; t < steps; t++) {
        const float *row = scores + t * classes;
        int64_t best = 0;
        for (int64_t c = 1; c < classes; c++)
            if (row[c] > row[best] || (isnan(row[best]) && !isnan(row[c])))
                best = c;
        if (best != blank && best != before)
            labels[made++] = (int32_t)best;
        before = best;
    }
    *count = made;
    return MICA_OK;
}

/* ---- The best labels: a search over beginnings ---- */

/* A beginning: another one and a label behind it. There is one node for each, so that beginnings are alike where their nodes
 * are. */
struct node {
    int64_t parent, child, sibling; /* child: the last that was made; sibling: the one before; -1: none */
    int32_t label;
};

/* How probable all ways are to spell a beginning with the steps so far, as logarithms. */
struct beam {
    int64_t node;                   /* -1: the beginning of beam `from` with a label behind it, which may have no node yet */
    int64_t from;
    int32_t label;
    double blank, other;            /* that end in the blank, and that end in a label */
};

struct search {
    int64_t classes, blank, width, beams, candidates;
    struct node *nodes;
    int64_t node_count;
    struct beam *beam, *candidate;  /* (width), (width * (classes + 1)) */
    double *logs;                   /* (classes) of the step */
    int64_t *longer;                /* (classes) a beam that is another one with this label behind it; -1: none */
};

/* log (exp a + exp b) */
static double plus(double a, double b)
{
    double most = a > b ? a : b, least = a > b ? b : a;
    return least > NEVER ? most + log1p(exp(least - most)) : most;
}

static double whole(const struct beam *beam)
{
    return plus(beam->blank, beam->other);
}

/* The most probable first; those that are alike in the order in which they were made. */
static int by_probability(const void *a, const void *b)
{
    const struct beam *left = a, *right = b;
    double one = whole(left), other = whole(right);
    if (one > other || one < other)
        return one > other ? -1 : 1;
    if (left->from != right->from)
        return left->from < right->from ? -1 : 1;
    return (left->label > right->label) - (left->label < right->label);
}

static void read_step(struct search *s, const float *row)
{
    double most = NEVER, sum = 0;
    for (int64_t c = 0; c < s->classes; c++)
        most = (double)row[c] > most ? (double)row[c] : most;
    for (int64_t c = 0; c < s->classes; c++) {
        s->logs[c] = isnan(row[c]) || isinf(most) ? NEVER : (double)row[c] - most;
        sum += exp(s->logs[c]);
    }
    for (int64_t c = 0; c < s->classes; c++)
        s->logs[c] -= sum > 0 ? log(sum) : 0;
}

/* What a label behind a beginning has of it: behind the same label a blank must lie between. */
static double behind(const struct search *s, const struct beam *beam, int32_t label)
{
    bool same = beam->node > 0 && s->nodes[beam->node].label == label;
    return (same ? beam->blank : whole(beam)) + s->logs[label];
}

/* Notes for each label which beam is beam i with that label behind it; `is` false: forgets it again. */
static void note_longer(struct search *s, int64_t i, bool is)
{
    for (int64_t k = 0; k < s->beams; k++) {
        const struct node *node = &s->nodes[s->beam[k].node];
        if (s->beam[k].node > 0 && node->parent == s->beam[i].node)
            s->longer[node->label] = is ? k : -1;
    }
}

/* Each beginning stays, by a blank or its last label once more, or goes on with a label. */
static void list_candidates(struct search *s)
{
    s->candidates = s->beams;
    for (int64_t i = 0; i < s->beams; i++) {
        const struct beam *beam = &s->beam[i];
        int32_t last = beam->node > 0 ? s->nodes[beam->node].label : -1;
        s->candidate[i] = (struct beam){.node = beam->node, .from = i, .label = -1, .blank = whole(beam) + s->logs[s->blank],
                                        .other = last >= 0 ? beam->other + s->logs[last] : NEVER};
    }
    for (int64_t i = 0; i < s->beams; i++) {
        note_longer(s, i, true);
        for (int32_t c = 0; c < s->classes; c++) {
            double log_p = behind(s, &s->beam[i], c);
            if (c == s->blank || !(log_p > NEVER))
                continue;
            if (s->longer[c] >= 0)
                s->candidate[s->longer[c]].other = plus(s->candidate[s->longer[c]].other, log_p);
            else
                s->candidate[s->candidates++] = (struct beam){-1, i, c, NEVER, log_p};
        }
        note_longer(s, i, false);
    }
}

/* The node of a beginning with a label behind it, made where there is none. */
static int64_t node_behind(struct search *s, int64_t parent, int32_t label)
{
    for (int64_t child = s->nodes[parent].child; child >= 0; child = s->nodes[child].sibling)
        if (s->nodes[child].label == label)
            return child;
    s->nodes[s->node_count] = (struct node){.parent = parent, .child = -1, .sibling = s->nodes[parent].child, .label = label};
    return s->nodes[parent].child = s->node_count++;
}

static void keep_best(struct search *s)
{
    int64_t kept = s->candidates < s->width ? s->candidates : s->width;
    qsort(s->candidate, (size_t)s->candidates, sizeof *s->candidate, by_probability);
    for (int64_t k = 0; k < kept; k++)
        if (s->candidate[k].node < 0)
            s->candidate[k].node = node_behind(s, s->beam[s->candidate[k].from].node, s->candidate[k].label);
    memcpy(s->beam, s->candidate, (size_t)kept * sizeof *s->beam);
    s->beams = kept;
}

static int64_t read_labels(const struct search *s, int64_t node, int32_t *labels)
{
    int64_t count = 0;
    for (int64_t at = node; at > 0; at = s->nodes[at].parent)
        count++;
    for (int64_t at = node, i = count; at > 0; at = s->nodes[at].parent)
        labels[--i] = s->nodes[at].label;
    return count;
}

/* Memory for all of it; false: there is none. */
static bool begin(struct search *s, int64_t steps)
{
    size_t nodes, candidates;
    if (!mi_mul_size((size_t)steps, (size_t)s->width, &nodes) || nodes > INT64_MAX - 1 ||
        !mi_mul_size((size_t)s->width, (size_t)s->classes + 1, &candidates))
        return false;
    s->nodes = mi_new(nodes + 1, sizeof *s->nodes);
    s->beam = mi_new((size_t)s->width, sizeof *s->beam);
    s->candidate = mi_new(candidates, sizeof *s->candidate);
    s->logs = mi_new((size_t)s->classes, sizeof *s->logs);
    s->longer = mi_new((size_t)s->classes, sizeof *s->longer);
    if (!s->nodes || !s->beam || !s->candidate || !s->logs || !s->longer)
        return false;
    for (int64_t c = 0; c < s->classes; c++)
        s->longer[c] = -1;
    s->nodes[0] = (struct node){.parent = -1, .child = -1, .sibling = -1, .label = -1};
    s->node_count = 1;
    s->beam[0] = (struct beam){.other = NEVER};
    s->beams = 1;
    return true;
}

mica_status mica_ctc_beam(const float *scores, int64_t steps, int64_t classes, int64_t blank, int64_t width, int32_t *labels,
                          int64_t *count, double *log_p)
{
    struct search s = {.classes = classes, .blank = blank, .width = width};
    if (!fits(scores, steps, classes, blank, labels, count) || width < 1)
        return MICA_INVALID_ARGUMENT;
    bool made = begin(&s, steps);
    for (int64_t t = 0; t < steps && made; t++) {
        read_step(&s, scores + t * classes);
        list_candidates(&s);
        keep_best(&s);
    }
    if (made) {
        *count = read_labels(&s, s.beam[0].node, labels);
        if (log_p)
            *log_p = whole(&s.beam[0]);
    }
    free(s.nodes);
    free(s.beam);
    free(s.candidate);
    free(s.logs);
    free(s.longer);
    return made ? MICA_OK : MICA_OUT_OF_MEMORY;
}

/* ---- How far labels are from others ---- */

int64_t mica_edit_distance(const int32_t *a, int64_t a_count, const int32_t *b, int64_t b_count)
{
    if (a_count < 0 || b_count < 0 || b_count == INT64_MAX || (a_count && !a) || (b_count && !b))
        return -1;
    int64_t *row = mi_new((size_t)b_count + 1, sizeof *row), far = -1;
    for (int64_t k = 0; row && k <= b_count; k++)
        row[k] = k;
    for (int64_t i = 0; row && i < a_count; i++) {
        int64_t corner = row[0]; /* of i and k labels, while row[k] is of i + 1 */
        row[0] = i + 1;
        for (int64_t k = 0; k < b_count; k++) {
            int64_t other = corner + (a[i] != b[k]), without = (row[k] < row[k + 1] ? row[k] : row[k + 1]) + 1;
            corner = row[k + 1];
            row[k + 1] = other < without ? other : without;
        }
    }
    if (row)
        far = row[b_count];
    free(row);
    return far;
}
