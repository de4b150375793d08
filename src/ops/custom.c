#include "ops/custom.h"

#include "ops/expression.h"
#include "ops/ops.h"

/* The names that expressions may use, and behind them NULL; of derivatives, y as well. */
static void list_names(int inputs, bool derivative, const char *names[MI_MOST_CUSTOM_INPUTS + 2])
{
    static const char *const several[] = {"a", "b", "c", "d"};
    for (int i = 0; i < inputs; i++)
        names[i] = inputs == 1 ? "x" : several[i];
    names[inputs] = derivative ? "y" : NULL;
    names[inputs + 1] = NULL;
}

static const char *text_of(struct mi_arena *arena, struct mi_error *error, const char *what, const struct mi_expression *e)
{
    const char *text = mi_expression_text(arena, e);
    if (!text && !arena->failed)
        mi_fail(error, MICA_FORMAT, "%s: it is too long once it is written out", what);
    return text;
}

/* g times the derivative; *out NULL: there is none. */
static mica_status find_gradient(struct mi_arena *arena, struct mi_error *error, const char *what, int inputs, int i,
                                 const struct mi_expression *expression, const char *given, const char **out)
{
    const char *names[MI_MOST_CUSTOM_INPUTS + 2];
    list_names(inputs, true, names);
    struct mi_expression *e = given ? mi_expression_parse(arena, error, what, given, names)
                                    : mi_expression_derivative(arena, expression, i);
    *out = NULL;
    if (!e)
        return error->status;
    const char *text = text_of(arena, error, what, e);
    *out = text ? mi_arena_format(arena, "g * %s", text) : NULL;
    return error->status;
}

const struct mi_op *mi_custom_map(struct mi_arena *arena, struct mi_error *error, const char *what, int inputs,
                                  const char *expression, const char *const *derivatives)
{
    const char *names[MI_MOST_CUSTOM_INPUTS + 2];
    struct mi_op *op = mi_arena_new(arena, 1, sizeof *op);
    struct mi_map_rule *rule = mi_arena_new(arena, 1, sizeof *rule);
    list_names(inputs, false, names);
    struct mi_expression *e = op && rule ? mi_expression_parse(arena, error, what, expression, names) : NULL;
    if (!e)
        return arena->failed ? (mi_out_of_memory(error), NULL) : NULL;
    rule->expr[0] = text_of(arena, error, what, e);
    rule->in = inputs == 1 ? "x" : "a b c d";
    for (int i = 0; i < inputs && error->status == MICA_OK; i++)
        find_gradient(arena, error, what, inputs, i, e, derivatives ? derivatives[i] : NULL, &rule->grad[i]);
    *op = (struct mi_op){.name = "Map", .kind = MI_MAP, .min_inputs = inputs, .max_inputs = inputs, .outputs = 1,
                         .infer = mi_infer_float_map, .map = rule};
    if (arena->failed)
        mi_out_of_memory(error);
    return error->status == MICA_OK ? op : NULL;
}
