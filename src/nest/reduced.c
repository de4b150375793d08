/* Nests: loops over all reduced places, outside of a fold. */
#include "nest/rule.h"

void mi_nest_close_reduced(struct mi_nest *s, int leave, const size_t *scopes)
{
    for (int i = s->reductions - leave - 1; i >= 0; i--)
        mi_scope_close(s->e, scopes[i]);
}

/* Loops over all reduced places in the lanes of the work-group, each the coordinates of one. */
size_t mi_nest_open_lanes(struct mi_nest *s)
{
    struct mi_emitter *e = s->e;
    size_t scope = mi_scope_open(e, "for (IDX r = lane; r < %s; r += %d) ", mi_nest_reduced_count(s), s->lanes);
    const char *rest = "r";
    for (int i = s->reductions - 1; i >= 0; i--) {
        const char *size = mi_dim_text(e->arena, s->reduced[i]);
        s->reduced_at[i] = mi_arena_format(e->arena, "r%d", i);
        if (i == 0)
            mi_line(e, "const IDX r0 = %s;", rest);
        else
            mi_line(e, "const IDX r%d = %s %% %s, w%d = %s / %s;", i, rest, size, i, rest, size);
        rest = mi_arena_format(e->arena, "w%d", i);
    }
    return scope;
}
