/* Tensors and attributes of the references. */
#include "support/ops.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Tensors ---- */

void tensor_create(struct tensor *t, enum mi_type type, const struct mi_shape *shape, int64_t n)
{
    *t = (struct tensor){.type = type, .rank = shape->rank, .count = mi_shape_count(shape, n)};
    for (int i = 0; i < shape->rank; i++)
        t->dim[i] = mi_dim_at(shape->dim[i], n);
    assert_true(t->count >= 0);
    t->data = mi_new((size_t)t->count, sizeof *t->data);
    assert_non_null(t->data);
}

bool tensor_next(const struct tensor *t, int64_t *at)
{
    for (int i = t->rank - 1; i >= 0; i--) {
        if (++at[i] < t->dim[i])
            return true;
        at[i] = 0;
    }
    return false;
}

int64_t tensor_offset(const struct tensor *t, const int64_t *at)
{
    int64_t offset = 0;
    for (int i = 0; i < t->rank; i++)
        offset = offset * t->dim[i] + at[i];
    return offset;
}

double tensor_broadcast(const struct tensor *t, int rank, const int64_t *at)
{
    int64_t own[MI_MAX_RANK];
    for (int i = 0; i < t->rank; i++)
        own[i] = t->dim[i] == 1 ? 0 : at[rank - t->rank + i];
    return t->data[tensor_offset(t, own)];
}

/* Random elements, as float32 has them, so that the device and the reference see the same numbers. */
void tensor_fill(struct tensor *t, const struct op_input *input, uint64_t stream)
{
    double low = input->low, high = input->high;
    bool integer = mi_type_is_integer(t->type);
    if (low == 0 && high == 0 && !integer) {
        low = -2;
        high = 2;
    }
    for (int64_t i = 0; i < t->count; i++) {
        double u = (double)mi_uniform(77, stream, (uint64_t)i);
        double value = integer ? floor(low + u * (high - low + 1)) : low + u * (high - low);
        t->data[i] = integer ? value : (double)(float)value;
        if (i < input->firsts)
            t->data[i] = input->first[i];
    }
}

/* ---- Attributes, for references ---- */

static const struct mi_attribute *find_attribute(const struct op_case *c, const char *name)
{
    for (int i = 0; i < OP_ATTRIBUTES && c->attribute[i].name; i++)
        if (strcmp(c->attribute[i].name, name) == 0)
            return &c->attribute[i];
    return NULL;
}

int64_t op_int(const struct op_case *c, const char *name, int64_t otherwise)
{
    const struct mi_attribute *attribute = find_attribute(c, name);
    return attribute ? attribute->i : otherwise;
}

double op_float(const struct op_case *c, const char *name, double otherwise)
{
    const struct mi_attribute *attribute = find_attribute(c, name);
    return attribute ? (double)attribute->f : otherwise;
}

const int64_t *op_ints(const struct op_case *c, const char *name, int *count)
{
    const struct mi_attribute *attribute = find_attribute(c, name);
    *count = attribute ? attribute->count : 0;
    return attribute ? attribute->ints : NULL;
}
