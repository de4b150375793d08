/* Launches for several kernels: the table with a row for each, the places of its tensors and then its sizes. */
#include "plan/inside.h"

static const struct mi_argument *argument_of(const struct mi_row *row, int i)
{
    return &row->code->argument[i];
}

/* Whether the tensors of a row lie in the same memory as those of another. */
static mica_status share_memory(struct mica_plan *plan, const struct mi_row *x, const struct mi_row *y, bool *share)
{
    *share = true;
    for (int i = 0; i < x->code->arguments && *share; i++) {
        struct mi_place place[2];
        MI_TRY(mi_place_of(plan, argument_of(x, i)->value, 0, &place[0]));
        MI_TRY(mi_place_of(plan, argument_of(y, i)->value, 0, &place[1]));
        *share = place[0].mem == place[1].mem;
    }
    return MICA_OK;
}

mica_status mi_rows_split(struct mica_plan *plan, struct mi_row *row, int count, int *first)
{
    *first = 1;
    for (int i = 1; i < count; i++) {
        bool share;
        MI_TRY(share_memory(plan, &row[0], &row[i], &share));
        if (!share)
            continue;
        struct mi_row moved = row[i];
        row[i] = row[*first];
        row[(*first)++] = moved;
    }
    return MICA_OK;
}

mica_status mi_rows_write(struct mica_plan *plan, const struct mi_row *row, int count, struct mi_buffer *table)
{
    int arguments = row->code->arguments, columns = arguments + row->code->sizes;
    size_t numbers = (size_t)count * (size_t)(columns ? columns : 1);
    cl_long *values = mi_arena_new(&plan->arena, numbers, sizeof *values);
    if (!values)
        return mi_out_of_memory(&plan->error);
    for (int r = 0; r < count; r++)
        for (int i = 0; i < columns; i++) {
            struct mi_place place = {0};
            if (i < arguments)
                MI_TRY(mi_place_of(plan, argument_of(&row[r], i)->value, 0, &place));
            values[r * columns + i] = i < arguments ? (cl_long)place.offset : row[r].code->size[i - arguments];
        }
    MI_TRY(mi_plan_from_device(plan, mi_buffer_create(plan->device, numbers * sizeof *values, table)));
    return mi_plan_from_device(plan, mi_buffer_write(plan->device, table, 0, values, numbers * sizeof *values, NULL));
}
