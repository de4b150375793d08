/* A table of names: open addressing, half of it empty at least. */
#include "base/base.h"

#include <stdlib.h>
#include <string.h>

enum { FEWEST = 16 };

/* Where a name is, or would be put. */
static struct mi_name *place_of(struct mi_name *list, size_t capacity, const char *name)
{
    size_t at = (size_t)mi_hash(name, strlen(name), 0) % capacity;
    while (list[at].name && strcmp(list[at].name, name) != 0)
        at = (at + 1) % capacity;
    return &list[at];
}

static bool grow(struct mi_names *names)
{
    size_t capacity = names->capacity ? 2 * names->capacity : FEWEST;
    struct mi_name *list = mi_new(capacity, sizeof *list);
    if (!list)
        return false;
    for (size_t i = 0; i < names->capacity; i++)
        if (names->list[i].name)
            *place_of(list, capacity, names->list[i].name) = names->list[i];
    free(names->list);
    names->list = list;
    names->capacity = capacity;
    return true;
}

size_t *mi_names_find(const struct mi_names *names, const char *name)
{
    struct mi_name *found = names->capacity ? place_of(names->list, names->capacity, name) : NULL;
    return found && found->name ? &found->number : NULL;
}

bool mi_names_add(struct mi_names *names, const char *name, size_t number)
{
    if (2 * (names->count + 1) > names->capacity && !grow(names))
        return false;
    *place_of(names->list, names->capacity, name) = (struct mi_name){name, number};
    names->count++;
    return true;
}

void mi_names_destroy(struct mi_names *names)
{
    free(names->list);
    *names = (struct mi_names){0};
}
