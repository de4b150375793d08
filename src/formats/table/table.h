/* Tables of text. One scanner that knows quotes guesses what a table is like, and reads it.
 *
 * The text stays as it is and rows are read one after the other, so a table takes no more memory than its text. What a
 * cell means is decided by its column's role: until then it is a text, and whether it was quoted. */
#ifndef MICA_SRC_FORMATS_TABLE_H
#define MICA_SRC_FORMATS_TABLE_H

#include "formats/formats.h"

/* ---- Cells ---- */

struct mi_cell {
    const char *text;          /* without its quotes and the blanks around it */
    bool quoted;
};

/* An empty cell, or a mark such as NA, ? or null. In quotes a mark is a word, unless only a number would do. */
bool mi_cell_missing(const struct mi_cell *cell, bool number);

/* ---- The scanner ---- */

struct mi_scan {
    const char *at, *end;
    size_t line;               /* of the file, from 1 */
    char delimiter;
};

enum mi_scan_fault { MI_SCAN_FINE, MI_SCAN_NEVER_CLOSED, MI_SCAN_GOES_ON };

struct mi_scanned {
    size_t size;               /* of its text */
    bool quoted, last;         /* last: in its row */
    enum mi_scan_fault fault;  /* a quote that is never closed; text after the closing quote: the scan ends there */
};

/* Skips blank lines. false: there is no row any more. */
bool mi_scan_row(struct mi_scan *scan);
/* The next cell of a row; its text and a zero go to `out`, which may be NULL. They are never longer than what is
 * scanned, but for the zero of a cell at the end of the text. */
struct mi_scanned mi_scan_cell(struct mi_scan *scan, char *out);

/* ---- Tables ---- */

struct mi_table {
    struct mi_arena arena;     /* of the names */
    char *text;                /* owned */
    size_t size;
    char delimiter, decimal;
    bool fitted;               /* a model says what it reads; keys of a job are no advice */
    const struct mi_cell *top; /* (top_width) the first row, which may be a header */
    size_t top_width;
    size_t body, body_line;    /* where the rows begin, behind a header; while it is looked for, behind the first row */
    size_t rows, columns;
    size_t width;              /* cells of a row: one more than columns where every line ends in a delimiter */
    size_t longest;            /* bytes of the longest row */
    const char **names;        /* (columns + 1, NULL-terminated) the header; NULL: none */
    struct mi_column_names sorted;    /* the same */
    const char **class_names;  /* (class_count) from a first line of counts and class names; else NULL */
    size_t class_count;
};

/* What is known about a table before it is read. NULL: nothing. */
struct mi_table_hints {
    mica_header header;
    char decimal;                                       /* 0: unknown */
    const char *const *const *lists;                    /* (list_count) of columns, each NULL-terminated or NULL */
    int list_count;
    const struct mi_prepared *fitted;
};

/* Takes `text` (`size` bytes and a zero), also on error. mi_table_destroy in any case. `place` begins error texts. The budget has
 * the text already; NULL: there is none. */
mica_status mi_table_parse(struct mi_error *error, const char *place, char *text, size_t size,
                           const struct mi_table_hints *hints, struct mi_budget *budget, struct mi_table *out);
void mi_table_destroy(struct mi_table *table);
/* What separator, decimal mark and header (the latter into table->decimal, names and class_names) a table has. */
char mi_table_find_delimiter(const char *text, size_t size);
mica_status mi_table_find_decimal(struct mi_error *error, const struct mi_table_hints *hints, struct mi_table *table);
/* *header: whether the first row is not one of the rows. */
mica_status mi_table_find_header(struct mi_error *error, const struct mi_table_hints *hints, struct mi_table *table,
                                 bool *header);

/* Goes through the rows of a table. */
struct mi_cursor {
    const struct mi_table *table;
    struct mi_scan scan;
    size_t line;               /* of the row that was read */
    struct mi_cell *cells;     /* (width) of that row */
    char *text;
};

bool mi_cursor_open(const struct mi_table *table, struct mi_cursor *cursor); /* false: out of memory */
bool mi_cursor_next(struct mi_cursor *cursor);                               /* false: that was the last row */
void mi_cursor_close(struct mi_cursor *cursor);

/* "line 3, column 2 (income)" for errors; without a line where that is 0. Both count from 1. */
struct mi_cell_place {
    char text[128];
};
struct mi_cell_place mi_table_place(const struct mi_table *table, size_t line, size_t column);

/* ---- Columns ---- */

/* What a description says about the columns of one field. */
struct mi_column_wish {
    const char *key;           /* begins errors: "label", "columns", "inputs.user" */
    const char *const *columns; /* names, patterns and indices, NULL-terminated; NULL: all that no target takes */
};

struct mi_column_wishes {
    const struct mi_column_wish *fields; /* (of as many fields as are chosen) */
    const char *const *drop, *const *categorical, *const *logarithm; /* NULL-terminated, or NULL */
    const mica_calendar *calendar;
    int calendar_count;
    const char *date;          /* the column of a series' dates; NULL: there is none */
    bool shared;               /* what is a target may be an input, too: of a series, whose future is told from its past */
};

/* What is read of one field. */
struct mi_table_field {
    struct mi_field *field;
    const struct mi_preprocess *as;  /* how: the field's own preprocessing, or a model's */
    bool classes;                    /* its only column has texts of labels */
    bool text;                       /* its only column has texts that become tokens */
    size_t text_bytes;               /* of all of these */
    size_t *columns;                 /* (as->column_count) which of the table's they are; owned */
    double *row;                     /* the features of the row that was read; owned */
    size_t features;
    struct mi_spread spread;
};

/* Whether its columns are read as numbers. */
static inline bool mi_table_takes_numbers(const struct mi_table_field *field)
{
    return !field->classes && !field->text;
}

/* Chooses the columns of `count` fields, whose `field` is set; which words those that are categorical have, mi_table_categories
 * finds. */
mica_status mi_table_choose(struct mi_error *error, const char *place, const struct mi_table *table,
                            const struct mi_column_wishes *wishes, struct mi_table_field *fields, int count);
/* Finds the columns of a model's fields, whose `as` is set, in a table. Those of targets and weights may be absent: `columns` is
 * NULL then. */
mica_status mi_table_map_fitted(struct mi_error *error, const char *place, const struct mi_table *table,
                                struct mi_table_field *fields, int count);
/* The one column that a name or an index means; `what` is the key that it stands under. */
mica_status mi_table_find(struct mi_error *error, const char *place, const struct mi_table *table, const char *what,
                          const char *name,
                          size_t *column);

/* ---- Dates of a series ---- */

/* Takes the date of a row, which is not before the one above. */
mica_status mi_table_date(mica_data *data, const char *place, const struct mi_cursor *cursor, size_t column, size_t row);
/* The column that a model has dates from, in its own table of so many columns; false: it is not there. */
bool mi_table_find_date(const struct mi_table *table, const struct mi_column *date, int table_columns, size_t *column);

/* ---- Rows ---- */

struct mi_rows {
    size_t count;
    size_t dropped, first_dropped; /* rows that lack a value, and the line of the first of them */
    size_t filled, first_filled;   /* rows that take values from the row above, and the line of the first of them */
};

/* Is told of each row that stays. */
typedef mica_status mi_row_visitor(void *user, const struct mi_cursor *cursor, size_t row);

mica_status mi_table_categories(struct mi_error *error, const char *place, const struct mi_table *table,
                                struct mi_table_field *fields, int count);
/* Reads the fields of all rows that stay, and tells the visitor (NULL: none) of each. data->samples becomes their number. */
mica_status mi_table_rows(mica_data *data, const char *place, const struct mi_table *table, struct mi_table_field *fields,
                          int count,
                          mica_missing missing, struct mi_budget *budget, mi_row_visitor *visit, void *user, struct mi_rows *out);
/* The number in a cell; an error says what is wrong with it. */
mica_status mi_table_number(struct mi_error *error, const char *place, const struct mi_cursor *cursor, size_t column,
                            const char *advice, double *out);

#endif
