/* A line for each epoch in a file. */
#include "train/fit.h"

#include <math.h>

enum { APPEND };

static const struct mi_number numbers[] = {[APPEND] = {"append", .otherwise = 0, .most = 1, .flag = true}, {0}};

enum { SIZE }; /* bytes of the file that are this training's, and what was before it */

static mica_status begin(struct mi_callback *callback)
{
    uint64_t size = callback->resumed ? mi_callback_bytes(callback->state[SIZE]) : 0;
    uint64_t there = mi_file_size(callback->given->path);
    if (size > there || (!callback->resumed && callback->value[APPEND] > 0))
        size = there;
    callback->state[SIZE] = (double)size;
    return mi_file_append(mi_callback_error(callback), callback->given->path, size, NULL, 0);
}

/* A score that is a matrix has no number. */
static bool is_shown(const mica_scores *scores, int i)
{
    int count;
    (void)mica_scores_parts(scores, mica_scores_name(scores, i), &count);
    return count <= 1;
}

static void add_number(struct mi_text *text, const char *separator, double number)
{
    mi_text_add(text, isnan(number) ? "%sNA" : "%s%.9g", separator, number);
}

static void add_header(struct mi_text *text, const char *separator, const mica_scores *scores)
{
    mi_text_add(text, "epoch");
    for (int i = 0; i < mica_scores_count(scores); i++)
        if (is_shown(scores, i))
            mi_text_add(text, "%s%s", separator, mica_scores_name(scores, i));
    mi_text_add(text, "%slearning_rate%sseconds\n", separator, separator);
}

static mica_status epoch(struct mi_callback *callback)
{
    const mica_progress *now = &callback->training->now;
    const char *separator = callback->given->separator ? callback->given->separator : ",";
    struct mi_text text = {0};
    if (callback->state[SIZE] <= 0)
        add_header(&text, separator, now->scores);
    mi_text_add(&text, "%d", now->epoch);
    for (int i = 0; i < mica_scores_count(now->scores); i++)
        if (is_shown(now->scores, i))
            add_number(&text, separator, mica_scores_value(now->scores, i));
    add_number(&text, separator, mi_json_number(now->learning_rate));
    mi_text_add(&text, "%s%.3f\n", separator, now->seconds);
    mica_status status = text.failed ? mi_out_of_memory(mi_callback_error(callback))
                                     : mi_file_append(mi_callback_error(callback), callback->given->path,
                                                      mi_callback_bytes(callback->state[SIZE]), text.data, text.size);
    callback->state[SIZE] += status == MICA_OK ? (double)text.size : 0;
    mi_text_destroy(&text);
    return status;
}

const struct mi_callback_row mi_callback_csv_logger = {
    .name = "csv_logger", .numbers = numbers, .begin = begin, .epoch = epoch,
    .keys = (const struct mi_key[]){MI_CALLBACK_PATH("filename"), MI_KEY(mica_callback, "separator", MI_KEY_TEXT, separator),
                                    MI_CALLBACK_NUMBERS(numbers), {0}}};
