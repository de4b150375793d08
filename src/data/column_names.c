/* Names of columns, of which several may be the same: found without comparing all with all. */
#include "data/data.h"

#include <stdlib.h>
#include <string.h>

struct mi_named {
    const char *name;
    size_t place;
};

static int compare(const void *a, const void *b)
{
    const struct mi_named *left = a, *right = b;
    int order = strcmp(left->name, right->name);
    return order ? order : (left->place > right->place) - (left->place < right->place);
}

bool mi_column_names_create(struct mi_column_names *names, const char *const *list, size_t count)
{
    *names = (struct mi_column_names){.sorted = mi_new(count, sizeof *names->sorted)};
    if (!names->sorted)
        return false;
    for (size_t i = 0; i < count; i++)
        if (list[i])
            names->sorted[names->count++] = (struct mi_named){list[i], i};
    qsort(names->sorted, names->count, sizeof *names->sorted, compare);
    return true;
}

void mi_column_names_destroy(struct mi_column_names *names)
{
    free(names->sorted);
    *names = (struct mi_column_names){0};
}

/* The first of the sorted names that does not stand before `name` at `place`. */
static size_t lower_bound(const struct mi_column_names *names, const char *name, size_t place)
{
    const struct mi_named key = {name, place};
    size_t low = 0, high = names->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare(&names->sorted[middle], &key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

size_t mi_column_names_repeats(const struct mi_column_names *names, const char *name)
{
    size_t first = lower_bound(names, name, 0), count = 0;
    while (first + count < names->count && !strcmp(names->sorted[first + count].name, name))
        count++;
    return count;
}

bool mi_column_names_find(const struct mi_column_names *names, const char *name, size_t nth, size_t *place)
{
    size_t first = lower_bound(names, name, 0);
    if (nth >= names->count - first || strcmp(names->sorted[first + nth].name, name) != 0)
        return false;
    *place = names->sorted[first + nth].place;
    return true;
}

size_t mi_column_names_nth(const struct mi_column_names *names, const char *name, size_t place)
{
    return lower_bound(names, name, place) - lower_bound(names, name, 0);
}
