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

/* What a field is to a model: an input of the name, what the output of the name should be, or how much a sample counts in the
 * loss of that output. */
typedef enum mica_role { MICA_INPUT, MICA_TARGET, MICA_WEIGHT } mica_role;

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

/* What becomes of a cell without a value: an error, its row is left out, the mean of its column, the value of the row above. */
typedef enum mica_missing { MICA_MISSING_ERROR, MICA_MISSING_DROP, MICA_MISSING_MEAN, MICA_MISSING_PREVIOUS } mica_missing;
/* What a text is taken apart into: its characters (of Unicode); words and marks of punctuation, which blanks part; or byte pairs,
 * which are pieces of words: bytes, whose most frequent neighbours become tokens again and again, as GPT-2 has them. */
typedef enum mica_tokens { MICA_CHARACTERS, MICA_WORDS, MICA_BPE } mica_tokens;
typedef enum mica_header { MICA_HEADER_AUTO, MICA_HEADER_YES, MICA_HEADER_NO } mica_header;

/* Host memory that reading may take. Sizes are checked before anything is filled; too much is an error with both numbers. */
typedef struct mica_read_limits {
    uint64_t bytes;                  /* at once: files' contents and samples; 0: half of the machine's memory */
    uint64_t ratio;                  /* of a gzip file's contents, where these are more than 64 MiB, to its size; 0: 100 */
} mica_read_limits;

/* How the texts of a column become sequences of numbers. The vocabulary is made of the training part, in the order of characters,
 * and saved with a model; its first number, 0, is padding, which embeddings with mask_zero pass over, and its last is for tokens
 * that it lacks. */
typedef struct mica_text_column {
    mica_tokens tokens;
    bool lower;                      /* A to Z become a to z */
    int max_tokens;                  /* the size of the vocabulary, with these two: the most frequent ones; 0: as in a text */
    int64_t max_length;              /* tokens of a sample: longer texts are cut, shorter ones padded; 0: those of the longest */
    bool pad_before, cut_before;     /* padding stands before the tokens; a text that is too long loses its beginning */
} mica_text_column;

/* The columns of a table that are one field. */
typedef struct mica_column_field {
    const char *name;                /* of the model's input, or of its output; NULL: the only one of its role */
    mica_role role;
    const char *const *columns;      /* names, patterns or indices; NULL-terminated; copied. NULL: all that are no target's */
    bool regression;                 /* of targets: values, and there may be several; otherwise a class, in one column */
    mica_normalize normalize;        /* of inputs, and of targets that are values: they are answered as they were */
    const mica_text_column *text;    /* of an input of one column: it holds texts, which become tokens; NULL: it does not */
} mica_column_field;

/* Windows over rows in order of time. A sample has as its input the numbers of `sequence_length` steps, (steps, columns), and as a
 * target of values those of the `horizon` steps that follow, (horizon, columns) without a dimension of 1; a class or a weight is
 * that of the first of these. Rows are read from the series while a batch is made: windows are never stored.
 *
 * A split, and what is held out, takes the end: no part sees a row that a later one has to tell. What is normalised is fitted to
 * all rows that training sees, and targets of values are normalised as inputs are: losses are those of normalised values, metrics
 * and predictions are in the data's own units. */
typedef struct mica_series {
    int64_t sequence_length;         /* steps that are seen; 0: there are no windows, each row is a sample */
    int64_t sequence_stride;         /* rows from the beginning of a window to that of the next; 0: 1 */
    int64_t sampling_rate;           /* rows from a step to the next; 0: 1 */
    int64_t horizon;                 /* steps to tell; 0: 1 */
    int64_t gap;                     /* steps left out between; -1: from the last step seen on; -sequence_length: from the first */
} mica_series;

/* A column of dates, and what of them are inputs: "quarter", "month", "day", "day_of_year", "weekday", "hour" and "minute" are two
 * each, sine and cosine of the place in the year, the month and so on; with "_one_hot" behind the name they are 0 or 1 for each
 * of its places. Neither is normalised. Dates are as ISO 8601 has them, or 31.03.2024. */
typedef struct mica_calendar {
    const char *column;              /* a name or an index */
    const char *const *features;     /* NULL-terminated */
} mica_calendar;

typedef struct mica_csv_desc {
    const char *label;               /* a column's name, or its index ("4", "-1" the last); NULL: no label */
    bool regression;                 /* the label is a value, not a class */
    mica_header header;
    mica_missing missing;
    const char *const *categorical;  /* columns that become one-hot; NULL-terminated; copied */
    mica_normalize normalize;
    mica_split split;
    mica_shape sample_shape;         /* of the only input; rank 0: one dimension, the columns */
    /* Which columns are inputs: names, patterns (* any characters, ? one) or indices; NULL-terminated; copied. */
    const char *const *columns;      /* NULL: all but the label */
    const char *const *drop;         /* of these, left out */
    const mica_column_field *fields; /* several inputs, targets or weights: instead of `label`, `regression`, `columns`, `normalize`
                                      * and `text` */
    int field_count;
    char decimal;                    /* '.' or ','; 0: found out, where the separator is not a comma */
    mica_read_limits limits;
    const mica_text_column *text;    /* the only column that is an input holds texts; NULL: it does not */
    mica_series series;              /* samples are windows over the rows; the label is an input, too, where `columns` or `drop` do
                                      * not say otherwise */
    const char *const *logarithm;    /* columns of inputs and of values to tell that are learned as their natural logarithm, which
                                      * is normalised, and answered as they were; NULL-terminated */
    const mica_calendar *calendar;
    int calendar_count;
    const char *date;                /* of a series: the column that says when each row was, which is no input unless `calendar`
                                      * makes some of it. Dates that go back are an error; NULL: nobody asks */
} mica_csv_desc;

/* Reads a table (.csv, .csv.gz). Never NULL except when out of memory: ask mica_data_status. */
MICA_API mica_data *mica_csv_open(mica_device *device, const char *path, const mica_csv_desc *desc);

typedef struct mica_files {
    const char *inputs, *labels;
} mica_files;

/* The arrays of one field, the first dimension counting samples. */
typedef struct mica_array_field {
    const char *name;                /* of the model's input, or of its output; NULL: the only one of its role */
    mica_role role;
    const char *part[3];             /* files of the training, validation and test part; missing parts are NULL */
    const char *member;              /* the array's name in these files, which are .npz; else NULL */
    bool regression;                 /* of targets: whole numbers are values too, not classes */
    mica_normalize normalize;        /* of inputs */
} mica_array_field;

typedef struct mica_files_desc {
    mica_files part[3];              /* training, validation, test; missing parts are NULL */
    bool regression;                 /* labels are values (npy) */
    const mica_array_field *fields;  /* several inputs, targets or weights: instead of `part`, `regression` and `normalize`; the
                                      * first one is an input, and has all the parts that there are */
    int field_count;
    mica_normalize normalize;
    mica_split split;                /* of the training files, when no other part is given */
    mica_shape sample_shape;         /* of the only input; rank 0: as in the file (an IDX image (28, 28) becomes (1, 28, 28)) */
    mica_read_limits limits;
} mica_files_desc;

MICA_API mica_data *mica_idx_open(mica_device *device, const mica_files_desc *desc); /* MNIST's format, also .gz */
/* NumPy's arrays; .npz files too, where the library was built with libzip. */
MICA_API mica_data *mica_npy_open(mica_device *device, const mica_files_desc *desc);

typedef struct mica_text_desc {
    const char *part[3];             /* files of the training, validation and test part, in UTF-8; missing parts are NULL */
    mica_tokens tokens;
    bool lower;                      /* A to Z become a to z */
    int max_tokens;                  /* the size of the vocabulary: the most frequent ones; 0: all, of byte pairs 8000 */
    int64_t window;                  /* tokens of a sample; 0: 64 */
    int64_t stride;                  /* from the beginning of a sample to that of the next; 0: the window */
    mica_split split;                /* of the training text, when no other part is given: one part follows the other */
    bool shuffle;                    /* what is split off or held out are windows drawn from the text instead of its end */
    mica_read_limits limits;
} mica_text_desc;

/* Reads texts (also .gz) as windows to learn what comes next: sample i has as its input the numbers of `window` tokens from number
 * i * stride on, and as its target the class at each of these places, which is the token behind it. The vocabulary is made of the
 * training part, in the order of characters, and saved with a model; its last place is for tokens that it lacks. Byte pairs have no
 * such place, as bytes make up every text. */
MICA_API mica_data *mica_text_open(mica_device *device, const mica_text_desc *desc);

typedef struct mica_arrays_desc {
    int64_t samples;
    mica_shape input_shape, label_shape; /* label_shape rank 0: one class index a sample, in `classes` */
    const float *inputs;                 /* samples x input_shape; copied */
    const float *values;                 /* samples x label_shape: targets to regress, or probabilities */
    const int32_t *classes;              /* samples: class indices */
    mica_normalize normalize;
    mica_split split;
    const int64_t *lengths;              /* as mica_field has them; NULL */
} mica_arrays_desc;
MICA_API mica_data *mica_arrays_open(mica_device *device, const mica_arrays_desc *desc);

/* One field: what each sample has under a name. */
typedef struct mica_field {
    const char *name;        /* of the model's input, or of its output; NULL: the only one of its role */
    mica_role role;
    mica_shape shape;        /* of a sample; of weights (1). rank 0: the index of a class */
    const float *values;     /* samples x shape; copied */
    const int32_t *classes;  /* of a target: samples, where the rank is 0; otherwise samples x shape, in the place of values: the
                              * index of a class at each place. copied */
    mica_normalize normalize;
    const void *elements;    /* in the place of values: the same as elements of `type`; copied. Integers are exact up to 2^53 */
    mica_type type;
    const int64_t *lengths;  /* (samples) of an input whose shape begins with steps: how many of them each sample has; what stands
                              * behind these in the values is not read. copied. NULL: all have as many as the shape */
} mica_field;

/* Makes `count` samples of an epoch (from 1 on; 0: of a part that is evaluated), from number `first` on: values[i] has room for
 * those of field i, floats, or int32_t where its rank is 0, whatever the input's type; NULL: nobody asks for them. It is called on
 * a thread of the library, one call after another, for any place in any epoch, and must give the same samples for the same place.
 * false: it could not, and the training ends. */
typedef bool mica_fill(void *user, uint64_t epoch, int64_t first, int64_t count, void *const *values);

typedef struct mica_fields_desc {
    int64_t samples;         /* of an epoch */
    const mica_field *fields;
    int field_count;
    mica_split split;
    mica_series series;      /* the fields hold rows in order of time, of shape (columns), and `samples` counts them */
    mica_fill *fill;         /* NULL: the fields hold their values. Otherwise they are made as they are needed, and nothing is
                              * shuffled, held out or fitted */
    void *user;
} mica_fields_desc;
MICA_API mica_data *mica_fields_open(mica_device *device, const mica_fields_desc *desc);

MICA_API void mica_data_destroy(mica_data *data); /* NULL is fine */
MICA_API mica_status mica_data_status(const mica_data *data); /* why they are of no use, else the first argument refused */
MICA_API const char *mica_data_error(const mica_data *data);

MICA_API int64_t mica_data_count(const mica_data *data, mica_part part); /* samples in a part */
MICA_API mica_shape mica_data_shape(const mica_data *data);              /* of a sample's first input */
MICA_API int mica_data_classes(const mica_data *data);                   /* of the first target; 0: not a classification */
MICA_API const char *mica_data_class_name(const mica_data *data, int i); /* its number where it has no name */
MICA_API int mica_data_field_count(const mica_data *data);
MICA_API const char *mica_data_field_name(const mica_data *data, int i); /* "": the only one of its role; NULL: there is no such
                                                                          * one */

/* What was understood, a line each: how a table is read, its inputs, its label and classes, what was left out. Of data for a model,
 * what was left out alone. */
MICA_API int mica_data_notes(const mica_data *data);
MICA_API const char *mica_data_note(const mica_data *data, int i); /* NULL: there is no such one */

/* Moves a fraction of the training part, its last samples after a shuffle by `seed`, to validation. Not while mica_batches read the
 * data. */
MICA_API mica_status mica_data_hold_out(mica_data *data, float fraction, uint64_t seed);

/* The date of the first step that a sample of a series tells, which may be behind the last row, as far from it as most rows are
 * from one another. "" where no dates are known. */
MICA_API mica_status mica_data_date(const mica_data *data, mica_part part, int64_t i, char *text, size_t size);

/* One sample's first input as the network sees it (after preprocessing), into values[elements]; *class_index, of the first target,
 * is -1 where there is none. */
MICA_API mica_status mica_data_sample(const mica_data *data, mica_part part, int64_t i, float *values, int32_t *class_index);

#ifdef __cplusplus
}
#endif
#endif
