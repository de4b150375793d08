/* A model: its graph and variables, the layers as they were described, and what prediction needs besides. */
#ifndef MICA_SRC_NN_MODEL_H
#define MICA_SRC_NN_MODEL_H

#include "compile/choose/choices.h"
#include "graph/op.h"
#include "plan/plan.h"

#include <cjson/cJSON.h>
#include <mica/objective.h>

struct mi_layer_type;
struct mi_penalty;
struct mi_constraint;

/* One layer of a model, in the order of description; one that is used again is there once for each use. */
struct mi_layer_record {
    const char *name;                 /* in the graph's arena, as all below is */
    const struct mi_layer_type *type;
    mi_value **in, *value;            /* its inputs and its output */
    mi_value **results;               /* all that it gives, of which the output is one; "NAME:1" is the second */
    int inputs, result_count;
    mi_value *mask;                   /* which steps of the output are real (masks.c); NULL: all */
    cJSON *json;                      /* its description; the model's */
};

/* Layers under one name, which can be used again together: those from `first` to before `end`. A sub-model is one, and so are the
 * layers that a function of the application's adds. */
struct mi_layer_group {
    const char *name;
    const char *scope;                /* of what stands around it, as the model has it */
    size_t first, end;
    mi_value **in, *value;
    int inputs;
    bool prepares;                    /* whoever names its input in JSON reads its result */
};

/* What an output was trained for: how its numbers become answers. */
struct mi_trained_output {
    char *output;                     /* its name */
    char *loss;
    mica_setting setting[MICA_MOST_LOSS_SETTINGS]; /* of the loss; keys are those of its row */
    int from_logits;                  /* as mica_objective has it, as the weight */
    float weight;
    char **class_names;               /* (class_count) */
    int class_count;                  /* 0: they have no names, or there are no classes */
};

/* Layers are being added to one step of a recurrent layer (layer/own_cell.c). */
struct mi_inside {
    const char *scope;                /* their names begin with it ... */
    const char *again;                /* ... and those of their variables with this, where the layer is used again; else NULL */
    const char *suffix;               /* of their variables; NULL: none */
    size_t groups;                    /* of the model, which are not theirs */
};

/* The model's layers as plans that take the steps of sequences in turn (stepper.h). */
struct mi_stepper {
    struct mica_plan *plan;           /* its input takes one step, its output has one; NULL: there is none */
    struct mica_plan *several;        /* the same for several steps; NULL: not made */
    struct mica_plan *places;         /* makes states change places; NULL: not made */
    struct mica_plan *early;          /* of what steps read of other inputs, for so many `sources`; NULL: not made */
    mica_model *model;
    const mi_value *input, *output;   /* of the model: of which there are steps */
    struct mi_graph *early_graph;
    struct mi_variable **early_states; /* (early_count) of the plan: its outputs in their order */
    int early_count;
    bool tried_several;
    int64_t batch, sources;
    int64_t most;                     /* so many steps from a beginning; 0: without end */
    int64_t taken;                    /* since the last beginning */
};

void mi_stepper_destroy(struct mi_stepper *stepper);

struct mica_model {
    mica_device *device;
    struct mi_error error;            /* of the calls that built it */
    uint64_t seed;
    bool exact;                       /* as mica_model_desc has it */
    struct mi_graph *graph;
    struct mi_variables variables;
    struct mi_store *store;           /* NULL until the device is first needed */
    struct mi_layer_record *layers;
    size_t layer_count, layer_capacity;
    struct mi_names layer_names;      /* their places in the list */
    struct mi_layer_group *groups;
    size_t group_count, group_capacity;
    struct mi_penalty *penalties;     /* on parameters and results (penalty.h) */
    size_t penalty_count, penalty_capacity;
    struct mi_constraint *constraints; /* on parameters (constraint.h) */
    size_t constraint_count, constraint_capacity;
    const struct mi_inside *inside;   /* NULL: no step of a layer is being built */
    const char *scope;                /* of the groups that are open, before the names of layers: "encoder.block."; NULL: none */
    mi_value *before;                 /* what a layer that names no inputs takes: the last layer's result, or a group's input */
    struct mi_names stems;            /* of automatic names: the number that comes next */
    cJSON *description;               /* the list of layers, as a model file holds it */
    uint64_t bytes;                   /* of all its variables */
    const cJSON *prepare;             /* the layers between inputs and what reads them, while layers are added; borrowed */
    bool loading;                     /* values will come from a file: initializers are skipped ... */
    uint64_t room;                    /* ... and so many elements are in it at most */
    char *place;                      /* of the layer being read from JSON, before its errors: "layers[3]: "; else NULL */

    /* What prediction needs; set by training, saved with the model. */
    struct mi_trained_output *answers;
    int answer_count;                 /* 0: never trained */
    struct mi_trained_output untrained; /* names of the classes of outputs that never were: digits */
    char *preprocess;                 /* JSON of src/data; NULL: none */

    struct {
        uint64_t kind;                /* of its optimizer, mi_optimizer_kind; 0: none goes on */
        uint64_t steps, epochs;
    } trained;                        /* the training that the next one goes on with */

    struct mi_choices choices;        /* the engines that its plans ran with, saved with it */
    struct mica_plan *predictor;      /* for mica_predict, kept between calls */
    int64_t predictor_batch;
    struct mi_stepper stepper;        /* for mica_generate, kept between calls */
};

/* ---- Errors ---- */

/* Records the first error of building, before it the place in the JSON; reports it to the device. */
mica_status mi_model_fail(mica_model *model, mica_status status, const char *format, ...) MI_PRINTF(3, 4);
/* Takes over what the graph recorded, if anything. Returns the model's status. */
mica_status mi_model_check(mica_model *model);

/* A public call on a finished model begins; one that was not built says why, also to the device. */
mica_status mi_model_begin(mica_model *model);

/* ---- Parts ---- */

/* The store, made when first asked for. */
mica_status mi_model_store(mica_model *model, struct mi_store **store);
/* A copy of the graph with the model's errors checked: it has an output and none of its calls failed. */
mica_status mi_model_graph(mica_model *model, bool training, struct mi_graph **copy);
/* mica_compile; described: a plan only to be looked at. engine, variant: as mi_plan_desc has them. */
mica_plan *mi_model_compile(mica_model *model, const mica_plan_desc *desc, bool described, const char *engine, int variant);
/* The value that the model's output `name` (NULL: the first) shows, in a copy of its graph. */
mi_value *mi_model_output(const struct mi_graph *copy, const char *name);
/* Whether an output is what prediction and losses take: floats, so many of each sample. */
mica_status mi_model_check_samples(struct mi_error *error, const mi_value *output);
const struct mi_layer_record *mi_model_layer(const mica_model *model, const char *name);
/* What a layer or a group of that name gives, or "NAME:k" one of a layer's results; NULL: there is none. */
mi_value *mi_model_value(const mica_model *model, const char *name);
/* Which steps of a value of the model's graph are real, (N, T) of bools; NULL: all (masks.c). */
mi_value *mi_model_mask(const mica_model *model, const mi_value *value);
/* The same of a name as it is within the groups that are open, from the innermost on. */
mi_value *mi_scoped_value(mica_model *model, const char *name);
/* The name of the layer whose result a value is; NULL: of none. */
const char *mi_model_layer_of(const mica_model *model, const mi_value *value);
/* Whether a variable is in files. */
bool mi_variable_in_files(const struct mi_variable *variable);

/* What training leaves behind (trained.c); texts are copied. The first forgets the classes of all outputs. */
mica_status mi_model_set_trained(mica_model *model, const mica_objective *objectives, int count);
mica_status mi_answer_set_classes(struct mi_error *error, struct mi_trained_output *answer, const char *const *names, int count);
mica_status mi_model_set_preprocess(mica_model *model, const char *json);
/* Of an output, NULL: the first; NULL: it was never trained. */
struct mi_trained_output *mi_model_trained(const mica_model *model, const char *output);
void mi_model_forget(mica_model *model);
void mi_model_drop_predictor(mica_model *model);

/* Adds a vector of numbers that a plan reads, (count); copied (held.c). */
mi_value *mi_held(struct mi_graph *graph, const float *values, size_t count);

/* Refuses a plan of this part of the graph where a layer in it has yet to learn from data (adapt.c). */
mica_status mi_adapted_check(mica_model *model, const struct mi_graph *graph);

/* ---- JSON (json.c) ---- */

/* {"layers": [...], "outputs": {...}} of the model as it stands; the caller deletes it. NULL: out of memory. */
cJSON *mi_model_describe(const mica_model *model);
/* Whether each of a list of layers has a known type and known keys, which needs neither a model nor data. The device knows layers
 * of the application's own; NULL: there are none. Errors begin with the list's place, "model.layers". */
mica_status mi_layers_check(struct mi_error *error, const mica_device *device, const cJSON *layers, const char *list);
/* mica_model_add_json on a parsed object. `place` stands before "layers[i]" in errors ("model" in a job; else ""). Layers of
 * `prepare` (NULL: none), a list or an object of lists by names of inputs, come between an input and whoever names it. */
mica_status mi_model_add_layers(mica_model *model, const cJSON *json, const char *place, const cJSON *prepare);

#endif
