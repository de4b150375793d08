/* Every schedule, one a line; nothing else lists them. */
#include "nn/schedule/schedule.h"

#define SCHEDULES(X)                                                                                                             \
    X(constant)                                                                                                                  \
    X(piecewise_constant_decay)                                                                                                  \
    X(step_decay)                                                                                                                \
    X(exponential_decay)                                                                                                         \
    X(inverse_time_decay)                                                                                                        \
    X(polynomial_decay)                                                                                                          \
    X(cosine_decay)                                                                                                              \
    X(cosine_decay_restarts)                                                                                                     \
    X(one_cycle)

#define DECLARE(name) extern const struct mi_schedule_row mi_schedule_##name;
SCHEDULES(DECLARE)

#define LIST(name) &mi_schedule_##name,
const struct mi_schedule_row *const mi_schedule_rows[] = {SCHEDULES(LIST) NULL};
