/* Whether floats tell the values of each feature apart: times and identifiers are large numbers that differ by little. */
#include "formats/formats.h"

#include <math.h>
#include <stdlib.h>

bool mi_spread_create(struct mi_spread *spread, size_t features)
{
    double *memory = mi_new(features, 3 * sizeof *memory);
    *spread = (struct mi_spread){.features = features, .least = memory};
    if (!memory)
        return false;
    spread->most = memory + features;
    spread->lost = memory + 2 * features;
    for (size_t i = 0; i < features; i++) {
        spread->least[i] = (double)INFINITY;
        spread->most[i] = -(double)INFINITY;
    }
    return true;
}

void mi_spread_destroy(struct mi_spread *spread)
{
    free(spread->least);
    *spread = (struct mi_spread){0};
}

void mi_spread_add(struct mi_spread *spread, const double *row)
{
    for (size_t i = 0; i < spread->features; i++) {
        double x = row[i], lost = fabs(x - (double)(float)x);
        if (isnan(x))
            continue;
        spread->least[i] = x < spread->least[i] ? x : spread->least[i];
        spread->most[i] = x > spread->most[i] ? x : spread->most[i];
        spread->lost[i] = lost > spread->lost[i] ? lost : spread->lost[i];
    }
}

/* A float may lose a small part of what a feature's values differ by; for a model, of what it divides them by. */
bool mi_spread_needs_doubles(const struct mi_spread *spread, const struct mi_preprocess *fitted)
{
    const double part = 1.0 / (1 << 22);
    size_t run = fitted && fitted->count ? spread->features / (size_t)fitted->count : 0;
    for (size_t i = 0; i < spread->features; i++) {
        double scale = run ? fabs(fitted->divide[i / run]) : spread->most[i] - spread->least[i];
        if (spread->lost[i] > 0 && !(spread->lost[i] <= part * scale))
            return true;
    }
    return false;
}
