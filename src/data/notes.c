/* What was understood of a data set, in lines that a person reads before the training begins. */
#include "data/data.h"

#include <stdlib.h>
#include <string.h>

/* As many of a list are named. */
enum { MOST_NAMED = 8 };

void mi_data_note(mica_data *data, enum mi_note kind, struct mi_text *line)
{
    free(data->notes[kind]);
    data->notes[kind] = line->data;
    if (line->failed)
        mi_out_of_memory(&data->error);
    *line = (struct mi_text){0};
}

int mica_data_notes(const mica_data *data)
{
    int count = 0;
    for (int i = 0; data && i < MI_NOTES; i++)
        count += data->notes[i] != NULL;
    return count;
}

const char *mica_data_note(const mica_data *data, int i)
{
    for (int kind = 0; data && kind < MI_NOTES; kind++)
        if (data->notes[kind] && i-- == 0)
            return data->notes[kind];
    return NULL;
}

void mi_list_item(struct mi_text *line, size_t i, size_t count, const char *text)
{
    if (i < MOST_NAMED)
        mi_text_add(line, "%s%s", i ? ", " : "", text);
    else if (i == MOST_NAMED)
        mi_text_add(line, " and %zu more", count - i);
}

/* "income", "column 3" where it has no name, "city (3 words)". */
static void name_column(struct mi_text *line, const struct mi_column *column)
{
    if (column->name && *column->name)
        mi_text_add(line, "%s", mi_show(column->name).text);
    else
        mi_text_add(line, "column %d", column->index + 1);
    if (column->categorical)
        mi_text_add(line, " (%d words)", column->count);
    for (unsigned left = column->calendar, i = 0, k = 0; left; left >>= 1, k++)
        if (left & 1)
            mi_text_add(line, "%s%s%s", i++ ? ", " : " (", mi_calendar_names()[k], left == 1 ? ")" : "");
    if (column->logarithm)
        mi_text_add(line, " (its logarithm)");
}

static void note_columns(const struct mi_preprocess *p, struct mi_text *line)
{
    size_t count = (size_t)p->column_count;
    for (size_t i = 0; i < count && i <= MOST_NAMED; i++) {
        struct mi_text name = {0};
        name_column(&name, &p->columns[i]);
        mi_list_item(line, i, count, mi_text_get(&name));
        line->failed = line->failed || name.failed;
        mi_text_destroy(&name);
    }
}

void mi_list_classes(const struct mi_preprocess *p, struct mi_text *line)
{
    size_t count = (size_t)p->classes;
    for (size_t i = 0; p->class_names && i < count && i <= MOST_NAMED; i++)
        mi_list_item(line, i, count, mi_show(p->class_names[i]).text);
}

static void note_classes(const struct mi_preprocess *p, struct mi_text *line)
{
    size_t count = (size_t)p->classes;
    bool numbers = p->label_numbers || !p->class_names;
    if (numbers)
        mi_text_add(line, "; classes are the outputs 0 to %zu%s", count - 1, p->class_names ? ": " : "");
    else
        mi_text_add(line, "; %zu classes, words in sorted order: ", count);
    mi_list_classes(p, line);
}

void mi_note_field(const struct mi_preprocess *p, struct mi_text *line)
{
    static const char *const roles[] = {"inputs", "label", "weights"};
    bool array = !p->column_count && p->shape.rank > 0, text = p->column_count && p->vocabulary.count;
    if (!p->column_count && !p->classes && !array)
        return;
    mi_text_add(line, "%s%s%s%s", line->data ? "; " : "", p->column_count || array ? roles[p->role] : "labels",
                mi_field_text(p).text, p->column_count || array ? ": " : "");
    if (array)
        mi_text_add(line, "shape %s", mi_sample_text(&p->shape).text);
    note_columns(p, line);
    if (text)
        mi_text_add(line, ", texts of up to %lld", (long long)p->shape.dim[0]);
    if (p->vocabulary.count)
        mi_text_add(line, "%s%s of a vocabulary of %d", text ? " " : ", ", mi_tokens_noun(p->vocabulary.tokens),
                    p->vocabulary.count);
    if (p->window.steps > 1)
        mi_text_add(line, ", %lld steps", (long long)p->window.steps);
    if (p->classes && array)
        mi_text_add(line, ", one of %d classes at each place", p->classes);
    else if (p->classes)
        note_classes(p, line);
    else if (p->role == MICA_TARGET)
        mi_text_add(line, ", a value");
}

mica_status mi_data_note_fields(mica_data *data, bool inputs)
{
    struct mi_text line = {0};
    for (int i = 0; i < data->field_count; i++)
        if (inputs == (data->fields[i]->preprocess.role == MICA_INPUT))
            mi_note_field(&data->fields[i]->preprocess, &line);
    mi_data_note(data, inputs ? MI_NOTE_INPUTS : MI_NOTE_LABEL, &line);
    return data->error.status;
}
