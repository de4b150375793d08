/* Values whose variance is scale / n, n being what goes into a unit (fan_in), what comes out (fan_out), or the mean of both:
 * LeCun et al. 1998, Glorot and Bengio 2010, He et al. 2015. */
#include "nn/initializer/initializer.h"

#include <math.h>
#include <string.h>

const char *const mi_variance_modes[] = {"fan_in", "fan_out", "fan_avg", NULL};
const char *const mi_variance_distributions[] = {"truncated_normal", "untruncated_normal", "uniform", NULL};

/* What a distribution draws with, and how many standard deviations its second number is. */
static const struct {
    mi_draw *draw;
    double deviations;
    bool symmetric;                  /* the first number is minus the second; else 0 */
} distributions[] = {
    {mi_draw_truncated_normal, 1 / 0.87962566103423978, false}, /* the deviation of a normal number cut at two of its own */
    {mi_draw_normal, 1, false},
    {mi_draw_uniform, 1.7320508075688772, true},
};

/* The place of a name in a list, where NULL is the first. */
static mica_status find(struct mi_error *error, const char *key, const char *name, const char *const *names, int *place)
{
    *place = 0;
    while (name && names[*place] && strcmp(names[*place], name))
        ++*place;
    if (names[*place])
        return MICA_OK;
    return mi_fail(error, MICA_INVALID_ARGUMENT, "there is no %s \"%s\"%s", key, mi_show(name).text, mi_advise(name, names).text);
}

static mica_status set(struct mi_error *error, const struct mi_initializer_row *row, const struct mi_initializer_use *use,
                       struct mi_initial *out)
{
    int mode, kind;
    double scale = row->number > 0 ? (double)row->number : use->given->scale > 0 ? (double)use->given->scale : 1;
    MI_TRY(find(error, "mode", row->mode ? row->mode : use->given->mode, mi_variance_modes, &mode));
    MI_TRY(find(error, "distribution", row->distribution ? row->distribution : use->given->distribution,
                mi_variance_distributions, &kind));
    const double fans[] = {use->fan_in, use->fan_out, (use->fan_in + use->fan_out) / 2};
    double deviation = sqrt(scale / (fans[mode] > 1 ? fans[mode] : 1));
    out->draw = distributions[kind].draw;
    out->high = (float)(deviation * distributions[kind].deviations);
    out->low = distributions[kind].symmetric ? -out->high : 0;
    return MICA_OK;
}

#define ROW(id, ...)                                                                                                             \
    const struct mi_initializer_row mi_initializer_##id = {.name = #id, .set = set, __VA_ARGS__}
ROW(variance_scaling, .number = 0);
ROW(glorot_uniform, .number = 1, .mode = "fan_avg", .distribution = "uniform");
ROW(glorot_normal, .number = 1, .mode = "fan_avg", .distribution = "truncated_normal");
ROW(he_uniform, .number = 2, .mode = "fan_in", .distribution = "uniform");
ROW(he_normal, .number = 2, .mode = "fan_in", .distribution = "truncated_normal");
ROW(lecun_uniform, .number = 1, .mode = "fan_in", .distribution = "uniform");
ROW(lecun_normal, .number = 1, .mode = "fan_in", .distribution = "truncated_normal");
