/* Values in a kernel: what is loaded, what is computed where it is used, and what is stored. Each value is emitted once where the
 * coordinates and the guard are the same, and remembered for the scope. */
#include "emit/emit.h"

#include <stdlib.h>
#include <string.h>

enum { FEWEST_ASKED = 1 << 14 }; /* elements of a tensor that is asked for: a smaller one is near in any case */

void mi_emitter_destroy(struct mi_emitter *e)
{
    mi_emit_text_end(e, &e->text);
    free(e->memo);
    free(e->bound);
}

void mi_line(struct mi_emitter *e, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const char *line = mi_arena_vformat(e->arena, format, arguments);
    va_end(arguments);
    mi_text_add(&e->text, "%*s%s\n", 4 * e->indent, "", line);
}

size_t mi_scope_open(struct mi_emitter *e, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const char *head = mi_arena_vformat(e->arena, format, arguments);
    va_end(arguments);
    mi_text_add(&e->text, "%*s%s{\n", 4 * e->indent, "", head);
    e->indent++;
    return e->memos;
}

void mi_scope_close(struct mi_emitter *e, size_t scope)
{
    e->memos = scope;
    e->indent--;
    mi_line(e, "}");
}

void mi_bind(struct mi_emitter *e, const mi_value *value, const char *text)
{
    for (size_t i = 0; i < e->bounds; i++)
        if (e->bound[i].value == value) {
            e->bound[i].text = text;
            return;
        }
    if (!mi_grow(&e->bound, &e->bound_capacity, e->bounds + 1, sizeof *e->bound)) {
        e->arena->failed = true;
        return;
    }
    e->bound[e->bounds++] = (struct mi_binding){value, text};
}

static const char *bound_text(const struct mi_emitter *e, const mi_value *value)
{
    for (size_t i = 0; i < e->bounds; i++)
        if (e->bound[i].value == value)
            return e->bound[i].text;
    return NULL;
}

/* ---- Arguments ---- */

static mi_value *canonical(const struct mi_emitter *e, mi_value *value)
{
    while (e->tensors[value->id].same_as)
        value = e->tensors[value->id].same_as;
    return value;
}

static int argument_add(struct mi_emitter *e, struct mi_argument argument)
{
    for (int i = 0; i < e->arguments; i++) {
        struct mi_argument *known = &e->argument[i];
        if (known->value == argument.value && known->scratch == argument.scratch) {
            known->written = known->written || argument.written;
            return i;
        }
    }
    if (e->arguments == MI_MAX_ARGUMENTS) {
        mi_fail(e->error, MICA_INTERNAL, "kernel of \"%s\" has more than %d tensors",
                e->kernel->count ? e->kernel->nodes[0]->name : "?", MI_MAX_ARGUMENTS);
        return 0;
    }
    e->argument[e->arguments] = argument;
    return e->arguments++;
}

int mi_emit_argument(struct mi_emitter *e, mi_value *value, bool written)
{
    value = canonical(e, value);
    if (written && e->tensors[value->id].over)
        value = e->tensors[value->id].over; /* one pointer for both, so that restrict tells the truth */
    if (mi_layout_count(&e->tensors[value->id].layout, &value->shape, e->batch) >= INT32_MAX)
        e->wide = true;
    return argument_add(e, (struct mi_argument){.value = value, .scratch = -1, .written = written});
}

int mi_emit_scratch(struct mi_emitter *e, int scratch, bool written)
{
    return argument_add(e, (struct mi_argument){.scratch = scratch, .written = written});
}

void mi_emit_local(struct mi_emitter *e, const char *type, const char *name, int64_t count)
{
    if (e->locals == MI_MAX_LOCALS)
        mi_fail(e->error, MICA_UNSUPPORTED, "kernel of \"%s\" has more than %d arrays in local memory",
                e->kernel->nodes[0]->name, MI_MAX_LOCALS);
    else
        e->local[e->locals++] = (struct mi_local){type, name, count};
}

/* ---- Values ---- */

static const char *memo_key(struct mi_emitter *e, int rank, const struct mi_coordinate *at, const char *guard)
{
    const char *key = guard ? guard : "";
    for (int i = 0; i < rank; i++)
        key = mi_arena_format(e->arena, "%s|%s", key, at[i].at);
    return key;
}

static const char *memo_find(const struct mi_emitter *e, const mi_value *value, const char *key)
{
    for (size_t i = e->memos; i-- > 0;)
        if (e->memo[i].value == value && strcmp(e->memo[i].key, key) == 0)
            return e->memo[i].name;
    return NULL;
}

static const char *memo_add(struct mi_emitter *e, const mi_value *value, const char *key, const char *name)
{
    if (mi_grow(&e->memo, &e->memo_capacity, e->memos + 1, sizeof *e->memo))
        e->memo[e->memos++] = (struct mi_memo){value, key, name};
    else
        e->arena->failed = true;
    return name;
}

const char *mi_emit_name(struct mi_emitter *e, const char *prefix)
{
    return mi_arena_format(e->arena, "%s%d", prefix, e->names++);
}

const char *mi_emit_place(struct mi_emitter *e, const mi_value *value, const struct mi_coordinate *at)
{
    struct mi_shape shape = mi_seen_shape(e, value);
    struct mi_layout plain = mi_layout_plain(shape.rank);
    return mi_layout_place(e->arena, e->groups ? &plain : &e->tensors[value->id].layout, &shape, at);
}

const char *mi_emit_element(struct mi_emitter *e, const mi_value *value, int argument, const char *place)
{
    const char *function = mi_types[value->type].load;
    return function ? mi_arena_format(e->arena, "%s(p%d, %s)", function, argument, place)
                    : mi_arena_format(e->arena, "p%d[%s]", argument, place);
}

const char *mi_emit_assignment(struct mi_emitter *e, const mi_value *value, int argument, const char *place, const char *text)
{
    const char *function = mi_types[value->type].store;
    return function ? mi_arena_format(e->arena, "%s(%s, p%d, %s)", function, text, argument, place)
                    : mi_arena_format(e->arena, "p%d[%s] = %s", argument, place, text);
}

static const char *emit_load(struct mi_emitter *e, mi_value *value, const struct mi_coordinate *at, const char *guard)
{
    const char *type = mi_types[value->type].c, *zero = mi_types[value->type].zero;
    if (e->ahead && mi_shape_count(&value->shape, e->batch) < FEWEST_ASKED)
        return zero;
    int argument = mi_emit_argument(e, value, false);
    const char *place = mi_emit_place(e, value, at);
    if (e->ahead) {
        mi_line(e, "MICA_PREFETCH(p%d + (%s));", argument, place);
        return zero;
    }
    const char *name = mi_emit_name(e, "v");
    const char *load = mi_emit_element(e, value, argument, place);
    if (guard)
        mi_line(e, "const %s %s = MICA_IF(%s) ? %s : %s;", type, name, guard, load, zero);
    else
        mi_line(e, "const %s %s = %s;", type, name, load);
    return name;
}

/* The coordinates of an input that is broadcast to the node's output. */
static void broadcast_at(struct mi_emitter *e, const mi_value *in, const mi_value *out, const struct mi_coordinate *at,
                         struct mi_coordinate *in_at)
{
    struct mi_shape from = mi_seen_shape(e, in), to = mi_seen_shape(e, out);
    for (int i = 0; i < from.rank; i++) {
        bool one = mi_dim_is(from.dim[i], 1);
        in_at[i] = one ? (struct mi_coordinate){.at = "0"} : at[to.rank - from.rank + i];
    }
}

/* What a map's output is bound to when it is an input as it is; NULL: it computes something. */
static const char *passed_on(const struct mi_node *node, const struct mi_map_view *view, int o, const struct mi_word *words)
{
    bool same = node->inputs == 1 && node->in[0] && node->in[0]->type == node->out[o]->type;
    return same && strcmp(view->expr[o], view->in[0]) == 0 ? words[0].text : NULL;
}

static const char *emit_map(struct mi_emitter *e, const mi_value *value, const struct mi_coordinate *at, const char *guard,
                            const char *key)
{
    const struct mi_node *node = value->node;
    struct mi_map_view view;
    struct mi_word words[MI_MAX_INPUTS + MI_MAX_OUTPUTS] = {{0}};
    int count = 0;
    const char *wanted = NULL;
    mi_map_view(node, &view);
    for (int i = 0; i < node->inputs; i++) {
        struct mi_coordinate in_at[MI_MAX_RANK];
        if (!node->in[i])
            continue;
        broadcast_at(e, node->in[i], value, at, in_at);
        words[count++] = (struct mi_word){view.in[i], mi_emit_value(e, node->in[i], in_at, guard)};
    }
    for (int o = 0; o < node->outputs; o++) {
        const char *name = passed_on(node, &view, o, words);
        if (!name) {
            name = mi_emit_name(e, "v");
            mi_line(e, "const %s %s = %s;", mi_types[node->out[o]->type].c, name,
                    mi_emit_expression(e, node, view.expr[o], words, count, at));
        }
        words[count++] = (struct mi_word){view.out[o], name};
        memo_add(e, node->out[o], key, name);
        if (node->out[o] == value)
            wanted = name;
    }
    return wanted;
}

/* Replaces "$index" in a text. */
static const char *with_index(struct mi_emitter *e, const char *text, const char *index)
{
    const char *found;
    while (text && index && (found = strstr(text, "$index")) != NULL)
        text = mi_arena_format(e->arena, "%.*s%s%s", (int)(found - text), text, index, found + strlen("$index"));
    return text;
}

static bool is_word(const char *text)
{
    while (mi_is_word(*text))
        text++;
    return *text == 0;
}

const char *mi_emit_index(struct mi_emitter *e, const char *text)
{
    if (is_word(text))
        return text;
    const char *name = mi_emit_name(e, "i");
    mi_line(e, "const IDX %s = %s;", name, text);
    return name;
}

/* Of joined axes the one that speaks for all: the first along which the value has places. */
static int speaker(const struct mi_emitter *e, int group, const struct mi_shape *shape)
{
    int axis = e->first[group];
    while (axis + 1 < e->first[group + 1] && mi_dim_is(shape->dim[axis], 1))
        axis++;
    return axis;
}

/* A coordinate of an access: one of the output's own where the text is the same, else a variable of its own. */
static struct mi_coordinate access_coordinate(struct mi_emitter *e, const char *text, int rank, const struct mi_coordinate *at)
{
    for (int i = 0; i < rank; i++)
        if (strcmp(text, at[i].at) == 0)
            return at[i];
    return (struct mi_coordinate){.at = mi_emit_index(e, text)};
}

/* An access whose guard is the same for all of a tile's places: it always loads, what is there or the first places, so that the
 * tile stays a vector without branches. */
static const char *emit_anyway(struct mi_emitter *e, const struct mi_access *access, const mi_value *of, const char *guard,
                               const struct mi_coordinate *at, const char **reached)
{
    int rank = of->shape.rank;
    struct mi_coordinate in_at[MI_MAX_RANK];
    *reached = mi_emit_name(e, "g");
    mi_line(e, "const bool %s = %s;", *reached, guard);
    for (int i = 0; i < access->value->shape.rank; i++) {
        const char *text = access->index[i];
        bool inside = !mi_emit_is_uniform(e, text);
        for (int d = 0; d < rank && !inside; d++) /* a coordinate of its own, of an axis of the same size */
            inside = strcmp(text, at[d].at) == 0 && mi_dim_equal(of->shape.dim[d], access->value->shape.dim[i]);
        if (inside) {
            in_at[i] = access_coordinate(e, text, rank, at);
            continue;
        }
        in_at[i] = (struct mi_coordinate){.at = mi_emit_name(e, "u")};
        mi_line(e, "const IDX %s = %s ? %s : 0;", in_at[i].at, *reached, text);
    }
    return mi_emit_value(e, access->value, in_at, NULL);
}

static const char *emit_access(struct mi_emitter *e, const struct mi_access *access, const mi_value *of, const char *index,
                               int rank, const struct mi_coordinate *at, const char *guard, const char **reached)
{
    struct mi_coordinate in_at[MI_MAX_RANK];
    bool joined = e->groups && !e->flat;
    int places = joined ? e->groups : access->value->shape.rank;
    const char *own = with_index(e, access->guard, index);
    *reached = NULL;
    bool there = !guard && !index && !joined && !e->flat && mi_shape_count(&access->value->shape, 1) > 0;
    if (own && there && mi_emit_is_uniform(e, own))
        return emit_anyway(e, access, of, own, at, reached);
    for (int i = 0; i < places; i++) {
        int axis = joined ? speaker(e, i, &access->value->shape) : i;
        in_at[i] = access_coordinate(e, with_index(e, access->index[axis], index), rank, at);
    }
    if (own) {
        *reached = mi_emit_name(e, "g");
        if (guard)
            mi_line(e, "const bool %s = %s && (%s);", *reached, guard, own);
        else
            mi_line(e, "const bool %s = %s;", *reached, own);
        guard = *reached;
    }
    return mi_emit_value(e, access->value, in_at, guard);
}

static const char *fill_text(struct mi_emitter *e, const struct mi_node *node)
{
    const char *text = mi_emit_attribute(e, node, "fill"), *type = mi_types[node->out[0]->type].c;
    if (text)
        return mi_arena_format(e->arena, "(%s)%s", type, text);
    return node->op->fill ? node->op->fill : mi_types[node->out[0]->type].zero;
}

static const char *emit_move(struct mi_emitter *e, const mi_value *value, const struct mi_coordinate *at, const char *guard)
{
    const struct mi_node *node = value->node;
    const char *index[MI_MAX_RANK], *data_index = NULL, *result = NULL;
    struct mi_access *access = mi_arena_new(e->arena, (size_t)node->inputs + 2, sizeof *access);
    if (!access)
        return mi_types[value->type].zero;
    bool joined = e->groups && !e->flat;
    int places = joined ? e->groups : value->shape.rank;
    for (int i = 0; i < places; i++)
        for (int axis = joined ? e->first[i] : i; axis < (joined ? e->first[i + 1] : i + 1); axis++)
            index[axis] = at[i].at;
    int count = node->op->move(e->arena, node, index, access), first = 0;
    if (node->op->kind == MI_INDEXED) {
        const char *reached;
        data_index = emit_access(e, &access[0], value, NULL, places, at, guard, &reached);
        first = 1;
    } else if (!joined && !e->flat)
        count = mi_emit_settle(e, access, count, value->shape.rank, index);
    const char **name = mi_arena_new(e->arena, (size_t)count, sizeof *name);
    const char **reached = mi_arena_new(e->arena, (size_t)count, sizeof *reached);
    if (!name || !reached)
        return mi_types[value->type].zero;
    for (int i = first; i < count; i++)
        name[i - first] = emit_access(e, &access[i], value, data_index, places, at, guard, &reached[i - first]);
    for (int i = count - first - 1; i >= 0; i--) {
        if (!reached[i])
            result = name[i];
        else
            result = mi_arena_format(e->arena, "(%s ? %s : %s)", reached[i], name[i], result ? result : fill_text(e, node));
    }
    if (result && is_word(result))
        return result;
    const char *variable = mi_emit_name(e, "v");
    mi_line(e, "const %s %s = %s;", mi_types[value->type].c, variable, result ? result : fill_text(e, node));
    return variable;
}

void mi_emit_remember(struct mi_emitter *e, const mi_value *value, const struct mi_coordinate *at, const char *text)
{
    struct mi_shape shape = mi_seen_shape(e, value);
    memo_add(e, value, memo_key(e, shape.rank, at, NULL), text);
}

const char *mi_emit_value(struct mi_emitter *e, const mi_value *value, const struct mi_coordinate *at, const char *guard)
{
    const char *text = bound_text(e, value);
    if (text)
        return text;
    const struct mi_node *node = value->node;
    if (node->op == &mi_op_constant)
        return mi_emit_literal(e, value);
    struct mi_shape shape = mi_seen_shape(e, value);
    const char *key = memo_key(e, shape.rank, at, guard);
    const char *name = memo_find(e, value, key);
    if (name)
        return name;
    if (e->tensors[value->id].stored && e->home[node->id] != e->self)
        name = emit_load(e, value->node->out[value->output], at, guard);
    else if (node->op->kind == MI_MAP)
        return emit_map(e, value, at, guard, key);
    else if (node->op->kind == MI_MOVE || node->op->kind == MI_INDEXED)
        name = emit_move(e, value, at, guard);
    else {
        if (!e->arena->failed) /* then it may have been computed, but could not be remembered */
            mi_fail(e->error, MICA_INTERNAL, "kernel uses %s \"%s\" before it is computed", node->op->name, node->name);
        return mi_types[value->type].zero;
    }
    return memo_add(e, value, key, name);
}

void mi_emit_store(struct mi_emitter *e, mi_value *value, const struct mi_coordinate *at, const char *text, const char *real)
{
    int argument = mi_emit_argument(e, value, true);
    const char *place = mi_emit_place(e, value, at);
    const char *fill = mi_emit_float(e, e->groups ? 0.0f : e->tensors[value->id].layout.fill);
    if (!text)
        text = fill;
    else if (real)
        text = mi_arena_format(e->arena, "%s ? %s : (%s)%s", real, text, mi_types[value->type].c, fill);
    mi_line(e, "%s;", mi_emit_assignment(e, value, argument, place, text));
}
