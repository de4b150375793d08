/* Nests: the statements of a reduce rule, for a state in variables of the kernel. */
#include "nest/rule.h"

#include <string.h>

static const struct mi_reduce_rule sum_rule = {
    .state = {"T"}, .init = "s0 = 0;", .step = "s0 += x;", .merge = "s0 += t0;", .finish = {"s0"}};

const struct mi_reduce_rule *mi_nest_rule(const struct mi_node *node)
{
    return node->op->kind == MI_CONTRACT ? &sum_rule : node->op->reduce;
}

const char *mi_nest_reduced_count(struct mi_nest *s)
{
    const char *text = "1";
    for (int i = 0; i < s->reductions; i++)
        text = mi_arena_format(s->e->arena, "%s*%s", text, mi_dim_code(s->e->arena, s->reduced[i]));
    return text;
}

/* The row-major number of the open loops' place among the reduced ones. */
static const char *reduced_index(struct mi_nest *s)
{
    const char *text = "0";
    for (int i = 0; i < s->reductions; i++)
        text = mi_arena_format(s->e->arena, "(%s)*%s + %s", text, mi_dim_code(s->e->arena, s->reduced[i]), s->reduced_at[i]);
    return text;
}

const char *mi_nest_statement(struct mi_nest *s, const char *text, const struct mi_state *own, const char *at, const char *other,
                             const char *x)
{
    struct mi_text out = {0};
    for (const char *c = text; *c;) {
        size_t length = strspn(c, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789.");
        if (length == 0) {
            mi_text_append(&out, c++, 1);
            continue;
        }
        char word[32];
        mi_format(word, sizeof word, "%.*s", (int)length, c);
        int which = word[1] == '1';
        bool two = strlen(word) == 2 && (word[1] == '0' || word[1] == '1');
        if (two && word[0] == 's')
            mi_text_add(&out, "%s%s", own->name[which], at);
        else if (two && word[0] == 't')
            mi_text_add(&out, "%s%s", own->name[which], other ? other : "");
        else if (strcmp(word, "x") == 0 && x)
            mi_text_add(&out, "%s", x);
        else if (strcmp(word, "r") == 0 && x)
            mi_text_add(&out, "(%s)", reduced_index(s));
        else if (strcmp(word, "lowest") == 0 || strcmp(word, "highest") == 0)
            mi_text_add(&out, "%s", word[0] == 'l' ? own->limit->lowest : own->limit->highest);
        else if (strcmp(word, "count") == 0)
            mi_text_add(&out, "(%s)", mi_nest_reduced_count(s));
        else
            mi_text_append(&out, c, length);
        c += length;
    }
    const char *result = mi_arena_strdup(s->e->arena, mi_text_get(&out));
    mi_emit_text_end(s->e, &out);
    return result ? result : "";
}

const char *mi_nest_state_type(const struct mi_node *node, int i)
{
    const char *type = mi_nest_rule(node)->state[i];
    return type && strcmp(type, "T") == 0 ? mi_types[node->in[0]->type].c : type;
}

/* The length of an array. POCL 3.1 loses stores to arrays of 2 to 4 that a loop of one turn fills, so none is that short. */
int mi_nest_array_size(int count)
{
    return count > 1 && count < 8 ? 8 : count;
}

int mi_nest_partial(const struct mi_nest *s)
{
    return s->apart ? s->streams * s->v : s->v;
}

struct mi_state mi_nest_declare_state(struct mi_nest *s, const struct mi_node *node)
{
    struct mi_state state = {.limit = &mi_types[node->in[0]->type]};
    struct mi_emitter *e = s->e;
    int id = e->names++;
    for (int i = 0; i < 2 && mi_nest_state_type(node, i); i++) {
        state.name[i] = mi_arena_format(e->arena, "s%d_%d", id, i);
        mi_line(e, "%s %s[%d];", mi_nest_state_type(node, i), state.name[i], mi_nest_array_size(mi_nest_partial(s)));
        state.count++;
    }
    size_t scope = mi_scope_open(e, "for (int v = 0; v < %d; v++) ", mi_nest_partial(s));
    mi_line(e, "%s", mi_nest_statement(s, mi_nest_rule(node)->init, &state, "[v]", NULL, NULL));
    mi_scope_close(e, scope);
    for (int i = 0; i < state.count && s->tail; i++)
        mi_line(e, "%s %s_t;", mi_nest_state_type(node, i), state.name[i]);
    if (s->tail)
        mi_line(e, "%s", mi_nest_statement(s, mi_nest_rule(node)->init, &state, "_t", NULL, NULL));
    return state;
}

const char *mi_nest_element(struct mi_nest *s, const struct mi_node *node)
{
    struct mi_emitter *e = s->e;
    if (node->op->kind == MI_REDUCE) {
        struct mi_coordinate at[MI_MAX_RANK];
        mi_nest_value_at(s, node->in[0], at);
        return mi_emit_value(e, node->in[0], at, NULL);
    }
    const char *axis[MI_MAX_AXES] = {0};
    mi_emit_axes(e, &s->contraction, s->at, axis);
    for (int i = 0; i < s->contraction.out_axes; i++)
        axis[i] = axis[i] ? axis[i] : "0";
    for (int i = 0; i < s->reductions; i++)
        axis[s->contraction.out_axes + i] = s->reduced_at[i];
    const char *a = mi_emit_factor(e, &s->contraction, &s->contraction.a, axis);
    const char *b = mi_emit_factor(e, &s->contraction, &s->contraction.b, axis);
    return mi_arena_format(e->arena, "%s*%s", a, b);
}
