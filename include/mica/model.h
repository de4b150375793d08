/* Models: a graph of layers, its parameters, and the plans compiled from it. */
#ifndef MICA_MODEL_H
#define MICA_MODEL_H

#include <mica/device.h>
#include <mica/objective.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mica_model mica_model;
typedef struct mica_node mica_node; /* a tensor of the model's graph; borrowed, lives as long as its model */
typedef struct mica_plan mica_plan; /* the model compiled for inference on its device; shares the parameters */

#define MICA_MAX_RANK 8

/* A shape per sample, without the batch: {3, {1, 28, 28}}. */
typedef struct mica_shape {
    int rank;
    int64_t dim[MICA_MAX_RANK];
} mica_shape;

/* MICA_SHAPE(1, 28, 28), in C and in C++ */
#ifndef __cplusplus
#define MICA_SHAPE(...)                                                                             \
    ((mica_shape){(int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), {__VA_ARGS__}})
#else
#define MICA_SHAPE(...) mica_shape_of(__VA_ARGS__)
extern "C++" {
template <typename... Sizes> inline mica_shape mica_shape_of(Sizes... sizes)
{
    static_assert(sizeof...(sizes) <= MICA_MAX_RANK, "a shape has at most MICA_MAX_RANK sizes");
    return {static_cast<int>(sizeof...(sizes)), {static_cast<int64_t>(sizes)...}};
}
}
#endif

/* What an element is. In memory a float16 or a bfloat16 is its 16 bits (uint16_t), a bool is 0 or 1 (uint8_t); the others are C's
 * types of the same name. float64 needs a device that has it. */
typedef enum mica_type {
    MICA_FLOAT32, MICA_FLOAT16, MICA_BFLOAT16, MICA_FLOAT64,
    MICA_INT8, MICA_INT16, MICA_INT32, MICA_INT64,
    MICA_UINT8, MICA_UINT16, MICA_UINT32, MICA_UINT64,
    MICA_BOOL
} mica_type;
MICA_API size_t mica_type_size(mica_type type);      /* bytes of an element; 0: there is no such type */
MICA_API const char *mica_type_name(mica_type type); /* NumPy's: "float32"; NULL */

typedef struct mica_model_desc {
    uint64_t seed; /* of initializers and dropout */
    bool exact;    /* sums convolutions product by product, in every plan of the model: no Winograd's algorithm, which is
                    * faster and rounds more (about 1e-5 of the largest result at most). Not saved with the model */
} mica_model_desc;

/* An empty model on a device. NULL desc: defaults. NULL only when out of memory. */
MICA_API mica_model *mica_model_create(mica_device *device, const mica_model_desc *desc);
MICA_API void mica_model_destroy(mica_model *model); /* before its device; NULL is fine */

/* The first error of the calls that built this model, and its text. It is also reported to the device. */
MICA_API mica_status mica_model_status(const mica_model *model);
MICA_API const char *mica_model_error(const mica_model *model);

/* An input of `shape` per sample; name NULL: "input". Then layers (layers.h) make nodes from nodes. Values are float32 unless a
 * type is named; integer: int32, as an embedding takes them. Layers compute float32; operators (op.h) take every type, and "Cast"
 * leads from one to another. */
MICA_API mica_node *mica_input(mica_model *model, const char *name, mica_shape shape);
MICA_API mica_node *mica_input_integer(mica_model *model, const char *name, mica_shape shape);
MICA_API mica_node *mica_input_typed(mica_model *model, const char *name, mica_shape shape, mica_type type);
/* An input whose samples have up to shape.dim[0] steps, and then are padded: layers pass over padding by a mask, as they do behind
 * masking. An input NAME_length of int32, one number a sample, says how many steps there are; data have it by themselves
 * (mica_field.lengths, columns of texts), mica_predict takes samples of all steps, and a plan is written both. */
MICA_API mica_node *mica_input_varying(mica_model *model, const char *name, mica_shape shape, mica_type type);
/* Declares a node an output of the model; returns it. */
MICA_API mica_node *mica_output(mica_model *model, const char *name, mica_node *node);

/* The result of a layer, an input or a group by its name, or "NAME:1" the second result of a layer that has several; NULL, and an
 * error of the model, where there is none of that name. */
MICA_API mica_node *mica_model_node(mica_model *model, const char *name);

/* The shape of a node per sample; of one that depends on no input, such as a variable, the whole shape. A dimension other than the
 * first that grows with the batch is -1. rank -1 for NULL. */
MICA_API mica_shape mica_node_shape(const mica_node *node);
MICA_API mica_type mica_node_type(const mica_node *node); /* of its elements; float32 for NULL */

/* Layers that are added between the two calls are a group, made of inputs x: their names begin with the group's and a dot, as in
 * "encoder.dense_1", so that `train` can name them all ("encoder.*"), and they can be used again together. Groups may hold groups.
 * name NULL: "group" and a number. The end takes the group's result, and returns it. */
MICA_API mica_status mica_group_begin(mica_model *model, const char *name, mica_node *const *x, int count);
MICA_API mica_node *mica_group_end(mica_model *model, mica_node *value);

/* Uses a layer, or a group, again on other inputs: with the same variables, whose gradients add up, and whose running statistics
 * take one use after the other. `layer` is its name; name NULL: that and a number. Gives the result for these inputs. */
MICA_API mica_node *mica_again(mica_model *model, const char *layer, mica_node *const *x, int count, const char *name);

/* Adds the layers that a JSON description lists, {"input_shape": [...], "layers": [...]}, as job files do (docs/jobs.md).
 * An unknown layer, key or value is MICA_FORMAT and names it, its place and the nearest valid one. */
MICA_API mica_status mica_model_add_json(mica_model *model, const char *json);

/* Parameters and running statistics, by their names in files ("conv.weight"). Values are row-major float32. */
MICA_API int mica_model_variable_count(const mica_model *model);
MICA_API const char *mica_model_variable_name(const mica_model *model, int i);
MICA_API mica_shape mica_model_variable_shape(const mica_model *model, int i);
MICA_API int64_t mica_model_parameter_count(const mica_model *model); /* elements of all trainable variables */
MICA_API mica_type mica_model_variable_type(const mica_model *model, int i);
MICA_API mica_status mica_model_read(mica_model *model, const char *name, float *values, size_t count);
MICA_API mica_status mica_model_write(mica_model *model, const char *name, const float *values, size_t count);

/* Puts the moving averages that an optimizer with use_ema has made in place of the parameters, as at the end of a training. */
MICA_API mica_status mica_model_take_averages(mica_model *model);

/* The name of class i of an output that was trained (NULL: the first); NULL where there is none. */
MICA_API const char *mica_model_class_name(const mica_model *model, const char *output, int i);

/* Saves description, preprocessing and variables as one .safetensors file, atomically. */
MICA_API mica_status mica_model_save(mica_model *model, const char *path);
/* Loads a model that mica_model_save wrote. Never NULL except when out of memory. */
MICA_API mica_model *mica_model_load(mica_device *device, const char *path);
/* The same from memory; `bytes` is not used after the call. */
MICA_API mica_model *mica_model_load_memory(mica_device *device, const void *bytes, size_t size);

typedef struct mica_weights_desc {
    bool partial;                                   /* variables that the file lacks keep their values */
    void (*note)(void *user, const char *line);     /* told of tensors that the model has no use for */
    void *user;
} mica_weights_desc;

/* Loads variables by name from any .safetensors file. A variable that the file lacks, or of another shape, is an
 * error unless partial. NULL desc: defaults. */
MICA_API mica_status mica_model_load_weights(mica_model *model, const char *path, const mica_weights_desc *desc);

/* The whole of a model for a reader: layers, variables and, with_plan, its inference plan for `batch`: operators,
 * kernels with their source, layouts, engines, launches and bytes. The plan is not run, and the model's first values are not made.
 * *json is the caller's: mica_free. */
typedef struct mica_inspect_desc {
    bool with_plan;
    bool training;  /* the plan of a training step instead of inference: ... */
    const struct mica_fit_desc *fit; /* ... of such a fit (train.h); NULL: with Adam and the model's usual loss */
    int64_t batch;  /* 0: 1 */
} mica_inspect_desc;
MICA_API mica_status mica_model_inspect(mica_model *model, const mica_inspect_desc *desc, char **json);
MICA_API void mica_free(void *memory);

/* ---- Plans: inference and steps of training in a loop, without waiting and without allocation ---- */

typedef struct mica_plan_desc {
    int64_t batch;               /* the largest number of samples in a run; 0: 1 */
    mica_node *const *outputs;   /* what can be read, each by its layer's name; NULL: the model's outputs */
    int output_count;

    /* A training step: each run makes the loss smaller, the mean over all its elements: of a loss that is one number a sample, the
     * mean over the samples. It can be read as "loss", and is that before the update; the model's outputs are none of it. */
    mica_node *loss;             /* NULL: inference, or objectives */

    /* The same by names: the plan has an input "OUTPUT_target" for each objective, and "OUTPUT_weight" where samples are weighted,
     * and measures what it is asked for, and "loss". Instead of `loss` and `outputs`. */
    const mica_objective *objectives;
    int objective_count;
    bool evaluate;               /* objectives are measured, and nothing is trained */
    mica_optimizer optimizer;    /* its moments belong to the parameters: plans that train the same ones share them */
    const mica_optimizer_group *groups; /* (group_count) of the optimizer */
    int group_count;
    const mica_schedule *schedule; /* of the optimizer's rate; NULL: it stays as it is */
    const char *train;           /* which variables may change, as patterns over their names: "generator.*, trunk.*"; NULL: all.
                                  * Layers of which none is named use their running statistics as in inference, and leave them */
    mica_type precision;         /* of training: in which type activations are kept for the backward pass, and activations and their
                                  * gradients are rounded before products read them. float32, float16 (the loss has a scale that
                                  * finds itself; a step whose gradients overflow changes nothing) or bfloat16. Parameters, moments,
                                  * statistics, sums and losses are float32 */
} mica_plan_desc;

/* Compiles the part of the model that the outputs and the loss need, for batches of up to desc->batch; inputs that only others
 * need are none of the plan. NULL only when out of memory; an error is the plan's status. Plans share the model's variables, so
 * each sees at once what another has trained: a GAN is two plans that train in turn. Destroy them before the model. */
MICA_API mica_plan *mica_compile(mica_model *model, const mica_plan_desc *desc);
MICA_API void mica_plan_destroy(mica_plan *plan);
MICA_API mica_status mica_plan_status(const mica_plan *plan); /* why it is of no use, else the first argument refused */
MICA_API const char *mica_plan_error(const mica_plan *plan);
MICA_API uint64_t mica_plan_peak_bytes(const mica_plan *plan);
MICA_API int mica_plan_launches(const mica_plan *plan); /* of a step; what is made of weights alone, once, is left out */

/* Copies n samples into an input (plain values, as the network takes them), runs, and copies an output back. Only
 * mica_plan_read waits. `count` is n times the elements of a sample, checked; so are values that are numbers of an embedding's
 * rows. name NULL: the only one. A wrong argument is told to the plan and the device, and blocks nothing; a plan that did not
 * compile, or whose device failed, repeats its error. */
MICA_API mica_status mica_plan_write(mica_plan *plan, const char *name, const float *values, size_t count);
MICA_API mica_status mica_plan_run(mica_plan *plan, int64_t n);
/* The same with elements of the tensor's own type, which `type` must be; copied as they are. The calls with floats convert: an
 * integer input takes whole numbers in its range and refuses others, and what is read is rounded to a float. */
MICA_API mica_status mica_plan_write_elements(mica_plan *plan, const char *name, mica_type type, const void *elements,
                                              size_t count);
MICA_API mica_status mica_plan_read_elements(mica_plan *plan, const char *name, mica_type type, void *elements, size_t count);
/* Sets a number of the steps that follow: "learning_rate", instead of a schedule; "steps", how many there were before, which Adam,
 * dropout and schedules count. */
MICA_API mica_status mica_plan_set(mica_plan *plan, const char *key, double value);
/* Fills the states that `stateful` layers carry from one run to the next with zeros. A plan has states of its own. mica_fit does
 * that at the beginning of each epoch, within which batches go on from one another; evaluation and prediction take each sample by
 * itself, which begins with zeros. */
MICA_API mica_status mica_plan_reset_states(mica_plan *plan);
MICA_API mica_status mica_plan_read(mica_plan *plan, const char *name, float *values, size_t count);

/* What a plan with objectives measures: "loss" first, then each objective's metrics; where there are several objectives, each one's
 * "OUTPUT_loss" and "OUTPUT_accuracy" and so on. Values are over all samples since the last reset, NaN where there were none;
 * reading them waits. In training, each sample is measured before the update that it is part of. */
MICA_API int mica_plan_metric_count(const mica_plan *plan);
MICA_API const char *mica_plan_metric_name(const mica_plan *plan, int i);
MICA_API mica_status mica_plan_metrics(mica_plan *plan, double *values, int count);
MICA_API mica_status mica_plan_reset_metrics(mica_plan *plan);

#ifdef __cplusplus
}
#endif
#endif
