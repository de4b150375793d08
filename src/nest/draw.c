/* Nests of maps: the random numbers of a tile, drawn together before its loop. A block of the generator is eight numbers, and a
 * loop over places would compute it for each of them. */
#include "nest/inside.h"

static bool draws(const struct mi_nest *s, const struct mi_node *node)
{
    return mi_draws(node) && mi_shape_equal(&node->out[0]->shape, &s->kernel->space);
}

static bool has_runs(const struct mi_nest *s)
{
    return s->e->device->is_cpu && !s->reductions && !s->kernel->anchor && !s->e->flat && s->kept.rank > 0 &&
           mi_layout_is_plain(&s->layout, s->kept.rank);
}

bool mi_nest_draws(const struct mi_nest *s)
{
    for (int m = 0; m < s->kernel->count && has_runs(s); m++)
        if (draws(s, s->kernel->nodes[m]))
            return true;
    return false;
}

/* The row-major index of a tile's first place is that of its numbers, which begin at a multiple of 64. */
void mi_nest_draw(struct mi_nest *s)
{
    struct mi_emitter *e = s->e;
    struct mi_coordinate at[MI_MAX_RANK];
    const char *name = NULL;
    if (!has_runs(s) || s->cross >= 0)
        return;
    for (int i = 0; i < s->kept.rank; i++)
        at[i] = i == s->kept.rank - 1 ? (struct mi_coordinate){.at = "first"} : s->at[i];
    for (int m = 0; m < s->kernel->count && e->draws < MI_MAX_DRAWS; m++) {
        const struct mi_node *node = s->kernel->nodes[m];
        if (!draws(s, node))
            continue;
        if (!name) {
            struct mi_layout plain = mi_layout_plain(s->kept.rank);
            name = mi_emit_name(e, "d");
            mi_line(e, "const ulong i%s = (ulong)(%s)%s;", name, mi_layout_place(e->arena, &plain, &s->kept, at),
                    mi_emit_rows_before(e, node));
            mi_line(e, "const int o%s = (int)(i%s %% 64);", name, name);
        }
        const char *numbers = mi_emit_name(e, "u"), *stream, *generator = mi_emit_generator(e, node, &stream);
        mi_line(e, "float %s[%d];", numbers, s->v + 128);
        mi_line(e, "%ss(%s, i%s / 64, (o%s + (int)%s + 63) / 64, %s);", generator, stream, name, name, s->places, numbers);
        e->draw[e->draws++] = (struct mi_draw){node, mi_arena_format(e->arena, "%s[o%s + v]", numbers, name)};
    }
}
