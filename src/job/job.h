/* A job file as it is read. */
#ifndef MICA_SRC_TRAIN_JOB_H
#define MICA_SRC_TRAIN_JOB_H

#include "data/data.h"
#include "json/keys.h"
#include "nn/objective.h"

#include <mica/job.h>

struct mica_job {
    mica_device *device;
    struct mi_error error;
    struct mi_arena arena;
    const char *path;         /* the arena's, as the folder */
    const char *folder;
    cJSON *json;              /* after the overrides; the fit description borrows texts from it */
    mica_model *model;
    mica_data *data; /* NULL where only the model was opened, and did not need them */
    bool model_only;
    mica_fit_desc fit;
    mica_objective *objectives;        /* (fit.objective_count) the arena's */
    const cJSON **class_weights;       /* of each objective, the JSON's; NULL: none, or balanced */
    mica_callback *callbacks;          /* (fit.callback_count) */
    size_t callback_capacity;
    const char *run;                   /* the folder of its run, the arena's; NULL: there is none */
    bool tensorboard;
    int log_every;                     /* epochs between the lines of a program */
    const char **notes;
    size_t note_count, note_capacity;
};

/* What a job says of its losses: the JSON of its keys. */
struct mi_job_losses {
    const cJSON *model;                /* whose outputs are named */
    const cJSON *loss, *metrics, *class_weight;
    int from_logits;                   /* of losses that do not say it themselves: 1 yes, -1 no, 0 not given */
};
/* Reads them into the fit's description. */
mica_status mi_job_objectives(mica_job *job, struct mi_error *error, const struct mi_job_losses *keys);
/* Reads the list of callbacks (NULL: there is none) behind those that there are. */
mica_status mi_job_callbacks(mica_job *job, struct mi_error *error, const cJSON *list);
/* What a run leaves in its folder, as callbacks behind the job's own; the folder, and the files that say what it is (run.c). */
mica_status mi_job_add_run(mica_job *job);
mica_status mi_job_begin_run(mica_job *job);
/* Looks the names of weighted classes up in the data. */
mica_status mi_job_class_weights(mica_job *job);
/* Whether the target of an output is a value, as its loss says (mi_regressions). */
bool mi_job_regresses(const void *job, const char *output);

/* Applies one "key.path=value": a value that is JSON as such, any other as a text. Keys that are not there are made; whoever reads
 * them says whether they exist. */
mica_status mi_job_set(struct mi_error *error, cJSON *json, const char *assignment);

/* A copy of a job's data specification; a split without a seed of its own has the job's. NULL: out of memory. */
cJSON *mi_job_data_spec(const cJSON *job);

/* Reads a JSON file into *out, which the caller deletes. */
mica_status mi_json_file(struct mi_error *error, const char *path, cJSON **out);

#endif
