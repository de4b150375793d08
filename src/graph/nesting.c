/* Which repeats stand within which. */
#include "graph/graph.h"

bool mi_repeat_within(const struct mi_graph *graph, int repeat, int outer)
{
    while (repeat && repeat != outer)
        repeat = graph->repeats[repeat].outer;
    return repeat == outer;
}

int mi_repeat_depth(const struct mi_graph *graph, int repeat)
{
    int depth = 0;
    for (; repeat; repeat = graph->repeats[repeat].outer)
        depth++;
    return depth;
}

bool mi_repeat_has_inner(const struct mi_graph *graph, int repeat)
{
    for (size_t r = 1; r < graph->repeat_count; r++)
        if (graph->repeats[r].outer == repeat)
            return true;
    return false;
}

const char *mi_turn_name(const struct mi_graph *graph, int repeat)
{
    static const char *const names[MI_MOST_REPEATS] = {"turn", "turn2", "turn3", "turn4"};
    return names[mi_repeat_depth(graph, repeat) - 1];
}
