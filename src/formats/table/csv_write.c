/* Writing a table of numbers. */
#include "formats/formats.h"

#include <string.h>

/* In quotes where a reader would see more than one cell. */
static void add_cell(struct mi_text *text, const char *name)
{
    if (!strpbrk(name, ",\"\r\n")) {
        mi_text_add(text, "%s", name);
        return;
    }
    mi_text_append(text, "\"", 1);
    for (; *name; name++)
        mi_text_append(text, *name == '"' ? "\"\"" : name, *name == '"' ? 2 : 1);
    mi_text_append(text, "\"", 1);
}

static void add_header(struct mi_text *line, const char *const *names, size_t columns)
{
    for (size_t i = 0; i < columns; i++) {
        if (i)
            mi_text_append(line, ",", 1);
        if (names)
            add_cell(line, names[i]);
        else if (columns == 1)
            mi_text_add(line, "output");
        else
            mi_text_add(line, "output_%zu", i);
    }
    mi_text_append(line, "\n", 1);
}

mica_status mi_csv_write(struct mi_error *error, const char *path, const char *const *names, const float *values,
                         size_t columns, int64_t n)
{
    struct mi_text line = {0};
    struct mi_file *file = NULL;
    MI_TRY(mi_file_create(error, path, &file));
    add_header(&line, names, columns);
    for (int64_t row = 0; row <= n && !line.failed; row++) {
        if (mi_file_write(file, mi_text_get(&line), line.size) != MICA_OK || row == n)
            break;
        mi_text_clear(&line);
        for (size_t i = 0; i < columns; i++) /* nine digits tell all floats apart */
            mi_text_add(&line, "%.9g%s", (double)values[(size_t)row * columns + i], i + 1 < columns ? "," : "\n");
    }
    bool failed = line.failed;
    mi_text_destroy(&line);
    if (!failed)
        return mi_file_commit(file);
    mi_file_abandon(file);
    return mi_out_of_memory(error);
}
