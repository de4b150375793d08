/* Every map, and every derivative of one, ahead of every kind of operator that may compute it in passing: fused, and with a kernel
 * for each node. */
#include "plan/inside.h"
#include "support/network.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 3, INPUTS = 8, MOST_MAPS = 256, TOGETHER = 8, MOST_OUTPUTS = 64 };

#define LIST(name, ...) MI_INTS(name, ((int64_t[]){__VA_ARGS__}), (int)MI_COUNT(((int64_t[]){__VA_ARGS__})))

/* What the maps' results go through: one operator, and its attributes. Of two whose kernels are loops of one kind, each has every
 * second sum of maps. */
struct follower {
    const char *name, *op;
    struct mi_attribute attribute[4];
    enum { ALL, EVEN, ODD } has;
};

/* ---- The maps ---- */

/* What a map may be given: its first inputs are of another type, and every second one is broadcast. */
struct given {
    int others;
    bool ints, broadcasts;
};

struct sources {
    mi_value *x, *z, *b, *k; /* floats, fewer floats, truth values, integers */
};

static struct mi_node *map_add(struct mi_graph *graph, const struct mi_op *op, const struct sources *s, const struct given *given)
{
    mi_value *in[INPUTS];
    /* Whatever some map asks for; some are of maps inside pools and losses. */
    const struct mi_attribute asked[] = {
        MI_INT("to", MI_FLOAT), MI_INT("axis", 1), MI_REAL("rate", 0.25f), MI_REAL("momentum", 0.5f), MI_REAL("epsilon", 0.125f),
        MI_INT("inner", 1), MI_INT("size", 5), MI_INT("stride", 1), MI_INT("dilation", 1), MI_INT("kernel_size", 2),
        MI_INT("low", 1), MI_INT("high", 5), MI_INT("window", 4), MI_INT("b0", 0), MI_INT("b1", 0), MI_INT("b2", 0),
        MI_INT("s0", 1), MI_INT("s1", 1), MI_INT("s2", 1), MI_INT("k1", 2), MI_INT("k2", 2),
        MI_INT("ignores", 1), MI_INT("ignored", 2), MI_INT("per_n", 1), MI_INT("fixed", 1),
        MI_INT("n0", 4), MI_INT("m0", 3), MI_INT("n1", 5), MI_INT("m1", 2), MI_INT("n2", 1), MI_INT("m2", 1),
        MI_REAL("dropped", -1), MI_REAL("stddev", 0.5f), MI_REAL("factor", 2), MI_REAL("shift", 0.5f)};
    for (int i = 0; i < op->min_inputs; i++) {
        mi_value *real = given->broadcasts && i % 2 ? s->z : s->x;
        in[i] = i >= given->others ? real : given->ints ? s->k : s->b;
    }
    return mi_node_add(graph, op->name, in, op->min_inputs, asked, (int)MI_COUNT(asked));
}

static bool takes(const struct mi_op *op, const struct given *given)
{
    struct mi_graph *graph = mi_graph_create(mi_ops, NULL);
    struct mi_shape shape = network_shape("n 3 4 5"), less = network_shape("3 1 5");
    struct sources s = {mi_input(graph, "x", MI_FLOAT, &shape), mi_input(graph, "z", MI_FLOAT, &less),
                        mi_input(graph, "b", MI_BOOL, &shape), mi_input(graph, "k", MI_INT32, &shape)};
    bool taken = map_add(graph, op, &s, given) != NULL && graph->error.status == MICA_OK;
    mi_graph_destroy(graph);
    return taken;
}

static struct given given_to(const struct mi_op *op)
{
    for (int way = 0; way < 4; way++)
        for (int others = 0; others <= op->min_inputs; others++) {
            struct given given = {others, way & 1, way < 2};
            if (takes(op, &given))
                return given;
        }
    fail_msg("%s takes none of what there is", op->name);
    return (struct given){0};
}

static mi_value *as_float(struct mi_graph *graph, mi_value *value)
{
    return value->type == MI_FLOAT ? value : MI_APPLY(graph, "Cast", ((mi_value *[]){value}), MI_INT("to", MI_FLOAT));
}

/* Maps that say nothing of the tensors here: one is NaN unless its first input is 0, one makes numbers of 64 bits beside which
 * nothing is left of the others in a sum of floats, one is of eight axes, and two divide whole numbers by what may be 0. */
static bool is_left_out(const struct mi_op *op)
{
    return op == &mi_op_derivative || op == &mi_op_LossScale || op == &mi_op_HashBin || op == &mi_op_SelectInShare ||
           op == &mi_op_UpdateCount || op == &mi_op_KeepUntil;
}

/* Fills the list with every map's result and every derivative of one; how many. */
static int maps_add(struct mi_graph *graph, const struct sources *s, mi_value **list)
{
    int count = 0;
    for (const struct mi_op *const *op = mi_ops; *op; op++) {
        if ((*op)->kind != MI_MAP || (*op)->min_inputs > INPUTS || is_left_out(*op))
            continue;
        struct given given = given_to(*op);
        struct mi_node *node = map_add(graph, *op, s, &given);
        int slopes = (*op)->gradient || node->out[0]->type != MI_FLOAT ? 0 : (int)MI_COUNT((*op)->map->grad);
        assert_true(count + slopes < MOST_MAPS);
        list[count++] = as_float(graph, node->out[0]);
        for (int i = given.others; i < node->inputs && i < slopes; i++) {
            mi_value *slope = mi_map_slope(node, s->x, i);
            if (slope && slope != s->x)
                list[count++] = slope;
        }
    }
    return count;
}

/* ---- The graph ---- */

static mi_value *follow(struct network *net, const struct follower *f, mi_value *value, mi_value *beside, mi_value *weight)
{
    int attributes = 0;
    mi_value *in[] = {value, strcmp(f->op, "Conv") == 0 ? weight : beside};
    while (attributes < (int)MI_COUNT(f->attribute) && f->attribute[attributes].name)
        attributes++;
    bool two = in[1] == weight || strcmp(f->op, "Concat") == 0;
    return mi_apply(net->graph, f->op, in, two ? 2 : 1, f->attribute, attributes);
}

/* Sums of some results each, so that kernels are few. */
static int build(struct network *net, const struct follower *f)
{
    mi_value *list[MOST_MAPS], *sum = NULL;
    struct sources s = {network_input(net, "x", "n 3 4 5", MI_FLOAT), network_input(net, "z", "3 1 5", MI_FLOAT),
                        network_input(net, "b", "n 3 4 5", MI_BOOL), network_input(net, "k", "n 3 4 5", MI_INT32)};
    mi_value *weight = network_weight(net, "w", "2 3 3 3", 1);
    int sums = 0, count = maps_add(net->graph, &s, list);
    for (int i = 0; i < count; i++) {
        char name[16];
        if (f->has != ALL && f->has != (i / TOGETHER % 2 ? ODD : EVEN))
            continue;
        mi_value *wide = mi_op2(net->graph, "Add", list[i], mi_op2(net->graph, "Mul", s.x, mi_scalar(net->graph, 0)));
        mi_value *followed = follow(net, f, wide, s.x, weight);
        sum = sum ? mi_op2(net->graph, "Add", sum, followed) : followed;
        if (!sum)
            fail_msg("%s: %s", f->name, net->graph->error.text);
        if (i % TOGETHER < TOGETHER - 1 && i < count - 1)
            continue;
        snprintf(name, sizeof name, "y%d", sums++);
        mi_output(net->graph, name, sum);
        sum = NULL;
    }
    assert_true(sums <= MOST_OUTPUTS);
    return sums;
}

static int run(mica_device *device, const struct follower *f, bool no_fusion, float **y, size_t *sizes)
{
    struct network net;
    enum { ELEMENTS = BATCH * 60 };
    float x[ELEMENTS], z[15];
    uint8_t b[ELEMENTS];
    int32_t k[ELEMENTS];
    for (int i = 0; i < ELEMENTS; i++) {
        x[i] = 0.0625f + (float)(i * 37 % 101) / 128; /* where every map is finite */
        b[i] = i % 3 == 0;
        k[i] = i % 3;
    }
    for (int i = 0; i < 15; i++)
        z[i] = 0.125f + (float)i / 32;
    network_begin(&net, device);
    int sums = build(&net, f);
    network_compile(&net, BATCH, &(struct mi_plan_desc){.no_fusion = no_fusion});
    network_feed(&net, "x", x, BATCH);
    network_feed(&net, "z", z, BATCH);
    network_feed(&net, "b", b, BATCH);
    network_feed(&net, "k", k, BATCH);
    network_step(&net, BATCH, 3);
    for (int i = 0; i < sums; i++) {
        char name[16];
        snprintf(name, sizeof name, "y%d", i);
        y[i] = network_fetch(&net, name, BATCH, &sizes[i]);
    }
    network_end(&net);
    return sums;
}

static void test_before_others(void **state)
{
    const struct follower followers[] = {
        {"max pool", "MaxPool", {LIST("kernel_shape", 2, 2), LIST("strides", 2, 2)}, EVEN},
        {"overlapping max pool", "MaxPool", {LIST("kernel_shape", 3, 3), LIST("pads", 1, 1, 1, 1)}, ODD},
        {"global average pool", "GlobalAveragePool", {{0}}, EVEN},
        {"pad", "Pad", {LIST("pads", 0, 0, 1, 0, 0, 0, 0, 2), MI_REAL("fill", 0.5f)}, EVEN},
        {"slice", "Slice", {LIST("starts", 1, 4), LIST("ends", 4, -9), LIST("axes", 2, 3), LIST("steps", 2, -1)}, ODD},
        {"softmax", "Softmax", {MI_INT("axis", 1)}, ALL},
        {"largest", "ReduceMax", {LIST("axes", 2, 3)}, ODD},
        {"convolution", "Conv", {LIST("pads", 1, 1, 1, 1)}, ALL},
        {"join", "Concat", {MI_INT("axis", 3)}, ALL},
    };
    for (size_t i = 0; i < MI_COUNT(followers); i++) {
        float *fused[MOST_OUTPUTS], *apart[MOST_OUTPUTS];
        size_t sizes[MOST_OUTPUTS];
        int sums = run(*state, &followers[i], false, fused, sizes);
        assert_int_equal(run(*state, &followers[i], true, apart, sizes), sums);
        for (int s = 0; s < sums; s++) {
            for (size_t e = 0; e < sizes[s]; e++)
                if (!isfinite(apart[s][e]))
                    fail_msg("%s: sum %d is %g", followers[i].name, s, (double)apart[s][e]);
            assert_near(followers[i].name, fused[s], apart[s], sizes[s], 1e-5);
            free(fused[s]);
            free(apart[s]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_before_others)};
    return cmocka_run_group_tests_name("maps", tests, open_device, close_device);
}
