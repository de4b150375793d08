/* Nests: taps, few reduced places that are folded where each result is, written out. */
#include "nest/rule.h"

enum { ASKED_EVERY = 8 }; /* places */

static void declare_scalars(struct mi_nest *s, const struct mi_node *node, struct mi_state *state)
{
    *state = (struct mi_state){.limit = &mi_types[node->in[0]->type]};
    for (int i = 0; i < 2 && mi_nest_state_type(node, i); i++) {
        state->name[state->count++] = mi_emit_name(s->e, "s");
        mi_line(s->e, "%s %s;", mi_nest_state_type(node, i), state->name[i]);
    }
    mi_line(s->e, "%s", mi_nest_statement(s, mi_nest_rule(node)->init, state, "", NULL, NULL));
}

static void fold_tap(struct mi_nest *s, const struct mi_state *states, int axis)
{
    if (axis < s->reductions) {
        for (int64_t i = 0; i < s->reduced[axis].b; i++) {
            s->reduced_at[axis] = mi_arena_format(s->e->arena, "%lld", (long long)i);
            fold_tap(s, states, axis + 1);
        }
        return;
    }
    for (int m = 0; m < s->kernel->count; m++) {
        const struct mi_node *node = s->kernel->nodes[m];
        if (!mi_nest_is_reduction(node))
            continue;
        const char *x = mi_nest_element(s, node);
        mi_line(s->e, "%s", mi_nest_statement(s, mi_nest_rule(node)->step, &states[m], "", NULL, x));
    }
}

/* The rows that the next tile reads, in all but the last reduced axis. */
static void ask_rows(struct mi_nest *s, int axis)
{
    int last = s->reductions - 1;
    if (axis == last) {
        s->reduced_at[last] = "0";
        for (int m = 0; m < s->kernel->count; m++)
            if (mi_nest_is_reduction(s->kernel->nodes[m]))
                mi_nest_element(s, s->kernel->nodes[m]);
        return;
    }
    for (int64_t i = 0; i < s->reduced[axis].b; i++) {
        s->reduced_at[axis] = mi_arena_format(s->e->arena, "%lld", (long long)i);
        ask_rows(s, axis + 1);
    }
}

void mi_nest_ask_taps(struct mi_nest *s)
{
    struct mi_emitter *e = s->e;
    int row = s->kept.rank - 2, last = s->dims - 1;
    if (!s->taps || row < 0)
        return;
    size_t scope = mi_scope_open(e, "for (int v = 0; v < %s; v += %d) ", s->places, ASKED_EVERY);
    mi_line(e, "const IDX m%d = first + v;", last);
    mi_nest_coordinates(s, true);
    struct mi_coordinate own = s->at[row];
    s->at[row].at = mi_arena_format(e->arena, "(%s + 2)", own.at);
    e->ahead = true;
    ask_rows(s, 0);
    e->ahead = false;
    s->at[row] = own;
    mi_scope_close(e, scope);
}

void mi_nest_fold_taps(struct mi_nest *s)
{
    struct mi_emitter *e = s->e;
    struct mi_state *states = mi_arena_new(e->arena, (size_t)s->kernel->count, sizeof *states);
    for (int m = 0; m < s->kernel->count && states; m++)
        if (mi_nest_is_reduction(s->kernel->nodes[m]))
            declare_scalars(s, s->kernel->nodes[m], &states[m]);
    if (states)
        fold_tap(s, states, 0);
    for (int m = 0; m < s->kernel->count && states; m++) {
        const struct mi_node *node = s->kernel->nodes[m];
        for (int o = 0; o < node->outputs && mi_nest_is_reduction(node); o++) {
            if (!mi_nest_rule(node)->finish[o])
                continue;
            const char *name = mi_emit_name(e, "f");
            mi_line(e, "const %s %s = %s;", mi_types[node->out[o]->type].c, name,
                    mi_nest_statement(s, mi_nest_rule(node)->finish[o], &states[m], "", NULL, NULL));
            mi_bind(e, node->out[o], name);
        }
    }
}
