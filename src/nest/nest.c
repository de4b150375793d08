/* Nests: one kernel for maps, moves and the reductions that share its index space.
 *
 * The kept axes (all, where nothing is reduced) are divided into tiles of V neighbours along the last physical dimension.
 * A tile is the work of one item: for each level of reductions it runs over the reduced axes, then it stores. Two ways:
 *
 *   by columns   every variable of a tile is an array over its V places, and the loop over them is innermost: neighbours
 *                along the last kept axis are read together. Also for plain maps.
 *                Where few places are reduced, a pool's window say, each place folds its own in registers (taps).
 *   by rows      one place a tile; the innermost loop runs along the last reduced axis, in V partial results on a CPU and
 *                in the lanes of a work-group on others, which are merged at the end.
 *
 * The order of a sum depends on the shape and the device alone, so that results are the same on every run.
 *
 * Relu(x - ReduceMean(x, axes 1)) of x (n, 6) is one nest. Its kept axis is n, its reduced one the columns. By columns, with V = 2
 * and the names as they are written (`mica inspect --plan` shows all of it), an item's work on a tile is
 *
 *     float s0_0[8] = the reduction's state, 0 in each place of the tile;
 *     for (r0 = 0; r0 < 6; r0++)                        level 1 runs over the reduced axis, ...
 *         for (v = 0; v < places; v++)                  ... neighbours innermost
 *             s0_0[v] += p0[(first + v)*dim0 + r0];
 *     for (v = 0; v < 2; v++)
 *         f2[v] = s0_0[v] / (1*dim0);                   what the mean is made of its state
 *     for (k0_r = 0; k0_r < dim0; k0_r++)               what has the reduced axis, too, is swept behind it
 *         for (v = 0; v < places; v++) {
 *             const float v4 = p0[(first + v)*dim0 + k0_r];
 *             const float v5 = v4 - f2[v];
 *             p1[(first + v)*dim0 + k0_r] = v5 < 0 ? 0 : v5;
 *         } */
#include "nest/nest.h"

#include "nest/inside.h"

mica_status mi_emit_nest(struct mi_emitter *e, struct mi_codes *codes)
{
    struct mi_nest s = {.e = e, .kernel = e->kernel};
    if (e->kernel->anchor)
        MI_TRY(e->kernel->anchor->op->contract(e->kernel->anchor, &s.contraction));
    e->indent = 1;
    if (e->flat) {
        s.kept = s.space = (struct mi_shape){.rank = 1, .dim = {mi_fixed(e->flat)}};
        s.layout = mi_layout_plain(1);
        e->groups = 1;
    } else {
        mi_nest_divide(&s);
        mi_nest_join(&s);
    }
    mi_nest_set_physical(&s);
    mi_nest_find_periods(&s);
    mi_nest_choose_schedule(&s);
    if (e->device->is_cpu && s.physical[s.dims - 1].inner)
        e->along = mi_arena_format(e->arena, "k%d", s.physical[s.dims - 1].axis);
    /* A compiler proves of long indices alone that neighbours lie side by side; no index is computed for a number here. */
    e->wide = e->wide || (e->device->is_cpu && s.by_rows && (e->groups > 0 || e->alike));
    mi_nest_open_tiles(&s);
    mi_nest_draw(&s);
    mi_nest_fold_levels(&s);
    mi_nest_store_kept(&s);
    mi_nest_store_full(&s);
    if (s.lanes > 1)
        mi_line(e, "barrier(CLK_LOCAL_MEM_FENCE);");
    mi_nest_close_tiles(&s);
    struct mi_code *code = mi_code_add(e, codes);
    if (!code)
        return e->error->status;
    code->grid = mi_nest_grid(&s);
    const struct mi_node *named = e->kernel->anchor ? e->kernel->anchor : e->kernel->nodes[0];
    const char *turn = s.turned ? mi_kernel_text("nest_turn.cl") : "";
    if (!turn)
        return mi_fail(e->error, MICA_INTERNAL, "there is no kernel file \"nest_turn.cl\"");
    mi_emit_finish(e, mi_arena_format(e->arena, "mica_%s", named->op->name), turn, code);
    return e->error->status;
}
