/* Device memory of variables: arenas of a few blocks, each within the device's largest allocation. */
#include "plan/inside.h"

#include <stdlib.h>
#include <string.h>

/* A place is counted in units of 4 bytes, whatever the type, and begins at a multiple of ALIGN of them: so it is whole elements. */
enum { UNIT = 4, ALIGN = MI_ALIGN_ELEMENTS };

struct arena {
    struct mi_buffer *block;
    size_t count, capacity;
    size_t cleared;               /* the first so many blocks are zeros, or what was written since */
};

struct mi_store {
    mica_device *device;
    struct mi_variables *variables;
    struct arena parameters, gradients, moments[MI_MOST_MOMENTS], others;
    bool uploading, uploaded;     /* initial values may be on their way; all of them are */
    bool live;                    /* somebody reads it: what is added is cleared */
    size_t settled;               /* the first so many variables have their places and values */
};

mica_status mi_store_create(mica_device *device, struct mi_variables *variables, struct mi_store **out)
{
    *out = mi_new(1, sizeof **out);
    if (!*out)
        return mi_out_of_memory(&device->error);
    (*out)->device = device;
    (*out)->variables = variables;
    return MICA_OK;
}

static void arena_destroy(mica_device *device, struct arena *arena)
{
    for (size_t i = 0; i < arena->count; i++)
        mi_buffer_destroy(device, &arena->block[i]);
    free(arena->block);
}

void mi_store_destroy(struct mi_store *store)
{
    if (!store)
        return;
    mi_device_drain(store->device);
    arena_destroy(store->device, &store->parameters);
    arena_destroy(store->device, &store->gradients);
    arena_destroy(store->device, &store->others);
    for (int i = 0; i < MI_MOST_MOMENTS; i++)
        arena_destroy(store->device, &store->moments[i]);
    free(store);
}

static mica_status block_add(struct mi_store *store, struct arena *arena, uint64_t bytes)
{
    if (!mi_grow(&arena->block, &arena->capacity, arena->count + 1, sizeof *arena->block))
        return mi_out_of_memory(&store->device->error);
    MI_TRY(mi_buffer_create(store->device, bytes, &arena->block[arena->count]));
    arena->count++;
    return MICA_OK;
}

/* Fills the new blocks with zeros. */
static mica_status clear(struct mi_store *store, struct arena *arena)
{
    const uint32_t zero = 0;
    for (; arena->cleared < arena->count; arena->cleared++) {
        const struct mi_buffer *block = &arena->block[arena->cleared];
        if (block->mem)
            MI_TRY(mi_buffer_fill(store->device, block, 0, block->bytes, &zero, sizeof zero));
    }
    return MICA_OK;
}

static bool is_trained(const struct mi_variable *variable)
{
    return variable->role == MI_PARAMETER && !variable->frozen;
}

/* Whether a block of the parameters' holds small ones: then it holds no others. */
static bool is_of_small(const struct mi_store *store, size_t block)
{
    for (size_t i = 0; i < store->variables->count; i++) {
        const struct mi_variable *variable = store->variables->list[i];
        if (is_trained(variable) && variable->block == (int)block)
            return mi_is_small(variable);
    }
    return false;
}

/* Gives an arena that repeats the parameters' blocks those that it lacks. Gradients have them for small parameters only. */
static mica_status mirror(struct mi_store *store, struct arena *arena)
{
    while (arena->count < store->parameters.count) {
        if (arena != &store->gradients || is_of_small(store, arena->count))
            MI_TRY(block_add(store, arena, store->parameters.block[arena->count].bytes));
        else if (mi_grow(&arena->block, &arena->capacity, arena->count + 1, sizeof *arena->block))
            arena->block[arena->count++] = (struct mi_buffer){0};
        else
            return mi_out_of_memory(&store->device->error);
    }
    return MICA_OK;
}

/* Whether a variable lies as its parameter does, in an arena that repeats that of the parameters. */
static bool repeats(const struct mi_variable *variable)
{
    return variable->role == MI_GRADIENT ||
           (variable->role == MI_MOMENT && mi_shape_equal(&variable->shape, &variable->shadows->shape));
}

static struct arena *arena_of(struct mi_store *store, const struct mi_variable *variable)
{
    if (is_trained(variable))
        return &store->parameters;
    if (variable->role == MI_GRADIENT)
        return &store->gradients;
    if (repeats(variable))
        return &store->moments[variable->moment];
    return &store->others;
}

/* What one walk over the variables places. */
struct walk {
    bool trained, small, vectors;
};

static bool is_of(const struct mi_variable *variable, const struct walk *walk)
{
    if (variable->block >= 0 || repeats(variable) || variable->role == MI_STATE || is_trained(variable) != walk->trained)
        return false;
    return !walk->trained || (mi_is_small(variable) == walk->small && (variable->shape.rank < 2) == walk->vectors);
}

/* Gives the variables their places, from `used` on in a block that is still to be added. */
static mica_status place_of(struct mi_store *store, const struct walk *walk, struct arena *arena, uint64_t *used)
{
    uint64_t most = store->device->info.largest_allocation_bytes / UNIT;
    for (size_t i = 0; i < store->variables->count; i++) {
        struct mi_variable *variable = store->variables->list[i];
        if (!is_of(variable, walk))
            continue;
        uint64_t size = ((uint64_t)mi_variable_bytes(variable) + UNIT * ALIGN - 1) / (UNIT * ALIGN) * ALIGN;
        if (*used && *used + size > most) {
            MI_TRY(block_add(store, arena, *used * UNIT));
            *used = 0;
        }
        variable->block = (int)arena->count;
        variable->offset = *used;
        *used += size ? size : ALIGN;
    }
    return MICA_OK;
}

/* Places the new parameters that are trained: the small ones in blocks of their own, vectors behind the others, since biases and
 * the scales of normalisations are what groups of an optimizer set apart. */
static mica_status place_trained(struct mi_store *store, bool small)
{
    uint64_t used = 0;
    MI_TRY(place_of(store, &(struct walk){.trained = true, .small = small}, &store->parameters, &used));
    MI_TRY(place_of(store, &(struct walk){.trained = true, .small = small, .vectors = true}, &store->parameters, &used));
    return used ? block_add(store, &store->parameters, used * UNIT) : MICA_OK;
}

static mica_status place_others(struct mi_store *store)
{
    uint64_t used = 0;
    MI_TRY(place_of(store, &(struct walk){.trained = false}, &store->others, &used));
    return used ? block_add(store, &store->others, used * UNIT) : MICA_OK;
}

static mica_status place_shadows(struct mi_store *store)
{
    for (size_t i = 0; i < store->variables->count; i++) {
        struct mi_variable *variable = store->variables->list[i];
        if (variable->block >= 0 || !repeats(variable))
            continue;
        struct arena *arena = arena_of(store, variable);
        MI_TRY(mirror(store, arena));
        variable->block = variable->shadows->block;
        variable->offset = variable->shadows->offset;
    }
    return MICA_OK;
}

/* Refuses variables that are more than the application's budget, or the device has, while nothing is allocated for them. */
static mica_status check_budget(const struct mi_store *store)
{
    uint64_t budget = store->device->memory_budget_bytes, memory = store->device->info.memory_bytes, bytes = 0;
    for (size_t i = 0; i < store->variables->count; i++) {
        const struct mi_variable *variable = store->variables->list[i];
        uint64_t own = variable->role == MI_STATE ? 0 : mi_variable_bytes(variable);
        bytes = own > UINT64_MAX - bytes ? UINT64_MAX : bytes + own;
    }
    if (budget && bytes > budget)
        return mi_fail(&store->device->error, MICA_DEVICE_MEMORY, "the variables need %llu bytes, the budget is %llu",
                       (unsigned long long)bytes, (unsigned long long)budget);
    if (memory && bytes > memory)
        return mi_fail(&store->device->error, MICA_DEVICE_MEMORY, "the variables need %llu bytes, the device has %llu",
                       (unsigned long long)bytes, (unsigned long long)memory);
    return MICA_OK;
}

mica_status mi_store_reserve(struct mi_store *store)
{
    MI_TRY(check_budget(store));
    MI_TRY(place_trained(store, true));
    MI_TRY(place_trained(store, false));
    MI_TRY(place_others(store));
    return place_shadows(store);
}

static mica_status clear_all(struct mi_store *store)
{
    MI_TRY(clear(store, &store->parameters));
    MI_TRY(clear(store, &store->gradients));
    MI_TRY(clear(store, &store->others));
    for (int i = 0; i < MI_MOST_MOMENTS; i++)
        MI_TRY(clear(store, &store->moments[i]));
    return MICA_OK;
}

mica_status mi_store_begin(struct mi_store *store)
{
    store->live = true;
    if (store->settled == store->variables->count)
        return MICA_OK;
    MI_TRY(mi_store_reserve(store));
    MI_TRY(clear_all(store));
    for (size_t i = 0; i < store->variables->count; i++) {
        struct mi_variable *variable = store->variables->list[i];
        if (!mi_variable_make(variable))
            return mi_out_of_memory(&store->device->error);
        if (!variable->initial)
            continue;
        const struct mi_buffer *block = &arena_of(store, variable)->block[variable->block];
        store->uploading = true;
        MI_TRY(mi_buffer_write(store->device, block, variable->offset * UNIT, variable->initial,
                               mi_variable_bytes(variable), NULL));
    }
    store->uploaded = store->uploading;
    store->settled = store->uploading ? store->settled : store->variables->count;
    return store->uploading ? mi_device_flush(store->device) : MICA_OK;
}

mica_status mi_store_settle(struct mi_store *store)
{
    bool uploaded = store->uploaded;
    if (!store->uploading)
        return MICA_OK;
    store->uploading = store->uploaded = false;
    MI_TRY(mi_device_finish(store->device));
    for (size_t i = 0; i < store->variables->count && uploaded; i++) {
        mi_variable_give(store->variables->list[i], NULL); /* the device has them */
    }
    if (uploaded)
        store->settled = store->variables->count;
    return MICA_OK;
}

mica_status mi_store_place(struct mi_store *store)
{
    mica_status begun = mi_store_begin(store), settled = mi_store_settle(store);
    return begun == MICA_OK ? settled : begun;
}

mica_status mi_store_place_of(struct mi_store *store, const struct mi_variable *variable, bool gradient,
                              struct mi_place *place)
{
    struct arena *arena = gradient ? &store->gradients : arena_of(store, variable);
    if (gradient) {
        MI_TRY(mirror(store, arena));
        MI_TRY(store->live ? clear(store, arena) : MICA_OK);
    }
    if (variable->block < 0 || (size_t)variable->block >= arena->count || !arena->block[variable->block].mem)
        return mi_fail(&store->device->error, MICA_INTERNAL, "variable \"%s\" has no place", variable->name);
    place->mem = arena->block[variable->block].mem;
    place->offset = variable->offset * UNIT / mi_types[variable->type].bytes;
    return MICA_OK;
}

/* Places all; a variable of a plan's own, a state, has none here. */
static mica_status placed(struct mi_store *store, const struct mi_variable *variable)
{
    MI_TRY(mi_store_place(store));
    return variable->block >= 0 ? MICA_OK : mi_fail(&store->device->error, MICA_INTERNAL, "variable \"%s\" has no place",
                                                    variable->name);
}

mica_status mi_store_read(struct mi_store *store, const struct mi_variable *variable, void *elements)
{
    MI_TRY(placed(store, variable));
    return mi_buffer_read(store->device, &arena_of(store, variable)->block[variable->block], variable->offset * UNIT,
                          elements, mi_variable_bytes(variable));
}

mica_status mi_store_ask(struct mi_store *store, const struct mi_variable *variable, void *elements, cl_event *come)
{
    MI_TRY(placed(store, variable));
    mi_event_release(store->device, come);
    return mi_buffer_ask(store->device, &arena_of(store, variable)->block[variable->block], variable->offset * UNIT,
                         elements, mi_variable_bytes(variable), come);
}

mica_status mi_store_write(struct mi_store *store, struct mi_variable *variable, const void *elements)
{
    MI_TRY(placed(store, variable));
    variable->version++;
    MI_TRY(mi_buffer_write(store->device, &arena_of(store, variable)->block[variable->block],
                           variable->offset * UNIT, elements, mi_variable_bytes(variable), NULL));
    return mi_device_finish(store->device);
}

mica_status mi_store_zero(struct mi_store *store, struct mi_variable *variable)
{
    const uint32_t zero = 0;
    MI_TRY(mi_store_place(store));
    variable->version++;
    return mi_buffer_fill(store->device, &arena_of(store, variable)->block[variable->block], variable->offset * UNIT,
                          mi_variable_bytes(variable) / UNIT * UNIT, &zero, sizeof zero);
}

mica_status mi_store_faults(struct mi_store *store, struct mi_error *error)
{
    for (size_t i = 0; i < store->variables->count; i++) {
        struct mi_variable *fault = store->variables->list[i];
        float count = 0;
        if (fault->role != MI_FAULT || fault->block < 0)
            continue;
        MI_TRY(mi_store_read(store, fault, &count));
        if (count <= 0)
            continue;
        MI_TRY(mi_store_zero(store, fault));
        return mi_fail(error, MICA_DATA, count > 1 ? "\"%s\": %s (%.0f times)" : "\"%s\": %s", fault->name, fault->says,
                       (double)count);
    }
    return MICA_OK;
}

static uint64_t arena_bytes(const struct arena *arena)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < arena->count; i++)
        bytes += arena->block[i].bytes;
    return bytes;
}

uint64_t mi_store_bytes(const struct mi_store *store, enum mi_role role)
{
    uint64_t moments = 0;
    for (int i = 0; i < MI_MOST_MOMENTS; i++)
        moments += arena_bytes(&store->moments[i]);
    return role == MI_PARAMETER  ? arena_bytes(&store->parameters)
           : role == MI_GRADIENT ? arena_bytes(&store->gradients)
           : role == MI_MOMENT   ? moments
                                 : arena_bytes(&store->others);
}

uint64_t mi_store_gradient_bytes(const struct mi_store *store)
{
    uint64_t bytes = 0;
    for (size_t b = 0; b < store->parameters.count; b++)
        bytes += is_of_small(store, b) ? store->parameters.block[b].bytes : 0;
    return bytes;
}
