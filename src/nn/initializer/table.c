/* Every initializer, its keys, and which one a parameter has. */
#include "nn/initializer/initializer.h"

#include <string.h>

#define DECLARE(id) extern const struct mi_initializer_row mi_initializer_##id;
MI_INITIALIZERS(DECLARE)

#define LIST(id) &mi_initializer_##id,
static const struct mi_initializer_row *const rows[] = {MI_INITIALIZERS(LIST) NULL};

#define NAME(id) #id,
const char *const mi_initializer_names[] = {MI_INITIALIZERS(NAME) NULL};

#define NORMAL "random_normal truncated_normal"
#define MATRIX "orthogonal identity"
const struct mi_key mi_initializer_keys[] = {
    MI_KEY_WITH(mica_initializer, "type", MI_KEY_TEXT, type, .required = true, .choices = mi_initializer_names),
    MI_KEY_WITH(mica_initializer, "value", MI_KEY_FLOAT, value, .only = "constant", .plain = true),
    MI_KEY_WITH(mica_initializer, "mean", MI_KEY_FLOAT, mean, .only = NORMAL, .plain = true),
    MI_KEY_WITH(mica_initializer, "stddev", MI_KEY_FLOAT, stddev, .only = NORMAL, MI_KEY_AT_LEAST(0)),
    MI_KEY_WITH(mica_initializer, "minval", MI_KEY_FLOAT, minval, .only = "random_uniform"),
    MI_KEY_WITH(mica_initializer, "maxval", MI_KEY_FLOAT, maxval, .only = "random_uniform"),
    MI_KEY_WITH(mica_initializer, "scale", MI_KEY_FLOAT, scale, .only = "variance_scaling", MI_KEY_AT_LEAST(0),
                .not_zero = "all values would be the same"),
    MI_KEY_WITH(mica_initializer, "mode", MI_KEY_TEXT, mode, .only = "variance_scaling", .choices = mi_variance_modes),
    MI_KEY_WITH(mica_initializer, "distribution", MI_KEY_TEXT, distribution, .only = "variance_scaling",
                .choices = mi_variance_distributions),
    MI_KEY_WITH(mica_initializer, "gain", MI_KEY_FLOAT, gain, .only = MATRIX),
    {0},
};

static bool fill_by_function(const struct mi_initial *how, const struct mi_shape *shape, float *values)
{
    int64_t dims[MI_MAX_RANK] = {0};
    for (int i = 0; i < shape->rank; i++)
        dims[i] = shape->dim[i].b;
    how->function(how->user, dims, shape->rank, values);
    return true;
}

mica_status mi_initializer_choose(struct mi_error *error, const struct mi_initializer_use *use, struct mi_initial *out)
{
    static const mica_initializer nothing = {.type = NULL};
    struct mi_initializer_use own = *use;
    own.given = use->given ? use->given : &nothing;
    struct mi_initial how = {.fill = mi_fill_blocks, .seed = out->seed, .stream = out->stream};
    if (own.given->fill) {
        *out = (struct mi_initial){.fill = fill_by_function, .function = own.given->fill, .user = own.given->user};
        return MICA_OK;
    }
    const char *type = own.given->type ? own.given->type : use->otherwise;
    const struct mi_initializer_row *const *row = rows;
    while (*row && strcmp((*row)->name, type))
        row++;
    if (!*row)
        return mi_fail(error, MICA_INVALID_ARGUMENT, "there is no initializer \"%s\"%s", mi_show(type).text,
                       mi_advise_term(false, type, mi_initializer_names).text);
    if (use->shape->rank < (*row)->least_rank || ((*row)->most_rank && use->shape->rank > (*row)->most_rank))
        return mi_fail(error, MICA_INVALID_ARGUMENT, "initializer %s makes %s, not %d dimensions", type,
                       (*row)->most_rank == 2 ? "matrices of two" : "tensors of two and more", use->shape->rank);
    MI_TRY((*row)->set(error, *row, &own, &how));
    *out = how;
    return MICA_OK;
}
