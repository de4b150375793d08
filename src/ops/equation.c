/* Equations of Einsum: read, written, and fitted to shapes. */
#include "ops/equation.h"

#include <string.h>

int mi_term_find(const struct mi_term *term, char letter)
{
    for (int i = 0; i < term->count; i++)
        if (term->letter[i] == letter)
            return i;
    return -1;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* ---- Reading ---- */

static mica_status fail(struct mi_error *error, const char *text, const char *format, ...) MI_PRINTF(3, 4);
static mica_status fail(struct mi_error *error, const char *text, const char *format, ...)
{
    char says[200];
    va_list arguments;
    va_start(arguments, format);
    mi_vformat(says, sizeof says, format, arguments);
    va_end(arguments);
    return mi_fail(error, MICA_INVALID_ARGUMENT, "equation \"%s\": %s", mi_show(text).text, says);
}

static mica_status add_letter(struct mi_error *error, const char *text, struct mi_term *term, char letter)
{
    if (!is_letter(letter))
        return fail(error, text, "'%s' is no letter; it is written as \"abc,cd->abd\"", mi_show((char[]){letter, 0}).text);
    if (mi_term_find(term, letter) >= 0)
        return fail(error, text, "%c stands twice in one term, which has no meaning here", letter);
    if (term->count == MI_MAX_RANK)
        return fail(error, text, "a term has more than %d letters", MI_MAX_RANK);
    term->letter[term->count++] = letter;
    return MICA_OK;
}

/* One term up to a comma, an arrow or the end; *at goes there. */
static mica_status read_term(struct mi_error *error, const char *text, const char **at, struct mi_term *term)
{
    *term = (struct mi_term){.dots = -1};
    for (; **at && **at != ',' && **at != '-'; ++*at) {
        if (**at == ' ')
            continue;
        if (strncmp(*at, "...", 3) == 0 && term->dots < 0) {
            term->dots = term->count;
            *at += 2;
        } else if (**at == '.') {
            return fail(error, text, "a term has \"...\" once at most, and three dots");
        } else {
            MI_TRY(add_letter(error, text, term, **at));
        }
    }
    return MICA_OK;
}

/* The result that an equation without an arrow has. */
static mica_status imply_result(struct mi_error *error, const char *text, struct mi_equation *equation)
{
    int seen[128] = {0};
    equation->result = (struct mi_term){.dots = -1};
    for (int i = 0; i < equation->operands; i++) {
        if (equation->operand[i].dots >= 0)
            equation->result.dots = 0;
        for (int k = 0; k < equation->operand[i].count; k++)
            seen[(int)equation->operand[i].letter[k]]++;
    }
    for (char c = 'A'; c <= 'z'; c++)
        if (seen[(int)c] == 1)
            MI_TRY(add_letter(error, text, &equation->result, c));
    return MICA_OK;
}

static mica_status check_result(struct mi_error *error, const char *text, const struct mi_equation *equation)
{
    bool dots = false;
    for (int i = 0; i < equation->operands; i++)
        dots = dots || equation->operand[i].dots >= 0;
    if (equation->result.dots >= 0 && !dots)
        return fail(error, text, "the result has \"...\", and no operand does");
    for (int k = 0; k < equation->result.count; k++) {
        int found = -1;
        for (int i = 0; i < equation->operands && found < 0; i++)
            found = mi_term_find(&equation->operand[i], equation->result.letter[k]);
        if (found < 0)
            return fail(error, text, "the result has %c, and no operand does", equation->result.letter[k]);
    }
    return MICA_OK;
}

mica_status mi_equation_parse(struct mi_error *error, const char *text, struct mi_equation *equation)
{
    const char *at = text;
    *equation = (struct mi_equation){.operands = 0};
    for (bool more = true; more; at += more) {
        if (equation->operands == MI_MOST_TERMS)
            return fail(error, text, "it has more than %d operands", MI_MOST_TERMS);
        MI_TRY(read_term(error, text, &at, &equation->operand[equation->operands++]));
        more = *at == ',';
    }
    if (!*at)
        return imply_result(error, text, equation);
    if (at[0] != '-' || at[1] != '>')
        return fail(error, text, "an arrow is written ->");
    at += 2;
    MI_TRY(read_term(error, text, &at, &equation->result));
    if (*at)
        return fail(error, text, "behind the arrow stands one term");
    return check_result(error, text, equation);
}

/* ---- Writing ---- */

static void write_term(struct mi_text *out, const struct mi_term *term)
{
    for (int i = 0; i <= term->count; i++) {
        if (term->dots == i)
            mi_text_add(out, "...");
        if (i < term->count)
            mi_text_add(out, "%c", term->letter[i]);
    }
}

const char *mi_equation_text(struct mi_arena *arena, const struct mi_equation *equation)
{
    struct mi_text text = {0};
    for (int i = 0; i < equation->operands; i++) {
        mi_text_add(&text, i ? "," : "");
        write_term(&text, &equation->operand[i]);
    }
    mi_text_add(&text, "->");
    write_term(&text, &equation->result);
    const char *written = mi_arena_format(arena, "%s", mi_text_get(&text));
    mi_text_destroy(&text);
    return written;
}

/* ---- Fitting ---- */

/* A letter that nothing uses yet. */
static char fresh(bool used[128])
{
    char c = 'A';
    while (c <= 'z' && (used[(int)c] || !is_letter(c)))
        c++;
    used[(int)c] = true;
    return c;
}

/* Puts letters in the place of "...". */
static void replace_dots(struct mi_term *term, const char *letters, int count)
{
    memmove(term->letter + term->dots + count, term->letter + term->dots, (size_t)(term->count - term->dots));
    memcpy(term->letter + term->dots, letters, (size_t)count);
    term->count += count;
    term->dots = -1;
}

struct fitting {
    struct mi_error *error;
    struct mi_equation *equation;
    const struct mi_shape *const *shapes;
    const char *text;            /* of the equation as it was given */
    bool used[128];
    int dots;                    /* axes that the longest "..." stands for */
    char letter[MI_MAX_RANK];    /* theirs, from the last one */
    struct mi_dim size[MI_MAX_RANK];
};

/* The size of axis k from the end of what "..." stands for in an operand. */
static struct mi_dim dots_size(const struct fitting *f, int operand, int k)
{
    const struct mi_term *term = &f->equation->operand[operand];
    int count = f->shapes[operand]->rank - term->count;
    return f->shapes[operand]->dim[term->dots + count - 1 - k];
}

static mica_status count_dots(struct fitting *f)
{
    for (int i = 0; i < f->equation->operands; i++) {
        const struct mi_term *term = &f->equation->operand[i];
        int more = f->shapes[i]->rank - term->count;
        if (more < 0 || (more > 0 && term->dots < 0))
            return mi_fail(f->error, MICA_SHAPE, "equation \"%s\": operand %d has %d dimensions, its term names %s%d", f->text, i,
                           f->shapes[i]->rank, term->dots < 0 ? "" : "at least ", term->count);
        if (term->dots >= 0 && more > f->dots)
            f->dots = more;
    }
    if (f->equation->result.dots >= 0 && f->dots + f->equation->result.count > MI_MAX_RANK)
        return mi_fail(f->error, MICA_SHAPE, "equation \"%s\": the result has %d dimensions, at most %d are possible", f->text,
                       f->dots + f->equation->result.count, MI_MAX_RANK);
    return MICA_OK;
}

/* What the k-th of these axes has together: sizes that differ are 1, or an error. */
static mica_status join_dots(struct fitting *f, int k)
{
    f->letter[k] = fresh(f->used);
    f->size[k] = mi_fixed(1);
    for (int i = 0; i < f->equation->operands; i++) {
        const struct mi_term *term = &f->equation->operand[i];
        if (term->dots < 0 || k >= f->shapes[i]->rank - term->count)
            continue;
        struct mi_dim size = dots_size(f, i, k);
        if (mi_dim_is(f->size[k], 1))
            f->size[k] = size;
        else if (!mi_dim_is(size, 1) && !mi_dim_equal(size, f->size[k]))
            return mi_fail(f->error, MICA_SHAPE, "equation \"%s\": \"...\" stands for axes of %lld and %lld elements", f->text,
                           (long long)f->size[k].b, (long long)size.b);
    }
    return MICA_OK;
}

/* An axis of size 1 that meets a longer one has a letter of its own, over which is summed. */
static void name_dots(struct fitting *f, int operand)
{
    struct mi_term *term = &f->equation->operand[operand];
    int count = f->shapes[operand]->rank - term->count;
    char letters[MI_MAX_RANK];
    for (int k = 0; term->dots >= 0 && k < count; k++)
        letters[count - 1 - k] = mi_dim_equal(dots_size(f, operand, k), f->size[k]) ? f->letter[k] : fresh(f->used);
    if (term->dots >= 0)
        replace_dots(term, letters, count);
}

static mica_status take_sizes(struct fitting *f, int operand, struct mi_dim size[128])
{
    const struct mi_term *term = &f->equation->operand[operand];
    for (int k = 0; k < term->count; k++) {
        struct mi_dim own = f->shapes[operand]->dim[k], *known = &size[(int)term->letter[k]];
        if (known->a < 0)
            *known = own;
        if (!mi_dim_equal(*known, own))
            return mi_fail(f->error, MICA_SHAPE, "equation \"%s\": %c has %lld elements in one operand and %lld in another",
                           f->text, term->letter[k], (long long)known->b, (long long)own.b);
    }
    return MICA_OK;
}

mica_status mi_equation_fit(struct mi_error *error, struct mi_equation *equation, const struct mi_shape *const *shapes, int count,
                            struct mi_dim size[128])
{
    struct mi_arena arena = {0};
    const char *text = mi_equation_text(&arena, equation);
    struct fitting f = {.error = error, .equation = equation, .shapes = shapes, .text = text ? text : ""};
    mica_status status = MICA_OK;
    if (equation->operands != count)
        status = mi_fail(error, MICA_INVALID_ARGUMENT, "equation \"%s\": it has %d operands, there are %d", f.text,
                         equation->operands, count);
    for (int i = 0; i < equation->operands; i++)
        for (int k = 0; k < equation->operand[i].count; k++)
            f.used[(int)equation->operand[i].letter[k]] = true;
    for (int c = 0; c < 128; c++)
        size[c] = (struct mi_dim){-1, 0};
    if (status == MICA_OK)
        status = count_dots(&f);
    for (int k = 0; k < f.dots && status == MICA_OK; k++)
        status = join_dots(&f, k);
    for (int i = 0; i < equation->operands && status == MICA_OK; i++) {
        name_dots(&f, i);
        status = take_sizes(&f, i, size);
    }
    char letters[MI_MAX_RANK];
    for (int k = 0; k < f.dots; k++)
        letters[f.dots - 1 - k] = f.letter[k];
    if (status == MICA_OK && equation->result.dots >= 0)
        replace_dots(&equation->result, letters, f.dots);
    mi_arena_destroy(&arena);
    return status;
}
