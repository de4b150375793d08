/* Preprocessing as a value: applied to rows, copied, written to JSON and read back (a saved model carries
 * it). */
#include "data/data.h"

#include <math.h>
#include <string.h>

void mi_preprocess_destroy(struct mi_preprocess *preprocess)
{
    mi_arena_destroy(&preprocess->arena);
    *preprocess = (struct mi_preprocess){0};
}

/* ---- Applying ---- */

/* Element i of a raw row as the network sees it; its parameters have the number c. */
static float prepared(const struct mi_preprocess *p, double raw, size_t i, size_t c)
{
    double x = p->fill && isnan(raw) ? p->fill[i] : p->logarithm && p->logarithm[i] ? log(raw) : raw;
    return (float)(p->count ? (x - p->subtract[c]) / p->divide[c] : x);
}

size_t mi_preprocess_rows(const struct mi_preprocess *p)
{
    return p->window.steps > 0 ? (size_t)p->window.steps : 1;
}

size_t mi_preprocess_row(const struct mi_preprocess *p)
{
    size_t elements = 0;
    return mi_sample_elements(&p->shape, &elements) ? elements / mi_preprocess_rows(p) : 0;
}

void mi_preprocess_doubles(const struct mi_preprocess *p, const double *raw, size_t n, float *out)
{
    size_t elements = mi_preprocess_row(p), runs = p->count ? (size_t)p->count : 1;
    size_t run = elements / runs; /* neighbours that share parameters */
    for (size_t row = 0; row < n; row++, raw += elements, out += elements)
        for (size_t c = 0; c < runs; c++)
            for (size_t i = c * run; i < (c + 1) * run; i++)
                out[i] = prepared(p, raw[i], i, c);
}

/* Channels of images, whose many values are small numbers: floats do. */
static void normalize_channels(const struct mi_preprocess *p, const float *raw, size_t run, float *out)
{
    for (size_t c = 0; c < (size_t)p->count; c++) {
        float s = (float)p->subtract[c], d = (float)p->divide[c];
        for (size_t i = c * run; i < (c + 1) * run; i++)
            out[i] = (raw[i] - s) / d;
    }
}

void mi_preprocess_apply(const struct mi_preprocess *p, const float *raw, size_t n, float *out)
{
    size_t elements = mi_preprocess_row(p), runs = p->count ? (size_t)p->count : 1;
    size_t run = elements / runs;
    for (size_t row = 0; row < n; row++, raw += elements, out += elements) {
        if (p->count && run > 1 && !p->fill && !p->logarithm) {
            normalize_channels(p, raw, run, out);
            continue;
        }
        for (size_t c = 0; c < runs; c++)
            for (size_t i = c * run; i < (c + 1) * run; i++)
                out[i] = prepared(p, (double)raw[i], i, c);
    }
}

void mi_preprocess_bytes(const struct mi_preprocess *p, const unsigned char *raw, float *out)
{
    size_t elements = mi_preprocess_row(p), count = (size_t)p->count;
    for (size_t c = 0; c < (count ? count : 1); c++) {
        float s = count ? (float)p->subtract[c] : 0, d = count ? (float)p->divide[c] : 1;
        size_t group = count ? elements / count : elements;
        for (size_t i = c * group; i < (c + 1) * group; i++)
            out[i] = ((float)raw[i] - s) / d;
    }
}

void mi_preprocess_undo(const struct mi_preprocess *p, float *values, size_t n)
{
    size_t elements = mi_preprocess_row(p), count = (size_t)p->count, run = count ? elements / count : elements;
    bool changed = count || p->logarithm;
    for (size_t row = 0; changed && row < n * mi_preprocess_rows(p); row++, values += elements)
        for (size_t i = 0; i < elements; i++) {
            double x = count ? (double)values[i] * p->divide[i / run] + p->subtract[i / run] : (double)values[i];
            values[i] = (float)(p->logarithm && p->logarithm[i] ? exp(x) : x);
        }
}

size_t mi_column_width(const struct mi_column *column)
{
    return column->categorical ? (size_t)column->count : column->calendar ? (size_t)mi_calendar_width(column->calendar) : 1;
}

bool mi_preprocess_mark(struct mi_preprocess *p)
{
    size_t features = mi_preprocess_features(p), at = 0;
    bool any = false, *marks = NULL;
    for (int i = 0; i < p->column_count; i++)
        any = any || p->columns[i].logarithm;
    if (!any)
        return true;
    marks = mi_arena_new(&p->arena, features, sizeof *marks);
    for (int i = 0; marks && i < p->column_count; at += mi_column_width(&p->columns[i++]))
        if (p->columns[i].logarithm)
            marks[at] = true;
    p->logarithm = marks;
    return marks != NULL;
}

size_t mi_preprocess_features(const struct mi_preprocess *preprocess)
{
    size_t features = 0;
    for (int i = 0; i < preprocess->column_count; i++)
        features += mi_column_width(&preprocess->columns[i]);
    return features;
}

const struct mi_column *mi_preprocess_feature(const struct mi_preprocess *preprocess, size_t i, int *column)
{
    for (int c = 0; c < preprocess->column_count; c++) {
        size_t width = mi_column_width(&preprocess->columns[c]);
        if (i < width) {
            *column = c;
            return &preprocess->columns[c];
        }
        i -= width;
    }
    *column = -1;
    return NULL;
}

struct mi_shape_text mi_preprocess_input_text(const struct mi_preprocess *preprocess, size_t i)
{
    int column = 0;
    const struct mi_column *found = preprocess->columns ? mi_preprocess_feature(preprocess, i, &column) : NULL;
    struct mi_shape_text out;
    if (found && found->name && *found->name)
        mi_format(out.text, sizeof out.text, "column %d (%s)", found->index + 1, mi_show(found->name).text);
    else if (found)
        mi_format(out.text, sizeof out.text, "column %d", found->index + 1);
    else
        mi_format(out.text, sizeof out.text, "input %zu", i);
    return out;
}

/* ---- Copying ---- */

static const char **copy_texts(struct mi_arena *arena, const char *const *texts, int count)
{
    const char **copy = mi_arena_new(arena, (size_t)count, sizeof *copy);
    for (int i = 0; copy && i < count; i++)
        copy[i] = mi_arena_strdup(arena, texts[i]);
    return copy;
}

static double *copy_numbers(struct mi_arena *arena, const double *from, size_t count)
{
    double *copy = from ? mi_arena_new(arena, count, sizeof *copy) : NULL;
    if (copy)
        memcpy(copy, from, count * sizeof *copy);
    return copy;
}

static const bool *copy_flags(struct mi_arena *arena, const bool *from, size_t count)
{
    bool *copy = mi_arena_new(arena, count, sizeof *copy);
    if (copy)
        memcpy(copy, from, count * sizeof *copy);
    return copy;
}

static const struct mi_column *copy_date(struct mi_arena *arena, const struct mi_column *from)
{
    struct mi_column *copy = mi_arena_new(arena, 1, sizeof *copy);
    if (copy) {
        *copy = *from;
        copy->name = mi_arena_strdup(arena, from->name);
    }
    return copy;
}

mica_status mi_preprocess_copy(struct mi_error *error, const struct mi_preprocess *from,
                               struct mi_preprocess *to)
{
    struct mi_arena arena = {0};
    *to = *from;
    to->name = mi_arena_strdup(&arena, from->name);
    to->fill = copy_numbers(&arena, from->fill, mi_preprocess_row(from));
    to->subtract = copy_numbers(&arena, from->subtract, (size_t)from->count);
    to->divide = copy_numbers(&arena, from->divide, (size_t)from->count);
    to->class_names = from->class_names ? copy_texts(&arena, from->class_names, from->classes) : NULL;
    to->vocabulary.texts = from->vocabulary.count ? copy_texts(&arena, from->vocabulary.texts, from->vocabulary.count) : NULL;
    to->vocabulary.merges = NULL;
    if (from->vocabulary.merge_count)
        to->vocabulary.merges = mi_arena_new(&arena, (size_t)from->vocabulary.merge_count, sizeof *to->vocabulary.merges);
    if (to->vocabulary.merges)
        memcpy(to->vocabulary.merges, from->vocabulary.merges,
               (size_t)from->vocabulary.merge_count * sizeof *to->vocabulary.merges);
    to->columns = NULL;
    if (from->column_count)
        to->columns = mi_arena_new(&arena, (size_t)from->column_count, sizeof *to->columns);
    for (int i = 0; to->columns && i < from->column_count; i++) {
        to->columns[i] = from->columns[i];
        to->columns[i].name = mi_arena_strdup(&arena, from->columns[i].name);
        to->columns[i].values = copy_texts(&arena, from->columns[i].values, from->columns[i].count);
    }
    to->date = from->date ? copy_date(&arena, from->date) : NULL;
    to->logarithm = from->logarithm ? copy_flags(&arena, from->logarithm, mi_preprocess_row(from)) : NULL;
    if (arena.failed) {
        mi_arena_destroy(&arena);
        *to = (struct mi_preprocess){0};
        return mi_out_of_memory(error);
    }
    to->arena = arena;
    return MICA_OK;
}
