/* Data sets and raw inputs from files: what the readers of formats share. */
#ifndef MICA_SRC_FORMATS_H
#define MICA_SRC_FORMATS_H

#include "data/data.h"
#include "formats/array/array.h"

/* ---- Memory that reading may take ---- */

#define MI_LIMITS_ADVICE "; \"limits\" of the data can be raised"

struct mi_budget {
    uint64_t bytes, used;      /* of host memory, at once */
    uint64_t ratio;            /* of a gzip file's contents to its size */
};

struct mi_budget mi_budget_of(const mica_read_limits *limits); /* NULL, and zeros: the defaults */
/* What is about to be allocated; an error where it would be too much. `what` is named in it, in the plural. */
mica_status mi_budget_take(struct mi_budget *budget, struct mi_error *error, const char *place, const char *what,
                           uint64_t bytes);
void mi_budget_give(struct mi_budget *budget, uint64_t bytes);
/* A file within the budget. One of a kind that is known and cannot be read (.npz, Parquet, an image) is an error of its own. */
mica_status mi_data_file_read(struct mi_error *error, const char *path, struct mi_budget *budget, unsigned char **bytes,
                              size_t *size);

/* ---- Data sets ---- */

/* As mica_csv_open and so on; `fitted` is a model's preprocessing, applied instead of fitting, or NULL. */
mica_data *mi_csv_open(mica_device *device, const char *path, const mica_csv_desc *desc,
                       const struct mi_prepared *fitted);
/* The same of a table in memory (`size` bytes and a zero), which is taken; `place` begins error texts. */
mica_data *mi_csv_from_text(mica_device *device, const char *place, char *text, size_t size,
                            const mica_csv_desc *desc, const struct mi_prepared *fitted);
mica_data *mi_files_open(mica_device *device, const mica_files_desc *desc, mi_array_parser *parser,
                         const struct mi_prepared *fitted);

/* As mica_text_open; and the same of texts in memory, which are UTF-8 or refused, each with a zero behind it. */
mica_data *mi_text_open(mica_device *device, const mica_text_desc *desc, const struct mi_prepared *fitted);
mica_data *mi_text_from_memory(mica_device *device, const char *place, const char *text, size_t size, const mica_text_desc *desc,
                               const struct mi_prepared *fitted);

/* Whether the target of a name (NULL: the only one) is a value to regress, as its loss says. */
struct mi_regressions {
    bool (*is)(const void *user, const char *target);
    const void *user;
};

/* The "data" object of a job, {"format": "csv" | "idx" | "npy" | "npz" | "text", ...}. Relative paths start at `folder`;
 * `place` begins error texts ("job.json: data"). */
mica_data *mi_data_from_spec(mica_device *device, const cJSON *spec, const char *folder, const char *place,
                             const struct mi_prepared *fitted, const struct mi_regressions *regressions);

/* Raw values of one input for prediction from one file: .npy or IDX by contents, also .gz; of a model of a column's texts
 * lines of a .txt; else a table, also .gz. Checked against the preprocessing that the model has for the input of that name, or
 * against `shape` where it has none. */
mica_data *mi_inputs_open(mica_device *device, const char *path, const struct mi_prepared *fitted, const char *name,
                          const mica_shape *shape);
/* Samples of the only input that a model was trained on, a column of texts. */
mica_data *mi_texts_open(mica_device *device, const char *const *texts, int64_t count, const struct mi_prepared *fitted);

/* Writes n rows of `columns` numbers under a line of names (NULL: "output_0" and so on), atomically. */
mica_status mi_csv_write(struct mi_error *error, const char *path, const char *const *names, const float *values,
                         size_t columns, int64_t n);

/* The bytes of one array of an .npz file, as its .npy would have them; an error where the library was built without libzip. */
mica_status mi_npz_read(struct mi_error *error, const char *path, const char *member, struct mi_budget *budget,
                        unsigned char **bytes,
                        size_t *size);

/* ---- Arrays as inputs ---- */

struct mi_array_file {
    const char *path;          /* NULL: there is none */
    unsigned char *bytes;      /* owned; array is within */
    size_t size;
    struct mi_array array;
};

void mi_array_file_close(struct mi_array_file *file);
/* All rows; an error names the row and the element of a sample. `missing`: nan is a value that is missing. */
mica_status mi_array_file_floats(struct mi_error *error, const struct mi_array_file *file, const mica_shape *shape,
                                 bool missing, float *out);
/* The rows of the files one after the other become the samples' values of a field: as bytes, floats or doubles. The field
 * knows the shape and the elements of a sample. Each file is closed when it has been read. `fitted` is a model's
 * preprocessing, or NULL. */
mica_status mi_take_values(mica_data *data, struct mi_field *field, struct mi_budget *budget, struct mi_array_file *files,
                           int count, const struct mi_preprocess *fitted);

/* For each feature: what its values differ by, and what they would lose as floats. */
struct mi_spread {
    size_t features;
    double *least, *most, *lost;
};

bool mi_spread_create(struct mi_spread *spread, size_t features); /* false: out of memory */
void mi_spread_destroy(struct mi_spread *spread);
void mi_spread_add(struct mi_spread *spread, const double *row);
/* `fitted` is a model's preprocessing, or NULL. */
bool mi_spread_needs_doubles(const struct mi_spread *spread, const struct mi_preprocess *fitted);

#endif
