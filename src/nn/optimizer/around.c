/* What stands around an optimizer's rule: gradients that are added up over several runs, a moving average of the parameters, and a
 * rate of a group of them. The rule stays one map, whose expressions are rewritten, so that an update stays one launch.
 *
 * SgdUpdate, p - learning_rate * g, over 4 runs and with an average:
 *
 *     s_new = run % 4 == 1 ? g : s + g
 *     p_new = run % 4 == 0 ? p - learning_rate * (s_new * 0.25f) : p
 *     e_new = run % 4 == 0 ? (e is not NaN ? 0.99f * e + (1.0f - 0.99f) * p_new : p_new) : e
 *
 * A sum begins anew in the first run of a turn, whatever was added before. An average is NaN until it begins.
 *
 * Where the loss is scaled, f is what takes that from the gradients, or NaN where the step is to be left out (scale.c):
 *
 *     p_new = f is not NaN ? p - learning_rate * (g * f) : p */
#include "nn/optimizer/optimizer.h"

#include <string.h>

/* What the words of a rule become. */
struct word {
    const char *from, *to;
};

/* The text with each of the words replaced. */
static const char *replace(struct mi_arena *arena, const char *text, const struct word *words, size_t count)
{
    struct mi_text out = {0};
    while (*text) {
        size_t length = 0;
        while (mi_is_word(text[length]))
            length++;
        const char *to = NULL;
        for (size_t i = 0; i < count && length; i++)
            if (words[i].to && strlen(words[i].from) == length && !strncmp(words[i].from, text, length))
                to = words[i].to;
        length = length ? length : 1;
        mi_text_add(&out, "%.*s", to ? (int)strlen(to) : (int)length, to ? to : text);
        text += length;
    }
    const char *copy = out.failed ? NULL : mi_arena_strdup(arena, mi_text_get(&out));
    mi_text_destroy(&out);
    return copy;
}

bool mi_optimizer_unscales(const struct mi_optimizer *o)
{
    return o->scales_loss && !mi_optimizer_needs_gradient(o);
}

bool mi_optimizer_clips(const struct mi_optimizer *o)
{
    return o->clip_value > 0 || o->clip_norm > 0 || o->clip_global_norm > 0;
}

bool mi_optimizer_needs_gradient(const struct mi_optimizer *o)
{
    return mi_optimizer_clips(o) || o->row->ahead;
}

bool mi_optimizer_is_plain(const struct mi_optimizer *optimizer)
{
    return optimizer->accumulate < 2 && optimizer->use_ema <= 0 && !optimizer->group_count && !optimizer->scales_loss &&
           !optimizer->penalizes;
}

/* What is so in the run that updates; NULL: every run does. A step is left out where the factor of its gradients, or what is left
 * of them, is NaN. */
static const char *turn(struct mi_arena *arena, const struct mi_optimizer *o)
{
    if (o->accumulate < 2)
        return !o->scales_loss ? NULL : mi_optimizer_unscales(o) ? "f_ == f_" : "g == g";
    return mi_arena_format(arena, "run %% %d == 0", (int)o->accumulate);
}

/* The name of input i in a rule's list of them, "p g m v". */
static const char *nth(struct mi_arena *arena, const char *list, int i)
{
    for (; i > 0; i--)
        list += strcspn(list, " ") + 1;
    return mi_arena_format(arena, "%.*s", (int)strcspn(list, " "), list);
}

static const char *only_in_turn(struct mi_arena *arena, const char *when, const char *then, const char *otherwise)
{
    return when ? mi_arena_format(arena, "(%s ? %s : %s)", when, then, otherwise) : then;
}

/* The gradient in an update that takes the loss's scale from it: of several, one that is to be left out is 0. */
static const char *unscaled(const struct mi_optimizer *o)
{
    return !mi_optimizer_unscales(o) ? "g" : o->accumulate < 2 ? "(g * f_)" : "(f_ == f_ ? g * f_ : 0)";
}

static const char *sum_of(struct mi_arena *arena, const struct mi_optimizer *o, const char *sum, const char *gradient)
{
    return mi_arena_format(arena, "(run %% %d == 1 ? %s : %s + %s)", (int)o->accumulate, gradient, sum, gradient);
}

/* What is so in the update after which the parameter becomes the average; NULL: there is none. */
static const char *overwrites(struct mi_arena *arena, const struct mi_optimizer *o)
{
    if (o->use_ema <= 0 || o->ema_overwrite < 1)
        return NULL;
    return mi_arena_format(arena, "(run / %d) %% %d == 0", o->accumulate < 2 ? 1 : (int)o->accumulate, (int)o->ema_overwrite);
}

static const char *average_of(struct mi_arena *arena, const char *p)
{
    return mi_arena_format(arena, "(e_ == e_ ? ema_ * e_ + (1.0f - ema_) * %s : %s)", p, p);
}

/* The gradient with the derivative of the parameter's penalties. */
static const char *penalized(struct mi_arena *arena, const struct mi_optimizer *o, const char *gradient, const char *p)
{
    if (!o->penalizes)
        return gradient;
    return mi_arena_format(arena, "(%s + ((%s > 0 ? l1_ : %s < 0 ? -l1_ : 0) + l2_ * %s))", gradient, p, p, p);
}

/* The names of a rule's inputs with others between its states, of which there are `states`, and what stands behind them. */
static const char *between(struct mi_arena *arena, const char *list, int states, const char *others)
{
    const char *rest = list;
    for (int i = 0; i < 2 + states && *rest; i++)
        rest += strcspn(rest, " ") + (rest[strcspn(rest, " ")] == ' ');
    int first = (int)(rest - list) - (*rest ? 1 : 0);
    return mi_arena_format(arena, "%.*s%s%s%s", first, list, others, *rest ? " " : "", rest);
}

/* Fills in the rule: outputs of the base, then the sum, then the average. */
static void rewrite(struct mi_arena *arena, const struct mi_optimizer *o, const struct mi_op *base, bool sums,
                    struct mi_map_rule *rule)
{
    const char *when = turn(arena, o), *over = overwrites(arena, o);
    int every = o->accumulate < 2 ? 1 : (int)o->accumulate, outs = base->outputs;
    const char *g = sums ? mi_arena_format(arena, "(%s * (1.0f / %d))", sum_of(arena, o, "s_", unscaled(o)), every) : unscaled(o);
    const struct word words[] = {
        {"g", penalized(arena, o, g, nth(arena, base->map->in, 0))},
        {"learning_rate", o->group_count ? "(learning_rate * rate_)" : NULL},
        {"step", every > 1 ? mi_arena_format(arena, "((float)(run / %d))", every) : NULL},
    };
    for (int i = 0; i < base->outputs; i++) {
        const char *text = replace(arena, base->map->expr[i], words, MI_COUNT(words));
        if (text && over && i == 0)
            text = mi_arena_format(arena, "(%s ? %s : %s)", over, average_of(arena, mi_arena_format(arena, "(%s)", text)), text);
        rule->expr[i] = text ? only_in_turn(arena, when, text, nth(arena, base->map->in, i ? i + 1 : 0)) : NULL;
    }
    rule->in = between(arena, base->map->in, base->outputs - 1,
                       sums ? o->use_ema > 0 ? " s_ e_" : " s_" : o->use_ema > 0 ? " e_" : "");
    rule->out = base->map->out;
    if (sums) {
        rule->out = mi_arena_format(arena, "%s s_new_", rule->out);
        rule->expr[outs++] = sum_of(arena, o, "s_", unscaled(o));
    }
    if (o->use_ema > 0) {
        const char *average = average_of(arena, "p_new");
        if (over)
            average = mi_arena_format(arena, "(%s ? p_new : %s)", over, average);
        rule->out = mi_arena_format(arena, "%s e_new_", rule->out);
        rule->expr[outs++] = only_in_turn(arena, when, average, "e_");
    }
    if (mi_optimizer_unscales(o))
        rule->in = mi_arena_format(arena, "%s f_", rule->in);
}

const struct mi_op *mi_optimizer_op(struct mi_graph *graph, const struct mi_optimizer *o, bool sums)
{
    const struct mi_op *base = mi_op_find(graph->ops, mi_optimizer_update(o));
    struct mi_arena *arena = &graph->arena;
    if (mi_optimizer_is_plain(o))
        return base;
    struct mi_op *op = mi_arena_new(arena, 1, sizeof *op);
    struct mi_map_rule *rule = mi_arena_new(arena, 1, sizeof *rule);
    if (!op || !rule)
        return NULL;
    int more = (sums ? 1 : 0) + (o->use_ema > 0);
    rewrite(arena, o, base, sums, rule);
    *op = *base;
    op->min_inputs = op->max_inputs = base->max_inputs + more + mi_optimizer_unscales(o);
    op->outputs = base->outputs + more;
    op->map = rule;
    for (int i = 0; i < op->outputs; i++)
        if (!rule->expr[i]) /* its text had no memory */
            return NULL;
    return arena->failed ? NULL : op;
}

mi_value *mi_optimizer_sum(struct mi_graph *graph, const struct mi_optimizer *o, mi_value *sum, mi_value *gradient)
{
    struct mi_op *op = mi_arena_new(&graph->arena, 1, sizeof *op);
    struct mi_map_rule *rule = mi_arena_new(&graph->arena, 1, sizeof *rule);
    const struct mi_op *like = mi_op_find(graph->ops, "Add");
    if (!op || !rule)
        return NULL;
    rule->expr[0] = sum_of(&graph->arena, o, "a", "b");
    *op = (struct mi_op){.name = "SumOfGradients", .kind = MI_MAP, .min_inputs = 2, .max_inputs = 2, .outputs = 1,
                         .infer = like->infer, .map = rule};
    struct mi_node *node = graph->arena.failed ? NULL : mi_node_of(graph, op, (mi_value *[]){sum, gradient}, 2, NULL, 0);
    return node ? node->out[0] : NULL;
}

mi_value *mi_optimizer_in_turn(struct mi_graph *graph, const struct mi_optimizer *o, mi_value *then, mi_value *parameter,
                               mi_value *gradient, mi_value *factor)
{
    const char *when = turn(&graph->arena, o);
    struct mi_op *op = mi_arena_new(&graph->arena, 1, sizeof *op);
    struct mi_map_rule *rule = mi_arena_new(&graph->arena, 1, sizeof *rule);
    if (!when)
        return then;
    if (!op || !rule)
        return NULL;
    bool reads = o->accumulate < 2;
    rule->in = !reads ? "c p" : mi_optimizer_unscales(o) ? "c p f_" : "c p g";
    rule->expr[0] = only_in_turn(&graph->arena, when, "c", "p");
    *op = (struct mi_op){.name = "InTurn", .kind = MI_MAP, .min_inputs = 2 + reads, .max_inputs = 2 + reads, .outputs = 1,
                         .map = rule};
    mi_value *in[] = {then, parameter, mi_optimizer_unscales(o) ? factor : gradient};
    struct mi_node *node = graph->arena.failed ? NULL : mi_node_of(graph, op, in, 2 + reads, NULL, 0);
    return node ? node->out[0] : NULL;
}
