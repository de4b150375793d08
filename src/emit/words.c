/* Expressions of maps as OpenCL C: their names become variables, attributes and what is built in; numbers become literals.
 *
 * LeakyRelu, "x > 0 ? x : alpha * x", of a value that is v3: "v3 > 0 ? v3 : 0.01f * v3". */
#include "emit/emit.h"

#include <string.h>

/* ---- Numbers ---- */

const char *mi_emit_float(struct mi_emitter *e, float number)
{
    if (number != number)
        return "MICA_NAN";
    if (number - number != 0)
        return number > 0 ? "MICA_INF" : "(-MICA_INF)";
    const char *text = mi_arena_format(e->arena, "%.9g", (double)number);
    return mi_arena_format(e->arena, number < 0 ? "(%s%sf)" : "%s%sf", text, strpbrk(text, ".e") ? "" : ".0");
}

static const char *number_text(struct mi_emitter *e, enum mi_type type, double number)
{
    if (type != MI_DOUBLE || number - number != 0)
        return mi_emit_float(e, mi_double_to_float(number));
    const char *text = mi_arena_format(e->arena, "%.17g", number);
    return mi_arena_format(e->arena, "(%s%s)", text, strpbrk(text, ".e") ? "" : ".0");
}

const char *mi_emit_literal(struct mi_emitter *e, const mi_value *value)
{
    const struct mi_type_info *type = &mi_types[value->type];
    int count = 0;
    const int64_t *ints = mi_constant_ints(value, &count);
    if (mi_shape_count(&value->shape, 0) != 1)
        mi_fail(e->error, MICA_INTERNAL, "constant of \"%s\" is not a scalar", value->node->name);
    else if (type->kind == 'f')
        return number_text(e, value->type, mi_element(value->type, value->node->constant, 0));
    else if (ints) /* the lowest is no literal */
        return ints[0] == INT64_MIN ? type->lowest : mi_arena_format(e->arena, "(%lldL)", (long long)ints[0]);
    else if (value->type != MI_UINT64)
        return mi_arena_format(e->arena, "((%s)%.0f)", type->c, mi_element(value->type, value->node->constant, 0));
    else
        return mi_arena_format(e->arena, "%lluUL", (unsigned long long)*(const uint64_t *)value->node->constant);
    return type->zero;
}

/* ---- Names ---- */

const char *mi_emit_attribute(struct mi_emitter *e, const struct mi_node *node, const char *word)
{
    const struct mi_attribute *attribute = mi_attribute_find(node, word);
    if (!attribute)
        return NULL;
    if (attribute->type == MI_ATTRIBUTE_INT)
        return mi_arena_format(e->arena, "%lld", (long long)attribute->i);
    if (attribute->type != MI_ATTRIBUTE_FLOAT)
        return NULL;
    return mi_emit_float(e, attribute->f);
}

const char *mi_emit_generator(struct mi_emitter *e, const struct mi_node *node, const char **stream)
{
    struct mi_map_view view;
    bool normal = false;
    mi_map_view(node, &view);
    for (int o = 0; o < node->outputs; o++)
        normal = normal || mi_expression_names(view.expr[o], "normal");
    *stream = mi_emit_stream(e, node);
    return normal ? "mica_normal" : "mica_chance";
}

/* Each turn has a seed of its own, by the golden ratio of 2^64. */
static const char *seed_of_turn(struct mi_emitter *e, const struct mi_graph *graph, int repeat)
{
    int outer = graph->repeats[repeat].outer;
    const char *turn = mi_arena_format(e->arena, "(ulong)%s", mi_turn_name(graph, repeat));
    if (outer)
        turn = mi_arena_format(e->arena, "(%s + %s)", seed_of_turn(e, graph, outer), turn);
    return mi_arena_format(e->arena, "%s * 0x9E3779B97F4A7C15UL", turn);
}

const char *mi_emit_stream(struct mi_emitter *e, const struct mi_node *node)
{
    int64_t seed = mi_attribute_int(node, "seed", 0);
    const char *from = seed ? mi_arena_format(e->arena, "%lluUL", (unsigned long long)seed) : "mica_s->seed";
    if (node->repeat)
        from = mi_arena_format(e->arena, "%s + %s", from, seed_of_turn(e, node->graph, node->repeat));
    return mi_arena_format(e->arena, "%s, (mica_s->step << 32) + %lluUL", from, (unsigned long long)node->stable);
}

const char *mi_emit_rows_before(struct mi_emitter *e, const struct mi_node *node)
{
    long long each = (long long)mi_shape_count(&node->out[0]->shape, 1);
    return e->by_rows ? mi_arena_format(e->arena, " + (ulong)mica_first*%lld", each) : "";
}

static const char *random_text(struct mi_emitter *e, const struct mi_node *node, const struct mi_coordinate *at)
{
    const char *stream;
    for (int i = 0; i < e->draws; i++)
        if (e->draw[i].node == node)
            return e->draw[i].text;
    const char *generator = mi_emit_generator(e, node, &stream);
    return mi_arena_format(e->arena, "%s(%s, (ulong)(%s)%s)", generator, stream, mi_emit_linear(e, node->out[0], at),
                           mi_emit_rows_before(e, node));
}

static const char *builtin_text(struct mi_emitter *e, const struct mi_node *node, const char *word,
                                const struct mi_coordinate *at)
{
    if (word[0] == 'a' && word[1] == 't' && mi_is_digit(word[2]) && !word[3])
        return word[2] - '0' < node->out[0]->shape.rank ? at[word[2] - '0'].at : "0";
    if (strcmp(word, "index") == 0)
        return mi_arena_format(e->arena, "(%s)", mi_emit_linear(e, node->out[0], at));
    if (strcmp(word, "uniform") == 0 || strcmp(word, "normal") == 0)
        return random_text(e, node, at);
    if (strcmp(word, "learning_rate") == 0)
        return "mica_s->learning_rate";
    if (strcmp(word, "step") == 0)
        return "((float)mica_s->step)";
    if (strcmp(word, "run") == 0)
        return "mica_s->step";
    return NULL;
}

static const char *word_text(struct mi_emitter *e, const struct mi_node *node, const struct mi_word *words, int count,
                             const char *name, const struct mi_coordinate *at)
{
    for (int i = 0; i < count; i++)
        if (words[i].text && strcmp(words[i].name, name) == 0)
            return words[i].text;
    const char *text = mi_emit_attribute(e, node, name);
    return text ? text : builtin_text(e, node, name, at);
}

/* Of doubles a function has a name of its own (doubles.cl): programs have their own for floats. */
static bool calls_of_doubles(const struct mi_node *node, const char *name, size_t length)
{
    static const char *const functions[] = {"exp",  "expm1", "log",  "log1p", "sin",   "cos",  "tanh", "erf",
                                            "erfc", "sqrt",  "fabs", "floor", "ceil", "rint", "pow"};
    bool found = false;
    for (size_t i = 0; i < MI_COUNT(functions) && node->inputs && node->in[0]->type == MI_DOUBLE; i++)
        found = found || (strlen(functions[i]) == length && !strncmp(name, functions[i], length));
    return found;
}

const char *mi_emit_expression(struct mi_emitter *e, const struct mi_node *node, const char *expression,
                              const struct mi_word *words, int count, const struct mi_coordinate *at)
{
    struct mi_text out = {0};
    bool is_double = node->inputs && node->in[0]->type == MI_DOUBLE;
    for (const char *c = expression; *c;) {
        size_t length = 0;
        bool number = mi_is_digit(*c) || (*c == '.' && mi_is_digit(c[1]));
        if (number)
            length = strspn(c, "0123456789.xXabcdefABCDEFUL");
        else if (mi_is_letter(*c) || *c == '_')
            while (mi_is_word(c[length]))
                length++;
        char name[64];
        const char *text = NULL;
        if (length && !number && length < sizeof name) {
            mi_format(name, sizeof name, "%.*s", (int)length, c);
            text = word_text(e, node, words, count, name, at);
        }
        if (text)
            mi_text_append(&out, text, strlen(text));
        else if (length && !number && calls_of_doubles(node, c, length))
            mi_text_add(&out, "mica_double_%.*s", (int)length, c);
        else /* of doubles a number has all its digits */
            mi_text_append(&out, c, length ? length - (number && is_double && c[length - 1] == 'f') : 1);
        c += length ? length : 1;
    }
    const char *result = mi_arena_strdup(e->arena, mi_text_get(&out));
    mi_emit_text_end(e, &out);
    return result ? result : "";
}
