#include "support/ops.h"

#include "ops/equation.h"

#include <string.h>

/* Sums over every value of every letter, one by one. */
static void reference(const struct op_case *c, const struct tensor *in, struct tensor *out)
{
    struct mi_error error = {0};
    struct mi_equation equation;
    const struct mi_shape *shapes[MI_MOST_TERMS];
    struct mi_shape shape[MI_MOST_TERMS] = {{0}};
    struct mi_dim size[128];
    char letters[53] = "";
    int64_t at[128] = {0};
    int count = 0, operands = 0;
    for (; operands < MI_MOST_TERMS && c->in[operands].shape; operands++) {
        shape[operands].rank = in[operands].rank;
        for (int i = 0; i < in[operands].rank; i++)
            shape[operands].dim[i] = mi_fixed(in[operands].dim[i]);
        shapes[operands] = &shape[operands];
    }
    assert_int_equal(mi_equation_parse(&error, c->attribute[0].s, &equation), MICA_OK);
    assert_int_equal(mi_equation_fit(&error, &equation, shapes, operands, size), MICA_OK);
    for (int l = 0; l < 128; l++)
        if (size[l].a == 0)
            letters[count++] = (char)l;
    for (int64_t i = 0; i < out->count; i++)
        out->data[i] = 0;
    for (int l = 0; l < count; l++)
        if (size[(int)letters[l]].b == 0)
            return;
    for (int moved = 0; moved >= 0;) {
        double product = 1;
        int64_t place[MI_MAX_RANK];
        for (int k = 0; k < operands; k++) {
            for (int i = 0; i < equation.operand[k].count; i++)
                place[i] = at[(int)equation.operand[k].letter[i]];
            product *= in[k].data[tensor_offset(&in[k], place)];
        }
        for (int i = 0; i < equation.result.count; i++)
            place[i] = at[(int)equation.result.letter[i]];
        out->data[tensor_offset(out, place)] += product;
        for (moved = count - 1; moved >= 0 && ++at[(int)letters[moved]] == size[(int)letters[moved]].b; moved--)
            at[(int)letters[moved]] = 0;
    }
}

#define EQUATION(text) {MI_TEXT("equation", text)}

static void test_einsum(void **state)
{
    const struct op_case cases[] = {
        {"Einsum", {IN("n 5"), IN("5 7")}, EQUATION("ab,bc->ac"), .reference = reference},
        {"Einsum", {IN("n 3 5"), IN("5 2 7")}, EQUATION("abc,cde->abde"), .reference = reference},
        {"Einsum", {IN("n 3 2 5"), IN("2 5 7")}, EQUATION("btnh,nhd->btd"), .reference = reference},
        {"Einsum", {IN("n 3 2 5"), IN("5 2 7")}, EQUATION("btnh,hnd->bdt"), .reference = reference},
        {"Einsum", {IN("n 3 2 5"), IN("n 4 2 5")}, EQUATION("btnh,bsnh->bnts"), .reference = reference},
        {"Einsum", {IN("n 5 3"), IN("n 5 4")}, EQUATION("bka,bkc->bac"), .reference = reference},
        {"Einsum", {IN("n 3"), IN("n 4")}, EQUATION("ba,bc->bca"), .reference = reference},
        {"Einsum", {IN("n 3 4"), IN("n 3")}, EQUATION("bac,ba->b"), .reference = reference},
        {"Einsum", {IN("n 3 4"), IN("2 5")}, EQUATION("bac,de->ab"), .reference = reference},
    };
    OP_CHECK_ALL(state, cases);
}

static void test_one_and_several(void **state)
{
    const struct op_case cases[] = {
        {"Einsum", {IN("n 3 4")}, EQUATION("abc->cab"), .reference = reference},
        {"Einsum", {IN("n 3 4")}, EQUATION("abc->ca"), .reference = reference},
        {"Einsum", {IN("n 3 1")}, EQUATION(" a b c "), .reference = reference},
        {"Einsum", {IN("n 3"), IN("3 5"), IN("5 2")}, EQUATION("ab,bc,cd->ad"), .reference = reference},
        {"Einsum", {IN("n 3"), IN("n 4"), IN("3 4 5"), IN("5")}, EQUATION("na,nb,abc,c->n"), .reference = reference},
    };
    OP_CHECK_ALL(state, cases);
}

static void test_ellipsis(void **state)
{
    const struct op_case cases[] = {
        {"Einsum", {IN("n 3 5"), IN("5 7")}, EQUATION("...x,xy->...y"), .reference = reference},
        {"Einsum", {IN("n 5 3 2"), IN("5 7")}, EQUATION("ab...,bc->ac..."), .reference = reference},
        {"Einsum", {IN("n 1 3 5"), IN("4 5 2")}, EQUATION("...ij,...jk->...ik"), .reference = reference},
        {"Einsum", {IN("n 1 3"), IN("4 3")}, EQUATION("...i,...i"), .reference = reference},
        {"Einsum", {IN("n 3")}, EQUATION("...a->..."), .reference = reference},
    };
    OP_CHECK_ALL(state, cases);
}

/* ---- What an equation may not say ---- */

static void test_mistakes(void **state)
{
    static const struct {
        const char *equation, *says;
    } cases[] = {
        {"ab;bc->ac", "equation \"ab;bc->ac\": ';' is no letter; it is written as \"abc,cd->abd\""},
        {"ab,bc-ac", "an arrow is written ->"},
        {"ab,bc->ac->", "behind the arrow stands one term"},
        {"aa,ab->b", "a stands twice in one term"},
        {"ab,bc->ad", "the result has d, and no operand does"},
        {"ab,bc->...ac", "the result has \"...\", and no operand does"},
        {"..a,ab->b", "a term has \"...\" once at most, and three dots"},
        {"...a...,ab->b", "a term has \"...\" once at most, and three dots"},
        {"a,b,c,d,e->a", "it has more than 4 operands"},
        {"abcdefghi,a->b", "a term has more than 8 letters"},
        {"ab,bc,cd->ad", "it has 3 operands, there are 2"},
        {"abc,cd->ad", "operand 0 has 2 dimensions, its term names 3"},
        {"a,bc->ab", "operand 0 has 2 dimensions, its term names 1"},
        {"...abc,cd->ad", "operand 0 has 2 dimensions, its term names at least 3"},
        {"ab,ac->bc", "a has 3 elements in one operand and 5 in another"},
        {"...,...->...", "\"...\" stands for axes of 4 and 6 elements"},
    };
    (void)state;
    const struct mi_shape x = {.rank = 2, .dim = {mi_fixed(3), mi_fixed(4)}}, y = {.rank = 2, .dim = {mi_fixed(5), mi_fixed(6)}};
    for (size_t i = 0; i < MI_COUNT(cases); i++) {
        struct mi_error error = {0};
        struct mi_equation equation;
        struct mi_dim size[128];
        if (mi_equation_parse(&error, cases[i].equation, &equation) == MICA_OK)
            mi_equation_fit(&error, &equation, (const struct mi_shape *const[]){&x, &y}, 2, size);
        if (!strstr(error.text, cases[i].says))
            fail_msg("%s: \"%s\", not \"%s\"", cases[i].equation, error.text, cases[i].says);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_einsum),
        cmocka_unit_test(test_one_and_several),
        cmocka_unit_test(test_ellipsis),
        cmocka_unit_test(test_mistakes),
    };
    return cmocka_run_group_tests_name("einsum", tests, op_devices_open, op_devices_close);
}
