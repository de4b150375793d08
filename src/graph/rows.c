/* The rows of the graph itself, and the expression that a map node stands for. */
#include "graph/op.h"

#include <string.h>

const struct mi_op mi_op_input = {.name = "Input", .kind = MI_SOURCE, .outputs = 1};
const struct mi_op mi_op_constant = {.name = "Constant", .kind = MI_SOURCE, .outputs = 1};
const struct mi_op mi_op_variable = {.name = "Variable", .kind = MI_SOURCE, .outputs = 1};
const struct mi_op mi_op_assign = {.name = "Assign", .kind = MI_SOURCE, .min_inputs = 1, .max_inputs = 1};
const struct mi_op mi_op_derivative = {.name = "Derivative", .kind = MI_MAP, .min_inputs = 1, .max_inputs = -1, .outputs = 1};

/* Word i of a list, or of the default for that many. */
static bool word_at(const char *list, int i, const char **word, size_t *length)
{
    for (;; i--) {
        list += strspn(list, " ");
        *length = strcspn(list, " ");
        if (*length == 0)
            return false;
        *word = list;
        if (i == 0)
            return true;
        list += *length;
    }
}

bool mi_map_input_name(const struct mi_map_rule *rule, int inputs, int i, const char **name, size_t *length)
{
    const char *list = rule->in ? rule->in : inputs == 1 ? "x" : "a b c d e f h i j k";
    return word_at(list, i, name, length);
}

/* Whether a move reads its one input wherever it is asked, and never fills: a shifted tensor has as many elements as before. */
static bool never_fills(const struct mi_node *node)
{
    static const char *const index[MI_MAX_RANK] = {"i0", "i1", "i2", "i3", "i4", "i5", "i6", "i7"};
    struct mi_access access;
    return node->op->move(&node->graph->arena, node, index, &access) == 1 && !access.guard;
}

bool mi_keeps_elements(const struct mi_node *node)
{
    const struct mi_map_rule *rule = node->op->map;
    const char *name = "";
    size_t length = 0;
    if (node->op->kind == MI_MAP)
        return rule && node->inputs == 1 && node->outputs == 1 && mi_map_input_name(rule, 1, 0, &name, &length) &&
               strlen(rule->expr[0]) == length && strncmp(rule->expr[0], name, length) == 0;
    if (node->op->kind != MI_MOVE || node->outputs != 1)
        return false;
    struct mi_dim left = {0, 0}, count;
    if (!mi_shape_product(&node->out[0]->shape, 0, node->out[0]->shape.rank, &left))
        return false;
    for (int i = 0; i < node->inputs; i++) {
        if (!node->in[i] || !mi_shape_product(&node->in[i]->shape, 0, node->in[i]->shape.rank, &count))
            return false;
        left = (struct mi_dim){left.a - count.a, left.b - count.b};
    }
    return mi_dim_is(left, 0) && (node->inputs != 1 || never_fills(node));
}

bool mi_reduce_is_sum(const struct mi_node *node)
{
    const struct mi_reduce_rule *rule = node->op->reduce;
    return rule && node->outputs == 1 && !rule->state[1] && strcmp(rule->init, "s0 = 0;") == 0 &&
           strcmp(rule->step, "s0 += x;") == 0 && strcmp(rule->finish[0], "s0") == 0;
}

static void set_name(char name[24], const char *word, size_t length)
{
    mi_format(name, 24, "%.*s", (int)length, word);
}

/* Derivative's inputs are g, the inputs of the other node, and its output y, each NULL where the expression does not name it. */
static void derivative_view(const struct mi_node *node, struct mi_map_view *view)
{
    const struct mi_map_rule *rule = node->of->map;
    const char *word = "";
    size_t length;
    view->expr[0] = rule->grad[node->wrt];
    set_name(view->in[0], "g", 1);
    for (int i = 0; i < node->inputs - 2; i++)
        if (mi_map_input_name(rule, node->inputs - 2, i, &word, &length))
            set_name(view->in[1 + i], word, length);
    word_at(rule->out ? rule->out : "y", 0, &word, &length);
    set_name(view->in[node->inputs - 1], word, length);
    set_name(view->out[0], "derivative", 10);
}

void mi_map_view(const struct mi_node *node, struct mi_map_view *view)
{
    memset(view, 0, sizeof *view);
    if (node->op == &mi_op_derivative) {
        derivative_view(node, view);
        return;
    }
    const struct mi_map_rule *rule = node->op->map;
    const char *word;
    size_t length;
    for (int i = 0; i < node->inputs; i++)
        if (mi_map_input_name(rule, node->inputs, i, &word, &length))
            set_name(view->in[i], word, length);
    for (int i = 0; i < node->outputs; i++) {
        view->expr[i] = rule->expr[i];
        if (word_at(rule->out ? rule->out : "y", i, &word, &length))
            set_name(view->out[i], word, length);
    }
}

bool mi_expression_names(const char *expression, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = expression; length && (at = strstr(at, word)) != NULL; at += length) {
        bool starts = at == expression || !(mi_is_word(at[-1]) || at[-1] == '.');
        bool ends = !mi_is_word(at[length]);
        if (starts && ends)
            return true;
    }
    return false;
}

/* Whether the node is a map one of whose expressions names the word. */
static bool map_names(const struct mi_node *node, const char *word)
{
    struct mi_map_view view;
    if (node->op->kind != MI_MAP)
        return false;
    mi_map_view(node, &view);
    for (int o = 0; o < node->outputs; o++)
        if (mi_expression_names(view.expr[o], word))
            return true;
    return false;
}

static bool has_rate(const struct mi_node *node)
{
    for (int i = 0; i < node->attributes; i++)
        if (strcmp(node->attribute[i].name, "rate") == 0)
            return node->attribute[i].f > 0;
    return false;
}

bool mi_draws(const struct mi_node *node)
{
    return map_names(node, "uniform") || map_names(node, "normal") || (node->op->kind == MI_OWN && has_rate(node));
}

bool mi_names_the_step(const struct mi_node *node)
{
    return mi_draws(node) || map_names(node, "learning_rate") ||
           map_names(node, "step") || map_names(node, "run") || map_names(node, "n");
}

bool mi_map_is_cheap(const struct mi_node *node)
{
    return node->op->kind == MI_MAP && node->outputs == 1 && !node->out[0]->name &&
           !mi_map_calls_functions(node) && !mi_draws(node) && !map_names(node, "index");
}

bool mi_map_calls_functions(const struct mi_node *node)
{
    struct mi_map_view view;
    mi_map_view(node, &view);
    for (int o = 0; o < node->outputs; o++)
        for (const char *text = view.expr[o], *c = text; c && *c; c++)
            if (*c == '(' && c > text && mi_is_word(c[-1]))
                return true;
    return false;
}
