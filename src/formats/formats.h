/* Data sets and raw inputs from files: what the readers of formats share. */
#ifndef MICA_SRC_FORMATS_H
#define MICA_SRC_FORMATS_H

#include "data/data.h"
#include "formats/array.h"

/* A data file, packed or not, holds at most this many bytes. */
#define MI_DATA_LIMIT ((uint64_t)16 << 30)

/* ---- Data sets ---- */

/* As mica_csv_open and so on; `fitted` is a model's preprocessing, applied instead of fitting, or NULL. */
mica_data *mi_csv_open(mica_device *device, const char *path, const mica_csv_desc *desc,
                       const struct mi_preprocess *fitted);
/* The same of a table in memory (`size` bytes and a zero), which is taken; `place` begins error texts. */
mica_data *mi_csv_from_text(mica_device *device, const char *place, char *text, size_t size,
                            const mica_csv_desc *desc, const struct mi_preprocess *fitted);
mica_data *mi_files_open(mica_device *device, const mica_files_desc *desc, mi_array_parser *parser,
                         const struct mi_preprocess *fitted);

/* The "data" object of a job, {"format": "csv" | "idx" | "npy", ...}. Relative paths start at `folder`;
 * `place` begins error texts ("job.json: data"). regression: numbers are values (the loss says so). */
mica_data *mi_data_from_spec(mica_device *device, const cJSON *spec, const char *folder, const char *place,
                             const struct mi_preprocess *fitted, bool regression);

/* Raw inputs for prediction from one file: .npy or IDX by contents, else a table; each also .gz. Checked
 * against the preprocessing, or against `shape` where that is NULL or has no shape. *rows (n x elements) is
 * the caller's: free. */
mica_status mi_read_raw_inputs(struct mi_error *error, const char *path,
                               const struct mi_preprocess *preprocess, const mica_shape *shape, float **rows,
                               int64_t *n);

/* ---- Labels ---- */

/* Where label i was read, for errors: the line of a table, or its number. */
struct mi_label_source {
    const char *place;
    const size_t *lines;                /* NULL: samples have numbers */
    const struct mi_preprocess *fitted; /* the classes that there are; NULL: find them */
};

/* Fills data->classes from `data->samples` labels, and the classes of its preprocessing. Whole numbers that
 * begin at 0 are indices; other numbers, and words, become classes in sorted order and name them. */
mica_status mi_labels_from_numbers(mica_data *data, const struct mi_label_source *source,
                                   const int64_t *labels);
mica_status mi_labels_from_words(mica_data *data, const struct mi_label_source *source,
                                 const char *const *labels);

/* ---- Tables ---- */

/* A parsed table. Cells are texts within `text`, unquoted and trimmed. */
struct mi_table {
    char *text;                /* owned */
    size_t *cells, first;      /* offsets into text, from cells[first]: rows x columns */
    size_t *lines;             /* (rows) line of the file, from 1 */
    size_t rows, columns;
    const char **names;        /* (columns + 1, NULL-terminated) the header; NULL: none */
    const char **class_names;  /* (class_count) from a first line of counts and class names; else NULL */
    size_t class_count;
};

/* What is known about a table before it is read, for finding its header. NULL: nothing. */
struct mi_table_hints {
    mica_header header;
    const char *label;
    const char *const *categorical;
    const struct mi_preprocess *fitted;
};

/* Takes `text` (`size` bytes and a zero), also on error. mi_table_destroy in any case. */
mica_status mi_table_parse(struct mi_error *error, const char *place, char *text, size_t size,
                           const struct mi_table_hints *hints, struct mi_table *out);
void mi_table_destroy(struct mi_table *table);
const char *mi_table_cell(const struct mi_table *table, size_t row, size_t column);

/* decimal only, whatever the locale; false: not a number */
bool mi_parse_number(const char *text, double *out);
bool mi_cell_missing(const char *text);              /* "", NA, NaN, null, ? and the like */

/* Which column of a table is each of the preprocessing's, and its label (-1: none there). */
struct mi_table_map {
    size_t *columns;           /* (column_count); owned */
    int64_t label;
};
/* The column called `name`, or with that index (negative: from the end). `what` is named in errors. */
mica_status mi_table_find(struct mi_error *error, const char *place, const struct mi_table *table,
                          const char *what, const char *name, size_t *out);
mica_status mi_table_map_fitted(struct mi_error *error, const char *place, const struct mi_table *table,
                                const struct mi_preprocess *fitted, struct mi_table_map *out);
/* Rows of the map's columns as floats, categories one-hot. *rows: (kept x features); *kept_rows: (kept) rows
 * of the table that stayed where missing values drop rows. Both are the caller's. label_column -1: none. */
mica_status mi_table_rows(struct mi_error *error, const char *place, const struct mi_table *table,
                          const struct mi_preprocess *preprocess, const struct mi_table_map *map,
                          float **rows, size_t **kept_rows, size_t *kept);

#endif
