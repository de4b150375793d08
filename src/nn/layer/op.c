/* Any operator as a layer. Its attributes are JSON from the beginning, so that C, jobs and files say the same. */
#include "nn/layer.h"
#include "ops/ops.h"

#include <mica/op.h>

#include <float.h>
#include <math.h>
#include <string.h>

enum { MOST_INPUTS = 1024, MOST_ATTRIBUTES = 16, MOST_INTS = 64 };
#define MOST_WHOLE 9007199254740992.0 /* 2^53: whole numbers up to here are exact in JSON */

struct op_desc {
    const char *name, *op;
    const cJSON *attributes;
    int output;
};

static const struct mi_caller_op *find_op(const char *name)
{
    const struct mi_caller_op *of = mi_caller_ops;
    while (of->op && strcmp(of->op->name, name) != 0)
        of++;
    return of->op ? of : NULL;
}

/* ---- Which attributes an operator takes ---- */

struct taken {
    const char *name;                /* not its end */
    size_t length;
    enum mi_attribute_type type;
};

/* The next of a list such as "axes:ints keepdims:int"; false past the last. */
static bool next_taken(const char **list, struct taken *taken)
{
    static const char *const kinds[] = {[MI_ATTRIBUTE_INT] = "int", [MI_ATTRIBUTE_FLOAT] = "float", [MI_ATTRIBUTE_TEXT] = "text",
                                        [MI_ATTRIBUTE_INTS] = "ints"};
    const char *at = *list + strspn(*list, " ");
    *taken = (struct taken){.name = at, .length = strcspn(at, ":")};
    if (!*at)
        return false;
    const char *kind = at + taken->length + 1;
    size_t length = strcspn(kind, " ");
    while (strlen(kinds[taken->type]) != length || strncmp(kinds[taken->type], kind, length) != 0)
        taken->type++;
    *list = kind + length;
    return true;
}

static bool find_taken(const char *list, const char *name, struct taken *taken)
{
    while (next_taken(&list, taken))
        if (strlen(name) == taken->length && strncmp(name, taken->name, taken->length) == 0)
            return true;
    return false;
}

static bool unknown_attribute(struct mi_layer *layer, const struct mi_caller_op *of, const char *name)
{
    const char *names[MOST_ATTRIBUTES + 1] = {0}, *list = of->takes;
    struct taken taken;
    for (int i = 0; i < MOST_ATTRIBUTES && next_taken(&list, &taken); i++)
        if (!(names[i] = mi_arena_format(&layer->graph->arena, "%.*s", (int)taken.length, taken.name)))
            break;
    mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "%s has no attribute \"%s\"%s", of->op->name, mi_show(name).text,
                  mi_advise(name, names).text);
    return false;
}

/* ---- Attributes from JSON ---- */

static bool whole(const cJSON *json, int64_t *out)
{
    double number = cJSON_IsBool(json) ? cJSON_IsTrue(json) : json->valuedouble;
    if (!(cJSON_IsBool(json) || cJSON_IsNumber(json)) || !(fabs(number) <= MOST_WHOLE) || floor(number) < number)
        return false;
    *out = (int64_t)number;
    return true;
}

/* A list, or one number alone. */
static bool whole_list(struct mi_layer *layer, const cJSON *json, struct mi_attribute *out)
{
    int count = cJSON_IsArray(json) ? cJSON_GetArraySize(json) : 1;
    int64_t *ints = count <= MOST_INTS ? mi_arena_new(&layer->graph->arena, (size_t)count, sizeof *ints) : NULL;
    const cJSON *item = cJSON_IsArray(json) ? json->child : json;
    if (!ints)
        return false;
    for (int i = 0; i < count; i++, item = item->next)
        if (!whole(item, &ints[i]))
            return false;
    out->ints = ints;
    out->count = count;
    return true;
}

static bool read_value(struct mi_layer *layer, const cJSON *json, struct mi_attribute *out)
{
    switch (out->type) {
    case MI_ATTRIBUTE_INT:
        return whole(json, &out->i);
    case MI_ATTRIBUTE_FLOAT:
        out->f = (float)json->valuedouble;
        return cJSON_IsNumber(json) && fabs(json->valuedouble) <= (double)FLT_MAX;
    case MI_ATTRIBUTE_TEXT:
        out->s = json->valuestring;
        return cJSON_IsString(json);
    case MI_ATTRIBUTE_INTS:
        return whole_list(layer, json, out);
    }
    return false;
}

static bool read_attribute(struct mi_layer *layer, const struct mi_caller_op *of, const cJSON *json, struct mi_attribute *out)
{
    static const char *const must[] = {[MI_ATTRIBUTE_INT] = "a whole number", [MI_ATTRIBUTE_FLOAT] = "a number",
                                       [MI_ATTRIBUTE_TEXT] = "a text", [MI_ATTRIBUTE_INTS] = "a list of at most 64 whole numbers"};
    struct taken taken;
    if (!find_taken(of->takes, json->string, &taken))
        return unknown_attribute(layer, of, json->string);
    *out = (struct mi_attribute){.name = json->string, .type = taken.type};
    if (read_value(layer, json, out))
        return true;
    mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "attribute %s of %s must be %s", json->string, of->op->name, must[taken.type]);
    return false;
}

/* How many there are; -1 after an error. */
static int read_attributes(struct mi_layer *layer, const struct mi_caller_op *of, const cJSON *json,
                           struct mi_attribute out[MOST_ATTRIBUTES])
{
    const cJSON *item;
    int count = 0;
    if (json && !cJSON_IsObject(json)) {
        mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "attributes must be an object: names and values");
        return -1;
    }
    cJSON_ArrayForEach(item, json) {
        for (int i = 0; i < count; i++)
            if (strcmp(out[i].name, item->string) == 0) {
                mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "attribute %s is given twice", item->string);
                return -1;
            }
        if (!read_attribute(layer, of, item, &out[count]))
            return -1;
        count++; /* of those that it takes, each once: never more than there are */
    }
    return count;
}

/* ---- The layer ---- */

static bool inputs_fit(struct mi_layer *layer, const struct mi_op *op, int count)
{
    if (count >= op->min_inputs && (op->max_inputs < 0 || count <= op->max_inputs))
        return true;
    if (op->min_inputs == op->max_inputs)
        mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "%s takes %d input%s, not %d", op->name, op->min_inputs,
                      op->min_inputs == 1 ? "" : "s", count);
    else if (op->max_inputs < 0)
        mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "%s takes at least %d inputs, not %d", op->name, op->min_inputs, count);
    else
        mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "%s takes %d to %d inputs, not %d", op->name, op->min_inputs, op->max_inputs,
                      count);
    return false;
}

static mi_value *build(struct mi_layer *layer, mi_value *const *x, int count, const void *given)
{
    const struct op_desc *desc = given;
    const struct mi_caller_op *of = desc->op ? find_op(desc->op) : NULL;
    struct mi_attribute attribute[MOST_ATTRIBUTES];
    if (!desc->op)
        return mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "the operator's name is missing");
    if (!of)
        return mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "there is no operator \"%s\"%s", mi_show(desc->op).text,
                             mi_advise(desc->op, mi_caller_names).text);
    if (desc->output < 0 || desc->output >= of->op->outputs)
        return mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "output %d: %s has outputs 0 to %d", desc->output, of->op->name,
                             of->op->outputs - 1);
    int attributes = read_attributes(layer, of, desc->attributes, attribute);
    if (attributes < 0 || !inputs_fit(layer, of->op, count))
        return NULL;
    struct mi_node *node = mi_node_add(layer->graph, of->op->name, x, count, attribute, attributes);
    for (int i = 0; node && i < node->outputs; i++)
        if (mi_shape_count(&node->out[i]->shape, 1) < 0)
            return mi_layer_fail(layer, MICA_SHAPE, "the result of %s has shape %s, which is too large", of->op->name,
                                 mi_shape_text(&layer->graph->arena, &node->out[i]->shape));
    if (!node)
        return NULL;
    mi_layer_results(layer, node->out, node->outputs);
    return node->out[desc->output];
}

static const char *stem(const void *desc)
{
    const char *op = ((const struct op_desc *)desc)->op;
    const struct mi_caller_op *of = op ? find_op(op) : NULL;
    return of ? of->op->name : NULL;
}

static const struct mi_key keys[] = {
    MI_KEY_WITH(struct op_desc, "op", MI_KEY_TEXT, op, .required = true, .choices = mi_caller_names),
    MI_KEY(struct op_desc, "attributes", MI_KEY_JSON, attributes),
    MI_KEY_WITH(struct op_desc, "output", MI_KEY_INT, output, MI_KEY_BETWEEN(0, MI_MAX_OUTPUTS - 1)),
    {0},
};

const struct mi_layer_type mi_layer_op = {
    .type = "op", .desc_size = sizeof(struct op_desc), .keys = keys, .min_inputs = 1, .max_inputs = MOST_INPUTS,
    .takes_any = true, .build = build, .stem = stem};

/* ---- From C ---- */

/* Whole numbers that JSON cannot hold say "to the end" (INT64_MAX), and so does the largest that it can. */
static double number_of(int64_t whole)
{
    double number = (double)whole;
    return number > MOST_WHOLE ? MOST_WHOLE : number < -MOST_WHOLE ? -MOST_WHOLE : number;
}

static cJSON *list_of(const int64_t *values, int count)
{
    cJSON *list = cJSON_CreateArray();
    for (int i = 0; i < count && list; i++) {
        cJSON *number = cJSON_CreateNumber(number_of(values[i]));
        if (!number || !cJSON_AddItemToArray(list, number)) {
            cJSON_Delete(number);
            cJSON_Delete(list);
            return NULL;
        }
    }
    return list;
}

/* What is missing, or too much, becomes null, which no attribute is. */
static cJSON *json_of(const mica_attribute *attribute)
{
    switch (attribute->type) {
    case MICA_ATTRIBUTE_INT:
        return cJSON_CreateNumber(number_of(attribute->i));
    case MICA_ATTRIBUTE_FLOAT:
        return cJSON_CreateNumber(isfinite(attribute->f) ? mi_json_number(attribute->f) : (double)attribute->f);
    case MICA_ATTRIBUTE_TEXT:
        return attribute->text ? cJSON_CreateString(attribute->text) : cJSON_CreateNull();
    case MICA_ATTRIBUTE_INTS:
        if ((attribute->ints || attribute->count == 0) && attribute->count >= 0 && attribute->count <= MOST_INTS)
            return list_of(attribute->ints, attribute->count);
    }
    return cJSON_CreateNull();
}

static cJSON *object_of(const mica_attribute *attributes, int count)
{
    cJSON *object = cJSON_CreateObject();
    for (int i = 0; i < count && object; i++) {
        cJSON *item = json_of(&attributes[i]);
        if (!item || !cJSON_AddItemToObject(object, attributes[i].name ? attributes[i].name : "", item)) {
            cJSON_Delete(item);
            cJSON_Delete(object);
            return NULL;
        }
    }
    return object;
}

mica_node *mica_op(mica_node *const *inputs, int count, const mica_op_desc *desc)
{
    mica_model *model = mi_layer_model(&mi_layer_op, inputs, count);
    const mica_op_desc none = {0}, *given = desc ? desc : &none;
    if (!model || model->error.status != MICA_OK)
        return NULL;
    if (given->attribute_count < 0 || (given->attribute_count && !given->attributes)) {
        mi_model_fail(model, MICA_INVALID_ARGUMENT, "op: %d attributes at %s", given->attribute_count,
                      given->attributes ? "an address" : "NULL");
        return NULL;
    }
    cJSON *attributes = given->attribute_count ? object_of(given->attributes, given->attribute_count) : NULL;
    if (given->attribute_count && !attributes) {
        mi_model_fail(model, MICA_OUT_OF_MEMORY, "the host is out of memory");
        return NULL;
    }
    mica_node *node = mi_layer_add_to(model, &mi_layer_op, inputs, count,
                                      &(struct op_desc){given->name, given->op, attributes, given->output});
    cJSON_Delete(attributes);
    return node;
}
