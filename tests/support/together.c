/* Cases side by side in one graph. Maps join the kernel that makes one of their inputs, so all are made to start from the same
 * one: a map of zeros, which is added to their inputs. */
#include "support/ops.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A kernel takes so many values: those it reads, and those of its nodes; forwards and backwards. */
enum { VALUES = 32 };

static mi_value *start_from(struct mi_graph *graph, mi_value *zeros, mi_value *x)
{
    return x->type == MI_FLOAT && mi_shape_equal(&x->shape, &zeros->shape) ? mi_op2(graph, "Add", zeros, x) : x;
}

static mi_value *build(struct mi_graph *graph, mi_value *const *in, const struct op_case *c)
{
    mi_value *y[OP_PARTS], *own[OP_INPUTS];
    mi_value *zeros = mi_op1(graph, "Neg", in[c->parts->inputs]);
    const struct mi_attribute axis = MI_INT("axis", 1);
    char name[16];
    for (int k = 0; k < c->parts->count; k++) {
        struct op_part *part = &c->parts->part[k];
        for (int i = 0; i < part->inputs; i++)
            own[i] = start_from(graph, zeros, in[part->input + i]);
        y[k] = op_apply(graph, own, part->inputs, part->c);
        if (!y[k])
            return NULL;
        if (y[k]->shape.rank == 0 || y[k]->shape.dim[0].a != 1 || y[k]->shape.dim[0].b != 0)
            fail_msg("%s has shape %s, only what leads with n fits beside others", part->c->op,
                     mi_shape_text(&graph->arena, &y[k]->shape));
        part->type = y[k]->type;
        part->shape = y[k]->shape;
        part->width = mi_shape_count(&y[k]->shape, 1);
        snprintf(name, sizeof name, "y%d", k);
        y[k] = mi_output(graph, name, y[k]);
        if (part->type != MI_FLOAT)
            y[k] = MI_APPLY(graph, "Cast", ((mi_value *[]){y[k]}), MI_INT("to", MI_FLOAT));
        y[k] = mi_apply(graph, "Flatten", &y[k], 1, &axis, 1);
    }
    return mi_apply(graph, "Concat", y, c->parts->count, &axis, 1);
}

static void reference(const struct op_case *c, const struct tensor *in, struct tensor *out)
{
    int64_t first = 0, n = out->dim[0], columns = out->dim[1];
    for (int k = 0; k < c->parts->count; k++) {
        const struct op_part *part = &c->parts->part[k];
        struct tensor own;
        tensor_create(&own, part->type, &part->shape, n);
        op_evaluate(part->c, in + part->input, &own);
        for (int64_t i = 0; i < own.count; i++)
            out->data[i / part->width * columns + first + i % part->width] = own.data[i];
        free(own.data);
        first += part->width;
    }
}

/* False: it does not fit in. */
static bool add(struct op_case *all, const struct op_case *c, int *values)
{
    struct op_parts *parts = all->parts;
    int inputs = 0;
    while (inputs < OP_INPUTS && c->in[inputs].shape)
        inputs++;
    int more = 2 * inputs + 1 + (c->no_gradient ? 0 : 3 * inputs);
    if (parts->count == OP_PARTS || parts->inputs + inputs >= OP_INPUTS || (parts->count && *values + more > VALUES))
        return false;
    *values += more;
    parts->part[parts->count++] = (struct op_part){.c = c, .input = parts->inputs, .inputs = inputs};
    for (int i = 0; i < inputs; i++) {
        struct op_input *in = &all->in[parts->inputs++];
        *in = c->in[i];
        in->no_gradient = in->no_gradient || c->no_gradient;
    }
    return true;
}

/* The cases from the first on that fit side by side; how many. */
static size_t put_together(struct op_case *all, struct op_parts *parts, const struct op_case *cases, size_t count)
{
    const char *sizes = cases[0].in[0].shape;
    int values = 2;
    size_t taken = 0;
    *parts = (struct op_parts){0};
    *all = (struct op_case){.op = cases[0].op, .build = build, .reference = reference, .parts = parts};
    for (int k = 0; k < OP_INPUTS && cases[0].in[k].shape; k++)
        if (strlen(cases[0].in[k].shape) > strlen(sizes))
            sizes = cases[0].in[k].shape;
    while (taken < count && add(all, &cases[taken], &values))
        taken++;
    all->in[parts->inputs] =
        (struct op_input){.shape = sizes, .high = 1e-60, .no_gradient = true}; /* zeros, as float32 has them */
    return taken;
}

void op_check_together(void **state, const struct op_case *cases, size_t count)
{
    struct op_case *all = mi_new(count, sizeof *all);
    struct op_parts *parts = mi_new(count, sizeof *parts);
    size_t groups = 0;
    assert_true(all && parts);
    for (size_t i = 0; i < count; groups++)
        i += put_together(&all[groups], &parts[groups], cases + i, count - i);
    op_check_all(state, all, groups);
    free(all);
    free(parts);
}
