/* Nests: the loop over a tile's places, cut where a guard begins or ends to hold: the pieces of a joined tensor, the inside of a
 * padded one, the windows that lie in the image. Most places then ask nothing. */
#include "nest/inside.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_CUTS = 9 };

struct split {
    struct mi_asked asked;
    int64_t cut[MOST_CUTS + 2];  /* along the last axis, its ends included */
    int cuts;
    bool settled[MOST_CUTS + 1]; /* of each piece: something is known there */
    struct mi_known outer[MI_MAX_RANK]; /* where guards along the other axes hold */
    int outers;
    const char *condition;       /* that the place is there; NULL: always */
};

/* What the body's guards ask; what it writes is dropped. */
static void ask(struct mi_nest *s, struct split *split, void (*body)(struct mi_nest *s))
{
    struct mi_emitter *e = s->e;
    size_t size = e->text.size, bounds = e->bounds;
    int names = e->names, indent = e->indent;
    e->asked = &split->asked;
    size_t scope = mi_nest_open_places(s);
    body(s);
    mi_scope_close(e, scope);
    e->asked = NULL;
    e->names = names;
    e->indent = indent;
    e->bounds = bounds;
    e->text.size = size;
    if (e->text.data)
        e->text.data[size] = 0;
}

static int compare(const void *x, const void *y)
{
    const int64_t *a = x, *b = y;
    return *a < *b ? -1 : *a > *b;
}

/* Where the last axis is cut; false: nowhere, or too often. */
static bool find_cuts(const struct mi_nest *s, struct split *split)
{
    int last = s->kept.rank - 1;
    int64_t size = s->kept.dim[last].b;
    if (split->asked.more || s->kept.dim[last].a)
        return false;
    split->cut[split->cuts++] = 0;
    for (int i = 0; i < 2 * split->asked.count; i++) {
        const struct mi_range *range = &split->asked.list[i / 2].range;
        int64_t at = i % 2 ? range->high : range->low;
        bool known = at <= 0 || at >= size || strcmp(split->asked.list[i / 2].at, s->at[last].at) != 0;
        for (int k = 0; k < split->cuts && !known; k++)
            known = split->cut[k] == at;
        if (known)
            continue;
        if (split->cuts == MOST_CUTS)
            return false;
        split->cut[split->cuts++] = at;
    }
    qsort(split->cut, (size_t)split->cuts, sizeof *split->cut, compare);
    split->cut[split->cuts] = size;
    return true;
}

/* In which pieces something is known of a guard along the last axis. */
static void settle(const struct mi_nest *s, struct split *split)
{
    const char *at = s->at[s->kept.rank - 1].at;
    for (int p = 0; p < split->cuts; p++) {
        bool asked = false;
        for (int i = 0; i < split->asked.count; i++) {
            if (strcmp(split->asked.list[i].at, at) != 0)
                continue;
            const struct mi_range *range = &split->asked.list[i].range;
            asked = true;
            split->settled[p] = split->settled[p] || split->asked.list[i].exact ||
                                (range->low <= split->cut[p] && split->cut[p + 1] <= range->high);
        }
        split->settled[p] = split->settled[p] || !asked;
    }
}

/* Where all guards along the other axes hold. */
static void find_outer(struct mi_nest *s, struct split *split)
{
    for (int axis = 0; axis < s->kept.rank - 1; axis++) {
        struct mi_range range = {INT64_MIN, INT64_MAX};
        for (int i = 0; i < split->asked.count; i++) {
            const struct mi_range *own = &split->asked.list[i].range;
            if (strcmp(split->asked.list[i].at, s->at[axis].at) != 0)
                continue;
            range.low = own->low > range.low ? own->low : range.low;
            range.high = own->high < range.high ? own->high : range.high;
        }
        bool all = range.low <= 0 && s->kept.dim[axis].a == 0 && range.high >= s->kept.dim[axis].b;
        if (range.high == INT64_MAX || range.low >= range.high)
            continue;
        split->outer[split->outers++] = (struct mi_known){s->at[axis].at, range};
        if (!all)
            split->condition =
                mi_nest_and_also(s, split->condition,
                                 mi_arena_format(s->e->arena, "%s >= %lld && %s < @%lld", s->at[axis].at, (long long)range.low,
                                                 s->at[axis].at, (long long)range.high));
    }
}

/* A place along the last axis as one of the tile. */
static const char *within(struct mi_nest *s, const struct split *split, int cut)
{
    if (cut == 0)
        return "0";
    if (cut == split->cuts)
        return s->places;
    return mi_arena_format(s->e->arena, "clamp((int)(@%lld - first), 0, (int)%s)", (long long)split->cut[cut], s->places);
}

static void write_settled(struct mi_nest *s, const struct split *split, int p, void (*body)(struct mi_nest *s))
{
    struct mi_emitter *e = s->e;
    const char *from = mi_emit_name(e, "from"), *to = mi_emit_name(e, "to");
    size_t block = mi_scope_open(e, "%s", "");
    mi_line(e, "const int %s = %s, %s = %s;", from, within(s, split, p), to, within(s, split, p + 1));
    size_t scope = mi_nest_open_some(s, from, to);
    memcpy(e->known, split->outer, sizeof split->outer);
    e->knowns = split->outers;
    e->known[e->knowns++] = (struct mi_known){s->at[s->kept.rank - 1].at, {split->cut[p], split->cut[p + 1]}};
    body(s);
    e->knowns = 0;
    mi_scope_close(e, scope);
    mi_scope_close(e, block);
}

/* The pieces in which nothing is known, and all of them where the condition does not hold, are the turns of one loop. */
static void write_others(struct mi_nest *s, const struct split *split, void (*body)(struct mi_nest *s))
{
    struct mi_emitter *e = s->e;
    int others = 0;
    const char *from = "0", *to = "0";
    for (int p = split->cuts - 1; p >= 0; p--) {
        if (split->settled[p])
            continue;
        others++;
        from = mi_arena_format(e->arena, "part == %d ? %s : %s", p, within(s, split, p), from);
        to = mi_arena_format(e->arena, "part == %d ? %s : %s", p, within(s, split, p + 1), to);
    }
    if (others == 0 && !split->condition)
        return;
    size_t parts = mi_scope_open(e, "for (int part = 0; part < %d; part++) ", others ? split->cuts : 1);
    if (split->condition) {
        from = mi_arena_format(e->arena, "whole ? %s : 0", from);
        to = mi_arena_format(e->arena, "whole ? %s : part ? 0 : %s", to, s->places);
    }
    mi_line(e, "const int from = %s;", from);
    mi_line(e, "const int to = %s;", to);
    size_t scope = mi_nest_open_some(s, "from", "to");
    body(s);
    mi_scope_close(e, scope);
    mi_scope_close(e, parts);
}

static bool can_split(const struct mi_nest *s)
{
    return s->e->device->is_cpu && s->v > 1 && !s->by_rows && !s->kernel->anchor && !s->e->groups && !s->e->flat &&
           s->kept.rank > 0 && s->cross < 0 && (s->taps || s->reductions == 0) &&
           mi_layout_is_plain(&s->layout, s->kept.rank);
}

void mi_nest_split_places(struct mi_nest *s, void (*body)(struct mi_nest *s))
{
    struct mi_emitter *e = s->e;
    struct split split = {.cuts = 0};
    if (can_split(s))
        ask(s, &split, body);
    bool cut = split.asked.count && find_cuts(s, &split);
    if (cut) {
        settle(s, &split);
        find_outer(s, &split);
    }
    if (!cut || (split.cuts == 1 && !split.condition && !split.outers)) {
        if (can_split(s) && mi_nest_by_phases(s, body))
            return;
        size_t scope = mi_nest_open_places(s);
        body(s);
        mi_scope_close(e, scope);
        return;
    }
    size_t block = mi_scope_open(e, "%s", ""), whole = 0;
    if (split.condition) {
        mi_line(e, "const bool whole = %s;", split.condition);
        whole = mi_scope_open(e, "if (whole) ");
    }
    for (int p = 0; p < split.cuts; p++)
        if (split.settled[p])
            write_settled(s, &split, p, body);
    if (split.condition)
        mi_scope_close(e, whole);
    write_others(s, &split, body);
    mi_scope_close(e, block);
}
