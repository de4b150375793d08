/* Maps and reductions: every row of these kinds, by what it takes. */
#include "random/draw.h"

#include <string.h>

/* Rows that only others are made of and that mean nothing alone, and those of which the reference knows no expression: normal
 * numbers, and arithmetic of 64 bits. */
static const char *const parts[] = {"Derivative",     "PickLabel",    "CheckLabel",    "CountLabel", "MaskLabel", "CrossEntropyGrad",
                                    "SelectInWindow", "SelectInPool", "SelectInPools", "DivideByWindow",
                                    "UpdateCount",    "NadamTerm",    "NadamProduct", "LambDirection", "AdafactorSquare",
                                    "AdafactorLeft",  "AdafactorMean", "KeepUntil",      "SelectInShare", "DivideByShare", "HashBin",
                                    "RandomScale",    "RandomShift"};

/* Attributes with the range they are drawn from; a row that needs none and has a default still gets some. */
static const struct drawn {
    const char *op, *name;
    double low, high;
    bool whole;
} attributes[] = {
    {"Clip", "min", -1.5, 0.5, false},       {"Clip", "max", -0.5, 1.5, false},      {"LeakyRelu", "alpha", 0, 1, false},
    {"Elu", "alpha", 0.25, 2, false},        {"Celu", "alpha", 0.25, 2, false},      {"Selu", "alpha", 0.5, 2, false},
    {"Selu", "gamma", 0.5, 2, false},        {"ThresholdedRelu", "alpha", -1, 1, false}, {"HardSigmoid", "alpha", 0.1, 0.5, false},
    {"HardSigmoid", "beta", 0.25, 0.75, false}, {"DivideByCount", "per_n", 0, 2, true}, {"DivideByCount", "fixed", 1, 5, true},
    {"InverseRoot", "epsilon", 0.125, 0.5, false}, {"MovingAverage", "momentum", 0, 1, false},
    {"MovingVariance", "momentum", 0, 1, false}, {"MovingVariance", "per_n", 0, 1, true}, {"MovingVariance", "fixed", -2, 1, true}, {"RandomDrop", "rate", 0, 0.75, false},
    {"RandomKeep", "rate", 0, 0.75, false}, {"DropWhere", "dropped", -1, 0, false}, {"DropWhere", "factor", 1, 2, false},
    {"DropWhere", "shift", -0.5, 0.5, false},
    {"ProbabilityGrad", "epsilon", 0.0625, 0.125, false}, {"LogProbability", "epsilon", 0.0625, 0.125, false},
    {"BinaryCrossEntropy", "epsilon", 0.0625, 0.125, false}, {"MomentumUpdate", "momentum", 0, 1, false},
    {"NesterovUpdate", "momentum", 0, 1, false}, {"AdamUpdate", "beta_1", 0.5, 0.9375, false},
    {"AdamUpdate", "epsilon", 0.0625, 0.125, false}, {"RmspropUpdate", "rho", 0.5, 0.9375, false},
    {"RmspropUpdate", "epsilon", 0.0625, 0.125, false}, {"RmspropMomentumUpdate", "momentum", 0, 1, false},
    {"RmspropMomentumUpdate", "epsilon", 0.0625, 0.125, false}, {"AdagradUpdate", "epsilon", 0.0625, 0.125, false},
    {"AmsgradUpdate", "epsilon", 0.0625, 0.125, false}, {"AdamwUpdate", "epsilon", 0.0625, 0.125, false},
    {"AmsgradwUpdate", "epsilon", 0.0625, 0.125, false}, {"AdamaxUpdate", "epsilon", 0.0625, 0.125, false},
    {"NadamUpdate", "epsilon", 0.0625, 0.125, false}, {"RmspropCenteredUpdate", "epsilon", 0.0625, 0.125, false},
    {"RmspropCenteredMomentumUpdate", "epsilon", 0.0625, 0.125, false}, {"AdadeltaUpdate", "epsilon", 0.0625, 0.125, false},
    {"LambUpdate", "epsilon", 0.0625, 0.125, false}, {"FtrlUpdate", "beta", 0.5, 1, false}};

/* Rows that want a positive first operand (or second) lest most of what they make is NaN. */
static const char *const positive[] = {"Log", "Sqrt", "Pow", "InverseRoot", "LogProbability", "BinaryCrossEntropy",
                                       "ProbabilityGrad"};

static bool listed(const char *const *list, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(list[i], name) == 0)
            return true;
    return false;
}

static bool ends_with(const char *name, const char *end)
{
    size_t length = strlen(name), tail = strlen(end);
    return length >= tail && strcmp(name + length - tail, end) == 0;
}

static void add_attributes(struct drawing *d, struct step *step)
{
    for (size_t i = 0; i < MI_COUNT(attributes); i++) {
        const struct drawn *a = &attributes[i];
        if (strcmp(a->op, step->op) != 0)
            continue;
        if (a->whole)
            step_attribute(step, MI_INT(a->name, (int64_t)a->low + draw_below(d, (int64_t)(a->high - a->low) + 1)));
        else
            step_attribute(step, MI_REAL(a->name, (float)draw_real(d, a->low, a->high)));
    }
    if (ends_with(step->op, "Update") && draw_chance(d, 50))
        step_attribute(step, MI_REAL("weight_decay", (float)draw_real(d, 0, 0.5)));
}

static const struct mi_op *pick_row(struct drawing *d, enum mi_kind kind, int least, int most)
{
    int count = 0;
    for (int round = 0, at = 0;; round++) {
        int seen = 0;
        for (const struct mi_op *const *op = mi_ops; *op; op++)
            if ((*op)->kind == kind && (*op)->min_inputs >= least && (*op)->min_inputs <= most &&
                !listed(parts, MI_COUNT(parts), (*op)->name) && seen++ == at && round)
                return *op;
        count = seen;
        at = draw_below(d, count);
    }
}

/* A value between 0 and 1 or above 0 where the row wants one. */
static struct place suited(struct drawing *d, const char *op, struct place x)
{
    if (!listed(positive, MI_COUNT(positive), op) || draw_chance(d, 20))
        return x;
    struct step step = step_begin(draw_chance(d, 50) ? "Sigmoid" : "Softplus");
    step_operand(&step, x);
    return draw_add(d, &step) ? draw_last(d) : x;
}

bool draw_unary(struct drawing *d)
{
    struct step step = step_begin(pick_row(d, MI_MAP, 1, 1)->name);
    bool logic = strcmp(step.op, "Not") == 0, cast = strcmp(step.op, "Cast") == 0;
    bool whole = strcmp(step.op, "Neg") == 0 || strcmp(step.op, "Abs") == 0 || strcmp(step.op, "Sign") == 0 ||
                 strcmp(step.op, "Identity") == 0 || cast;
    struct place x = draw_operand(d, logic ? MI_BOOL : whole && draw_chance(d, 30) ? MI_INT32 : MI_FLOAT, 0, 8);
    if (!place_is(x))
        return false;
    step_operand(&step, suited(d, step.op, x));
    if (cast) {
        static const int64_t to[] = {MI_FLOAT, MI_INT32, MI_INT64, MI_BOOL};
        step_attribute(&step, MI_INT("to", to[draw_below(d, 4)]));
    }
    if (strcmp(step.op, "Index") == 0)
        step_attribute(&step, MI_INT("axis", draw_below(d, draw_shape(d, x)->rank + 1)));
    add_attributes(d, &step);
    return draw_add(d, &step);
}

static bool takes_integers(const char *op)
{
    static const char *const rows[] = {"Add", "Sub", "Mul", "Min", "Max", "Equal", "Greater", "Less", "GreaterOrEqual", "LessOrEqual"};
    return listed(rows, MI_COUNT(rows), op);
}

/* Several operands: those of an update have one shape, others broadcast. */
bool draw_map(struct drawing *d)
{
    const struct mi_op *op = pick_row(d, MI_MAP, 2, draw_chance(d, 70) ? 2 : 8);
    struct step step = step_begin(op->name);
    bool where = strcmp(op->name, "Where") == 0, logic = strcmp(op->name, "And") == 0 || strcmp(op->name, "Or") == 0;
    bool whole = takes_integers(op->name) && draw_chance(d, 15);
    struct mi_shape shape;
    for (int i = 0; i < op->min_inputs; i++) {
        enum mi_type type = logic || (where && i == 0) ? MI_BOOL : whole ? MI_INT32 : MI_FLOAT;
        struct place x = i == 0                           ? draw_operand(d, type, 0, 8)
                         : ends_with(op->name, "Update") ? draw_like(d, type, &shape)
                                                          : draw_partner(d, type, &shape);
        if (!place_is(x))
            return false;
        if (type == MI_FLOAT && i == 0)
            x = suited(d, op->name, x);
        if (i == 0)
            shape = *draw_shape(d, x);
        step_operand(&step, x);
    }
    if (!ends_with(op->name, "Update") && draw_chance(d, 30)) {
        struct place first = step.in[0]; /* the broad operand is not always the first */
        int with = where || logic ? 0 : draw_below(d, step.inputs);
        step.in[0] = step.in[with];
        step.in[with] = first;
    }
    add_attributes(d, &step);
    return draw_add(d, &step);
}

bool draw_reduce(struct drawing *d)
{
    const struct mi_op *op = pick_row(d, MI_REDUCE, 1, 1);
    struct step step = step_begin(op->name);
    bool whole = (strcmp(op->name, "ReduceSum") == 0 || strcmp(op->name, "ReduceMax") == 0 || strcmp(op->name, "ReduceMin") == 0) &&
                 draw_chance(d, 15);
    struct place x = draw_operand(d, whole ? MI_INT32 : MI_FLOAT, 0, 8);
    if (!place_is(x))
        return false;
    const struct mi_shape *shape = draw_shape(d, x);
    int64_t *axes = draw_ints(d, shape->rank), places = 1;
    int count = 0;
    for (int i = 0; i < shape->rank; i++)
        if (draw_chance(d, 50)) {
            places *= mi_dim_at(shape->dim[i], d->recipe->batch);
            axes[count++] = draw_chance(d, 20) ? i - shape->rank : i;
        }
    if (strcmp(op->name, "ReduceArgMaxNear") == 0 && (places > 255 || count == 0))
        return false;
    step_operand(&step, x);
    if (count)
        step_attribute(&step, MI_INTS("axes", axes, count));
    step_attribute(&step, MI_INT("keepdims", draw_below(d, 2)));
    return draw_add(d, &step);
}
