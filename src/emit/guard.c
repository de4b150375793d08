/* Guards of moves: what is known of them where a move is computed. */
#include "emit/emit.h"

#include <string.h>

/* ---- Where loops are cut so that a guard holds, or does not ---- */

/* What is known of a coordinate: everything, where nothing is. */
static struct mi_range known_range(const struct mi_emitter *e, const char *at)
{
    for (int i = 0; i < e->knowns; i++)
        if (strcmp(e->known[i].at, at) == 0)
            return e->known[i].range;
    return (struct mi_range){INT64_MIN, INT64_MAX};
}

static void ask(struct mi_emitter *e, const struct mi_access *access, int rank, const char *const *index)
{
    struct mi_asked *asked = e->asked;
    for (int d = 0; d < rank && asked && access->knows; d++) {
        if (access->inside[d].low == access->inside[d].high)
            continue;
        asked->more = asked->more || asked->count == MI_MOST_ASKED;
        if (asked->more)
            return;
        asked->list[asked->count].at = index[d];
        asked->list[asked->count].range = access->inside[d];
        asked->list[asked->count++].exact = access->exact;
    }
}

/* Takes the guard from an access that is known to be reached. False: it is known that it is not. */
static bool settle_guard(struct mi_emitter *e, struct mi_access *access, int rank, const char *const *index)
{
    bool holds = true;
    if (!access->guard || !access->knows)
        return true;
    ask(e, access, rank, index);
    for (int d = 0; d < rank; d++) {
        struct mi_range wanted = access->inside[d], known = known_range(e, index[d]);
        if (wanted.low == wanted.high)
            continue;
        if (access->exact && (known.high <= wanted.low || known.low >= wanted.high))
            return false;
        holds = holds && known.low >= wanted.low && known.high <= wanted.high;
    }
    if (holds)
        access->guard = NULL;
    return true;
}

int mi_emit_settle(struct mi_emitter *e, struct mi_access *access, int count, int rank, const char *const *index)
{
    int left = 0;
    for (int i = 0; i < count; i++) {
        if (!settle_guard(e, &access[i], rank, index))
            continue;
        access[left++] = access[i];
        if (!access[i].guard)
            break;
    }
    return left;
}

/* ---- Guards that do not ask which of a tile's places it is ---- */

/* Coordinates of the loops (k, r), what was found to be uniform (u), and types; any other name may depend on the place. */
static bool is_known_uniform(const struct mi_emitter *e, const char *name, size_t length)
{
    bool type = (length == 3 && strncmp(name, "int", 3) == 0) || (length == 4 && strncmp(name, "uint", 4) == 0);
    bool along = strlen(e->along) == length && strncmp(name, e->along, length) == 0;
    return type || (length > 1 && strchr("kru", *name) && mi_is_digit(name[1]) && !along);
}

bool mi_emit_is_uniform(const struct mi_emitter *e, const char *text)
{
    if (!e->along)
        return false;
    for (const char *c = text; *c;) {
        size_t length = 0;
        while (mi_is_word(c[length]))
            length++;
        if (length && !mi_is_digit(*c) && !is_known_uniform(e, c, length))
            return false;
        c += length ? length : 1;
    }
    return true;
}
