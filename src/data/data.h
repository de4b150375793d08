/* Data sets behind include/mica/data.h, the preprocessing that a model carries, and the loader of batches.
 *
 * Samples stay as they were read (float32 or bytes); preprocessing is applied when a batch is made, so that
 * holding samples out can fit it again. */
#ifndef MICA_SRC_DATA_H
#define MICA_SRC_DATA_H

#include "base/base.h"

#include <cjson/cJSON.h>
#include <mica/data.h>

/* ---- Preprocessing: all that turns a raw row into what the network sees, and an output into a name ---- */

struct mi_column {
    const char *name;          /* NULL: the table had no header */
    bool categorical;          /* one-hot: a feature for each of `values`, which are sorted */
    int count;                 /* of values */
    const char *const *values;
};

/* A raw row has as many floats as the shape has elements: categories are one-hot in it already, a missing
 * number is NaN where there is a `fill`. All memory is the arena's. */
struct mi_preprocess {
    struct mi_arena arena;
    mica_shape shape;          /* of a sample */
    struct mi_column *columns; /* of a table, without the label; NULL: the inputs were no table */
    int column_count;
    const char *label;         /* the label's column; NULL: it has no name */
    int label_index;           /* among all columns of the table; -1: no label */
    mica_missing missing;
    float *fill;               /* (elements) means of the training part, for MICA_MISSING_MEAN; else NULL */
    int classes;               /* 0: not a classification */
    const char **class_names;  /* (classes); NULL: they are numbers */
    mica_normalize_type normalize;
    /* of subtract and divide: 0 (nothing is done), 1, the channels or the elements */
    int count;
    /* y = (x - subtract) / divide, each for elements / count neighbouring elements */
    float *subtract, *divide;
};

void mi_preprocess_destroy(struct mi_preprocess *preprocess);
/* Copies into *to, which must be zero or destroyed. */
mica_status mi_preprocess_copy(struct mi_error *error, const struct mi_preprocess *from,
                               struct mi_preprocess *to);
/* the caller deletes it; NULL: out of memory */
cJSON *mi_preprocess_to_json(const struct mi_preprocess *preprocess);
/* `json` may be hostile. On error *out is empty. `place` begins error texts. */
mica_status mi_preprocess_from_json(struct mi_error *error, const char *place, const cJSON *json,
                                    struct mi_preprocess *out);
/* n raw rows into n inputs of the network; `out` may be `raw`. */
void mi_preprocess_apply(const struct mi_preprocess *preprocess, const float *raw, size_t n, float *out);
/* One row of bytes, which lack no value. */
void mi_preprocess_bytes(const struct mi_preprocess *preprocess, const unsigned char *raw, float *out);
/* Features of the table's columns, and what feature i is called in an error: `column "x"` or `column 3`. */
size_t mi_preprocess_features(const struct mi_preprocess *preprocess);
const struct mi_column *mi_preprocess_feature(const struct mi_preprocess *preprocess, size_t i, int *column);

/* ---- Shapes of samples ---- */

struct mi_shape_text {
    char text[192];
};

/* false: no dimension, one below 1, or too many */
bool mi_sample_elements(const mica_shape *shape, size_t *elements);
struct mi_shape_text mi_sample_text(const mica_shape *shape);       /* "[1, 28, 28]" */
bool mi_sample_same(const mica_shape *a, const mica_shape *b);
/* Whether data of shape `from` may be read as `to`: the same number of elements, and not channels last as
 * channels first or the other way round. The error hints at channels first where that helps. */
mica_status mi_sample_reshape(struct mi_error *error, const char *place, const mica_shape *from,
                              const mica_shape *to);

/* What element i of an input is called in errors: `column "age"`, or `input 3` where it has no name. */
struct mi_shape_text mi_preprocess_input_text(const struct mi_preprocess *preprocess, size_t i);

/* ---- Data sets ---- */

enum { MI_MOST_CLASSES = 1000000 };

struct mica_data {
    struct mi_error error;     /* why they are of no use: every call repeats it */
    struct mi_error refused;   /* the first argument that was wrong: told, but it blocks nothing */
    mica_device *device;       /* borrowed; may be NULL */
    int64_t samples;
    size_t elements;           /* of an input */
    unsigned char *bytes;      /* samples x elements; one of these two */
    float *floats;
    int32_t *classes;          /* samples, or NULL */
    float *values;             /* samples x label_elements, or NULL */
    mica_shape label_shape;    /* of values; rank 0 for classes */
    size_t label_elements;
    int64_t *order;            /* the samples of training, then validation, then test */
    int64_t *first_order;      /* the same before anything was held out */
    int64_t count[3];          /* of each part */
    bool divided;              /* the parts are a split's, not files' */
    int64_t held_out;          /* samples of the validation part that hold_out took from the training part */
    struct mi_preprocess preprocess;
    bool fitted_before;        /* the preprocessing is a model's: it is never fitted here */
    char (*numbers)[8];        /* names of classes that have none */
};

/* What mi_data_finish needs beyond what the reader of a format filled in. */
struct mi_finish {
    const char *place;         /* begins error texts: the path */
    mica_normalize normalize;
    mica_split split;
    mica_shape sample_shape;   /* rank 0: as it is */
    const struct mi_preprocess *fitted; /* NULL: fit */
};

mica_data *mi_data_create(mica_device *device); /* NULL: out of memory */
/* Allocates order and checks, splits, reshapes and fits. The reader has set samples, elements, inputs,
 * labels, count (of the files' parts) and the table's or the shape's side of the preprocessing. */
mica_status mi_data_finish(mica_data *data, const struct mi_finish *finish);
/* Reports the data's error to its device and returns its status: the last line of every function that can
 * fail. */
mica_status mi_data_report(mica_data *data);
/* Gives every sample another shape of the same number of elements; its values stay as they are. */
mica_status mi_data_reshape(mica_data *data, struct mi_error *error, const char *place, mica_shape shape);
mica_status mi_data_fit(mica_data *data); /* normalisation and fill, on the training part */
/* Prepares the arrays of a normalisation; mi_data_fit fills those that depend on data. */
mica_status mi_normalize_prepare(mica_data *data, const char *place, const mica_normalize *normalize);
/* What a sample is called in errors: "sample 7", or "sample 7 of the test part" where each part has files of its own. */
struct mi_shape_text mi_data_sample_text(const mica_data *data, int64_t index);
/* One input as the network sees it. `index` counts all samples. */
void mi_data_input(const mica_data *data, int64_t index, float *out);
/* The index of the i-th sample of a part, for mi_data_input, classes and values. */
int64_t mi_data_index(const mica_data *data, mica_part part, int64_t i);

/* ---- Loader: batches in an epoch's order, prepared by a thread while the device works ---- */

enum { MI_LOADER_SLOTS = 2 };

struct mi_loader;

struct mi_loader_desc {
    mica_part part;
    int64_t batch;   /* the most samples in a batch; at least 1 */
    uint64_t seed;   /* epoch e goes in the order mi_shuffle(seed, e) */
    bool shuffle;
    bool no_thread;  /* prepare each batch when it is asked for */
};

struct mi_batch {
    const float *inputs;     /* n x elements, preprocessed */
    const int32_t *classes;  /* n; NULL where labels are values or there are none */
    const float *values;     /* n x label_elements; NULL where labels are classes or there are none */
    int64_t n;               /* samples: desc.batch, or fewer in the last batch */
    int64_t first;           /* the place of its first sample in the epoch */
    int slot;
};

/* Borrows `data`, which must not change while the loader lives. Errors go to data->error; *out is then NULL.
 * All memory is allocated here. Where no thread can be had, batches are prepared when they are asked for. */
mica_status mi_loader_create(mica_data *data, const struct mi_loader_desc *desc, struct mi_loader **out);
void mi_loader_destroy(struct mi_loader *loader); /* also in the middle of an epoch; NULL is fine */
/* Begins an epoch: the thread starts on its first batches. All slots count as released. */
void mi_loader_begin(struct mi_loader *loader, uint64_t epoch);
/* The next batch, or false: the epoch is over (out->n is 0), or the caller holds every slot (out->n is -1).
 * Waits for the thread only. */
bool mi_loader_next(struct mi_loader *loader, struct mi_batch *out);
void mi_loader_release(struct mi_loader *loader, int slot); /* the device has read it */
int64_t mi_loader_batches(const struct mi_loader *loader);   /* in an epoch */

#endif
