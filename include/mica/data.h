/* Data sets: samples and labels in host memory, in up to three parts (training, validation, test), with the
 * preprocessing that was fitted on the training part alone. */
#ifndef MICA_DATA_H
#define MICA_DATA_H

#include <mica/model.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mica_data mica_data;

typedef enum mica_part { MICA_TRAIN, MICA_VALIDATION, MICA_TEST } mica_part;

typedef enum mica_normalize_type {
    MICA_NORMALIZE_NONE,
    MICA_STANDARD,      /* (x - mean) / standard deviation, per column (images: per channel) */
    MICA_MIN_MAX,       /* (x - min) / (max - min), per column (images: per channel) */
    MICA_DIVIDE_BY,     /* x / value */
    MICA_MEAN_STD       /* (x - mean[i]) / std[i], given per column or channel, or one for all */
} mica_normalize_type;

typedef struct mica_normalize {
    mica_normalize_type type;
    float divide_by;
    const float *mean, *std; /* copied */
    int count;
} mica_normalize;

/* How samples are divided into training, validation and test; fractions sum to 1, all zero: everything trains. */
typedef struct mica_split {
    float fraction[3];
    uint64_t seed;
    bool no_shuffle;
} mica_split;

typedef enum mica_missing { MICA_MISSING_ERROR, MICA_MISSING_DROP, MICA_MISSING_MEAN } mica_missing;
typedef enum mica_header { MICA_HEADER_AUTO, MICA_HEADER_YES, MICA_HEADER_NO } mica_header;

/* Host memory that reading may take. Sizes are checked before anything is filled; too much is an error with both numbers. */
typedef struct mica_read_limits {
    uint64_t bytes;                  /* at once: files' contents and samples; 0: half of the machine's memory */
    uint64_t ratio;                  /* of a gzip file's contents, where these are more than 64 MiB, to its size; 0: 100 */
} mica_read_limits;

typedef struct mica_csv_desc {
    const char *label;               /* a column's name, or its index ("4", "-1" the last); NULL: no label */
    bool regression;                 /* the label is a value, not a class */
    mica_header header;
    mica_missing missing;
    const char *const *categorical;  /* columns that become one-hot; NULL-terminated; copied */
    mica_normalize normalize;
    mica_split split;
    mica_shape sample_shape;         /* rank 0: one dimension, the columns */
    /* Which columns are inputs: names, patterns (* any characters, ? one) or indices; NULL-terminated; copied. */
    const char *const *columns;      /* NULL: all but the label */
    const char *const *drop;         /* of these, left out */
    char decimal;                    /* '.' or ','; 0: found out, where the separator is not a comma */
    mica_read_limits limits;
} mica_csv_desc;

/* Reads a table (.csv, .csv.gz). Never NULL except when out of memory: ask mica_data_status. */
MICA_API mica_data *mica_csv_open(mica_device *device, const char *path, const mica_csv_desc *desc);

typedef struct mica_files {
    const char *inputs, *labels;
} mica_files;

typedef struct mica_files_desc {
    mica_files part[3];              /* training, validation, test; missing parts are NULL */
    bool regression;                 /* labels are values (npy) */
    mica_normalize normalize;
    mica_split split;                /* of the training files, when no other part is given */
    mica_shape sample_shape;         /* rank 0: as in the file (an IDX image (28, 28) becomes (1, 28, 28)) */
    mica_read_limits limits;
} mica_files_desc;

MICA_API mica_data *mica_idx_open(mica_device *device, const mica_files_desc *desc); /* MNIST's format, also .gz */
MICA_API mica_data *mica_npy_open(mica_device *device, const mica_files_desc *desc);

typedef struct mica_arrays_desc {
    int64_t samples;
    mica_shape input_shape, label_shape; /* label_shape rank 0: one class index a sample, in `classes` */
    const float *inputs;                 /* samples x input_shape; copied */
    const float *values;                 /* samples x label_shape: targets to regress, or probabilities */
    const int32_t *classes;              /* samples: class indices */
    mica_normalize normalize;
    mica_split split;
} mica_arrays_desc;
MICA_API mica_data *mica_arrays_open(mica_device *device, const mica_arrays_desc *desc);

MICA_API void mica_data_destroy(mica_data *data); /* NULL is fine */
MICA_API mica_status mica_data_status(const mica_data *data); /* why they are of no use, else the first argument refused */
MICA_API const char *mica_data_error(const mica_data *data);

MICA_API int64_t mica_data_count(const mica_data *data, mica_part part); /* samples in a part */
MICA_API mica_shape mica_data_shape(const mica_data *data);              /* of a sample's input */
MICA_API int mica_data_classes(const mica_data *data);                   /* 0: not a classification */
MICA_API const char *mica_data_class_name(const mica_data *data, int i); /* its number where it has no name */

/* What was understood, a line each: how a table is read, its inputs, its label and classes, what was left out. Of data for a model,
 * what was left out alone. */
MICA_API int mica_data_notes(const mica_data *data);
MICA_API const char *mica_data_note(const mica_data *data, int i); /* NULL: there is no such one */

/* Moves a fraction of the training part, its last samples after a shuffle by `seed`, to validation. */
MICA_API mica_status mica_data_hold_out(mica_data *data, float fraction, uint64_t seed);

/* One sample as the network sees it (after preprocessing), into values[elements]; *class_index -1 where there is none. */
MICA_API mica_status mica_data_sample(const mica_data *data, mica_part part, int64_t i, float *values, int32_t *class_index);

#ifdef __cplusplus
}
#endif
#endif
