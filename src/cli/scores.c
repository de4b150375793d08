/* Losses and metrics as text and as JSON. */
#include "cli/cli.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* A number; a matrix as a list of its rows. */
static void add_score(cJSON *object, const mica_scores *scores, const char *name, double value)
{
    int count, side = 1;
    const float *parts = mica_scores_parts(scores, name, &count);
    if (!parts || !isnan(value)) {
        cli_add_float(object, name, (float)value);
        return;
    }
    while (side * side < count)
        side++;
    cJSON *rows = cJSON_AddArrayToObject(object, name);
    for (int r = 0; r < side; r++)
        cJSON_AddItemToArray(rows, cJSON_CreateFloatArray(parts + r * side, side));
}

void cli_add_scores(cJSON *object, const mica_scores *scores)
{
    for (int i = 0; i < mica_scores_count(scores); i++)
        add_score(object, scores, mica_scores_name(scores, i), mica_scores_value(scores, i));
}

/* "output_" of "output_confusion_matrix": which output a matrix is of; NULL: the only one. */
static const char *output_of(const char *name, char *output, size_t size)
{
    size_t length = strlen(name) - strlen("confusion_matrix");
    snprintf(output, size, "%.*s", length ? (int)length - 1 : 0, name);
    return length ? output : NULL;
}

/* A class as a cell of the table shows it. */
static void print_class(FILE *file, const mica_model *model, const char *output, int c, int width)
{
    const char *name = mica_model_class_name(model, output, c);
    if (name)
        fprintf(file, "%*.*s", width, width, cli_show(name).text);
    else
        fprintf(file, "%*d", width, c);
}

static void print_matrix(FILE *file, const mica_model *model, const char *name, const float *counts, int classes)
{
    char buffer[200];
    const char *output = output_of(name, buffer, sizeof buffer);
    int width = 6;
    for (int c = 0; c < classes; c++) {
        const char *label = mica_model_class_name(model, output, c);
        int length = label ? (int)strlen(label) : 0;
        width = length > width && length <= 16 ? length : width;
    }
    fprintf(file, "%s, a row for each true class, a column for each answer:\n%*s", name, width, "");
    for (int c = 0; c < classes; c++) {
        fputs("  ", file);
        print_class(file, model, output, c, width);
    }
    fputc('\n', file);
    for (int r = 0; r < classes; r++) {
        print_class(file, model, output, r, width);
        for (int c = 0; c < classes; c++)
            fprintf(file, "  %*.0f", width, (double)counts[r * classes + c]);
        fputc('\n', file);
    }
}

void cli_print_matrices(FILE *file, const mica_model *model, const mica_scores *scores)
{
    enum { MOST_CLASSES = 20 };
    for (int i = 0; i < mica_scores_count(scores); i++) {
        int count, classes = 1;
        const char *name = mica_scores_name(scores, i);
        const float *counts = mica_scores_parts(scores, name, &count);
        size_t length = strlen(name), ending = strlen("confusion_matrix");
        if (!counts || length < ending || strcmp(name + length - ending, "confusion_matrix") != 0)
            continue;
        while (classes * classes < count)
            classes++;
        if (classes <= MOST_CLASSES)
            print_matrix(file, model, name, counts, classes);
    }
}

void cli_print_scores(FILE *file, const mica_scores *scores, int digits)
{
    int shown = 0;
    for (int i = 0; i < mica_scores_count(scores); i++) {
        if (isnan(mica_scores_value(scores, i)) && strcmp(mica_scores_name(scores, i), "loss") != 0)
            continue;
        fprintf(file, "%s%s %.*g", shown++ ? ", " : "", mica_scores_name(scores, i), digits, mica_scores_value(scores, i));
    }
}
