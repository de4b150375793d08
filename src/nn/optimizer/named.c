/* Which parameters are trained and grouped: a pattern that names none is a mistake. */
#include "nn/optimizer/optimizer.h"

#include <stdlib.h>
#include <string.h>

static mica_status check_patterns(struct mi_error *error, const mica_model *model, const char *place, const char *patterns,
                                  bool statistics)
{
    char pattern[80];
    mica_status status = MICA_OK;
    const char **names = mi_new(model->variables.count + 1, sizeof *names);
    if (!names)
        return mi_out_of_memory(error);
    size_t count = 0;
    for (size_t i = 0; i < model->variables.count; i++) {
        const struct mi_variable *variable = model->variables.list[i];
        if (variable->role == MI_PARAMETER || (statistics && variable->role == MI_STATISTIC))
            names[count++] = variable->name;
    }
    names[count] = NULL;
    if (patterns && !patterns[strspn(patterns, ", ")])
        status = mi_fail(error, MICA_INVALID_ARGUMENT, "%s: names no parameter%s", place, mi_list(names).text);
    else if (mi_name_unmatched(patterns, names, pattern, sizeof pattern))
        status = mi_fail(error, MICA_INVALID_ARGUMENT, "%s: no parameter is called \"%s\"%s", place,
                         mi_show(pattern).text, mi_advise(pattern, names).text);
    free(names);
    return status;
}

mica_status mi_optimizer_check_names(struct mi_error *error, const mica_model *model, const struct mi_optimizer *optimizer,
                                     const char *train)
{
    char place[40];
    MI_TRY(check_patterns(error, model, "train", train, true));
    for (int i = 0; i < optimizer->group_count; i++) {
        mi_format(place, sizeof place, "optimizer.groups[%d]", i);
        MI_TRY(check_patterns(error, model, place, optimizer->groups[i].variables, false));
    }
    return MICA_OK;
}
