/* Expressions as OpenCL C. What is computed is a float and what is asked a condition: each is written so, whatever it stands
 * for. */
#include "ops/expression_inside.h"

#include <string.h>

#define TEXT(id, count, text, derivative) text,
static const char *const bodies[] = {MI_FUNCTIONS(TEXT)};

static const char *const signs[MI_TERMS] = {
    [MI_TERM_ADD] = "+", [MI_TERM_SUBTRACT] = "-", [MI_TERM_MULTIPLY] = "*", [MI_TERM_DIVIDE] = "/", [MI_TERM_LESS] = "<",
    [MI_TERM_LESS_EQUAL] = "<=", [MI_TERM_GREATER] = ">", [MI_TERM_GREATER_EQUAL] = ">=", [MI_TERM_EQUAL] = "==",
    [MI_TERM_UNEQUAL] = "!=", [MI_TERM_AND] = "&&", [MI_TERM_OR] = "||",
};

struct writer {
    struct mi_text text;
    bool too_long;
};

static void write_number(struct writer *w, const struct mi_expression *e);

static bool is_condition(const struct mi_expression *e)
{
    return e->term == MI_TERM_NOT || (e->term >= MI_TERM_LESS && e->term <= MI_TERM_OR);
}

static void write_condition(struct writer *w, const struct mi_expression *e)
{
    bool logic = e->term == MI_TERM_AND || e->term == MI_TERM_OR;
    if (w->text.size > MI_LONGEST_EXPRESSION) {
        w->too_long = true;
        return;
    }
    mi_text_add(&w->text, e->term == MI_TERM_NOT ? "(!" : "(");
    if (e->term == MI_TERM_NOT)
        write_condition(w, e->x);
    else if (is_condition(e)) {
        (logic ? write_condition : write_number)(w, e->x);
        mi_text_add(&w->text, " %s ", signs[e->term]);
        (logic ? write_condition : write_number)(w, e->y);
    } else {
        write_number(w, e);
        mi_text_add(&w->text, " != 0.0f");
    }
    mi_text_add(&w->text, ")");
}

/* A function's text with its arguments in the places of x and y. */
static void write_call(struct writer *w, const struct mi_expression *e)
{
    for (const char *c = bodies[e->which]; *c;) {
        size_t length = 0;
        while (mi_is_word(c[length]) || (length && c[length] == '.'))
            length++;
        if (length == 1 && (*c == 'x' || *c == 'y'))
            write_number(w, *c == 'x' ? e->x : e->y);
        else
            mi_text_append(&w->text, c, length ? length : 1);
        c += length ? length : 1;
    }
}

static void write_constant(struct writer *w, float value)
{
    char text[40];
    mi_format(text, sizeof text, "%.9g", (double)value);
    mi_text_add(&w->text, "%s%sf", text, strpbrk(text, ".e") ? "" : ".0");
}

static void write_number(struct writer *w, const struct mi_expression *e)
{
    if (w->text.size > MI_LONGEST_EXPRESSION) {
        w->too_long = true;
        return;
    }
    if (e->term == MI_TERM_NAME || e->term == MI_TERM_NUMBER) {
        if (e->term == MI_TERM_NAME)
            mi_text_add(&w->text, "%s", e->name);
        else
            write_constant(w, e->value);
        return;
    }
    mi_text_add(&w->text, "(");
    if (is_condition(e)) {
        write_condition(w, e);
        mi_text_add(&w->text, " ? 1.0f : 0.0f");
    } else if (e->term == MI_TERM_CHOOSE) {
        write_condition(w, e->x);
        mi_text_add(&w->text, " ? ");
        write_number(w, e->y);
        mi_text_add(&w->text, " : ");
        write_number(w, e->z);
    } else if (e->term == MI_TERM_CALL) {
        write_call(w, e);
    } else if (e->term == MI_TERM_MINUS) {
        mi_text_add(&w->text, "-");
        write_number(w, e->x);
    } else {
        write_number(w, e->x);
        mi_text_add(&w->text, " %s ", signs[e->term]);
        write_number(w, e->y);
    }
    mi_text_add(&w->text, ")");
}

const char *mi_expression_text(struct mi_arena *arena, const struct mi_expression *expression)
{
    struct writer w = {0};
    write_number(&w, expression);
    const char *text = w.too_long || w.text.failed ? NULL : mi_arena_strdup(arena, mi_text_get(&w.text));
    mi_text_destroy(&w.text);
    return text;
}
