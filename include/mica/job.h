/* Jobs: a network, its data and its training in one JSON file (docs/jobs.md), as the `mica` program runs them. */
#ifndef MICA_JOB_H
#define MICA_JOB_H

#include <mica/train.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mica_job mica_job;

/* Reads a job file; `sets` are "key.path=value" overrides. Paths in it are relative to the file. Builds the model and
 * opens the data. Never NULL except when out of memory: ask mica_job_status. */
MICA_API mica_job *mica_job_open(mica_device *device, const char *path, const char *const *sets, int count);
/* The same for the model alone, with its initial weights: the file of weights is not read, and the data are opened only where the
 * job does not say the model's input shape. There is nothing to run. */
MICA_API mica_job *mica_job_open_model(mica_device *device, const char *path, const char *const *sets, int count);
MICA_API void mica_job_destroy(mica_job *job);
MICA_API mica_status mica_job_status(const mica_job *job);
MICA_API const char *mica_job_error(const mica_job *job);

/* Borrowed from the job. The fit description may be changed (callbacks) before mica_job_run. */
MICA_API mica_model *mica_job_model(mica_job *job);
MICA_API mica_data *mica_job_data(mica_job *job);
MICA_API mica_fit_desc *mica_job_fit(mica_job *job);
/* Adds a callback behind the job's own; its texts stay as they are until the job is destroyed. */
MICA_API mica_status mica_job_add_callback(mica_job *job, const mica_callback *callback);
/* The folder into which mica_job_run writes what the training was and what it can be resumed from: job.json, run.json, log.csv,
 * best.safetensors, last.safetensors (docs/jobs.md). One that holds a run is an error, unless the fit's `resume` is set.
 * Borrowed; NULL: the job names none. */
MICA_API const char *mica_job_run_folder(const mica_job *job);
MICA_API int mica_job_log_every(const mica_job *job);        /* epochs between the lines that a program prints; 0 for NULL */
MICA_API int mica_job_notes(const mica_job *job);            /* notes gathered while opening, such as unused weights */
MICA_API const char *mica_job_note(const mica_job *job, int i);

/* mica_fit with the job's description. */
MICA_API mica_status mica_job_run(mica_job *job, mica_history **history);

/* A data specification alone, {"format": ...}; relative paths start at the file's folder. For a model that has been
 * trained: its columns, categories, classes and normalisation are applied, never fitted again. model may be NULL. */
MICA_API mica_data *mica_data_open_spec(mica_device *device, const char *path, mica_model *model);

/* Raw inputs for prediction from one file, or, of a model with several, from those that a specification in a .json file names, of
 * which the inputs of all parts are read: from one file (.npy, .csv, IDX, also .gz; of a model of texts also .txt, a text in each
 * line), checked against the model's input: samples without labels, in the training part, with the preprocessing that the model
 * was fitted with. */
MICA_API mica_data *mica_data_open_inputs(mica_device *device, const char *path, mica_model *model);
/* The same of texts in memory (count), of a model that was trained on a column of texts, or on pairs of them: what it reads. */
MICA_API mica_data *mica_data_open_texts(mica_device *device, const char *const *texts, int64_t count, mica_model *model);
/* The same as floats, which round large numbers such as times before they are normalised, and do not say how many steps a sample
 * has, where that varies. *inputs is the caller's: mica_free. */
MICA_API mica_status mica_read_inputs(mica_model *model, const char *path, float **inputs, int64_t *n);
/* Whether a file could be written at a path, before what belongs into it is computed: MICA_OK, or MICA_IO and why not. Follows
 * links; leaves nothing behind. */
MICA_API mica_status mica_check_output(mica_device *device, const char *path);
/* Writes row-major float32 values as .npy, atomically. */
MICA_API mica_status mica_write_npy(mica_device *device, const char *path, const float *values, mica_shape shape, int64_t n);
/* The same as a table: n lines of `columns` numbers below a line of names (NULL: "output", or "output_0" and so on). */
MICA_API mica_status mica_write_csv(mica_device *device, const char *path, const char *const *names, const float *values,
                                    int64_t columns, int64_t n);

#ifdef __cplusplus
}
#endif
#endif
