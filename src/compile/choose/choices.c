/* A list of choices, its text, and the key of a problem. A text is nobody's word: every line is checked. */
#include "compile/choose/choices.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_LINE "mica choices 1"
enum { MOST_LINES = 100000, LONGEST_WORD = 4096 };

/* ---- The list ---- */

void mi_choices_destroy(struct mi_choices *choices)
{
    for (size_t i = 0; i < choices->count; i++)
        free(choices->list[i].problem);
    free(choices->list);
    *choices = (struct mi_choices){0};
}

static size_t place_of(const struct mi_choices *choices, const char *problem, bool *found)
{
    size_t low = 0, high = choices->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(choices->list[middle].problem, problem) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *found = low < choices->count && strcmp(choices->list[low].problem, problem) == 0;
    return low;
}

const struct mi_known_choice *mi_choices_find(const struct mi_choices *choices, const char *problem)
{
    bool found;
    size_t place = place_of(choices, problem, &found);
    return found ? &choices->list[place] : NULL;
}

bool mi_choices_set(struct mi_choices *choices, const char *problem, const struct mi_choice *choice, double microseconds)
{
    bool found;
    size_t place = place_of(choices, problem, &found);
    if (!found) {
        char *copy = mi_strdup(problem);
        if (!copy || !mi_grow(&choices->list, &choices->capacity, choices->count + 1, sizeof *choices->list)) {
            free(copy);
            return false;
        }
        memmove(choices->list + place + 1, choices->list + place, (choices->count - place) * sizeof *choices->list);
        choices->list[place].problem = copy;
        choices->count++;
    }
    choices->list[place].choice = *choice;
    choices->list[place].microseconds = microseconds;
    return true;
}

/* ---- Writing ---- */

void mi_choices_device(const mica_device *device, struct mi_text *text)
{
    const mica_device_info *info = &device->info;
    size_t first = text->size;
    mi_text_add(text, "device %s; driver %s; platform %s; kernels %s%d; units %u; local %llu; group %llu; mica %s", info->name,
                info->driver, info->platform, device->is_cpu ? "cpu" : "gpu", device->vector_width, (unsigned)info->compute_units,
                (unsigned long long)info->local_memory_bytes, (unsigned long long)info->largest_work_group, mica_version());
    for (size_t i = first; i < text->size; i++)
        if ((unsigned char)text->data[i] < ' ')
            text->data[i] = ' '; /* a driver's name must not break the line */
}

void mi_choices_write(const struct mi_choices *choices, const mica_device *device, struct mi_text *text)
{
    mi_text_add(text, FIRST_LINE "\n");
    mi_choices_device(device, text);
    mi_text_add(text, "\n");
    for (int k = 0; k < MI_CLBLAST_KERNELS; k++) {
        const struct mi_clblast_kernel *kernel = mi_clblast_kernel(k);
        if (!choices->clblast[k].known)
            continue;
        mi_text_add(text, "clblast %s", kernel->name);
        for (int i = 0; i < kernel->count; i++)
            mi_text_add(text, " %s=%d", kernel->names[i], (int)choices->clblast[k].values.number[i]);
        mi_text_add(text, "\n");
    }
    for (size_t i = 0; i < choices->count; i++) {
        const struct mi_known_choice *known = &choices->list[i];
        mi_text_add(text, "%s %s", known->problem, known->choice.engine->name);
        for (int k = 0; k < MI_VARIANT_NUMBERS; k++)
            mi_text_add(text, " %d", (int)known->choice.variant.number[k]);
        if (known->microseconds < 0)
            mi_text_add(text, " -\n");
        else
            mi_text_add(text, " %lld\n", (long long)(known->microseconds + 0.5));
    }
}

/* ---- Reading ---- */

static const struct mi_engine *find_engine(const char *name, size_t size)
{
    for (const struct mi_engine *const *engine = mi_engines; *engine; engine++)
        if (strlen((*engine)->name) == size && memcmp((*engine)->name, name, size) == 0)
            return *engine;
    return NULL;
}

/* The next word of the line; NULL: there is none. */
static const char *next_word(const char **at, const char *end, size_t *size)
{
    const char *start = *at;
    while (start < end && *start == ' ')
        start++;
    const char *stop = start;
    while (stop < end && *stop != ' ')
        stop++;
    *at = stop;
    *size = (size_t)(stop - start);
    return *size ? start : NULL;
}

/* A whole number of at most nine digits. */
static bool read_number(const char *word, size_t size, int32_t *out)
{
    bool negative = size > 1 && *word == '-';
    int32_t value = 0;
    if (!word || !size || size - negative > 9)
        return false;
    for (size_t i = negative; i < size; i++) {
        if (word[i] < '0' || word[i] > '9')
            return false;
        value = value * 10 + (word[i] - '0');
    }
    *out = negative ? -value : value;
    return true;
}

static bool is_word(const char *word, size_t size, const char *wanted)
{
    return word && strlen(wanted) == size && memcmp(word, wanted, size) == 0;
}

/* What is wrong with CLBlast's parameters, or NULL. */
static const char *read_clblast(struct mi_choices *choices, const mica_device *device, const char *line,
                                const char *end)
{
    size_t size;
    const char *word = next_word(&line, end, &size);
    int which = 0;
    while (which < MI_CLBLAST_KERNELS && !is_word(word, size, mi_clblast_kernel(which)->name))
        which++;
    if (which == MI_CLBLAST_KERNELS)
        return "CLBlast has no kernel of that name";
    const struct mi_clblast_kernel *kernel = mi_clblast_kernel(which);
    struct mi_clblast_values values = {{0}};
    for (int i = 0; i < kernel->count; i++) {
        size_t name = strlen(kernel->names[i]);
        word = next_word(&line, end, &size);
        if (!word || size <= name || !is_word(word, name, kernel->names[i]) || word[name] != '=' ||
            !read_number(word + name + 1, size - name - 1, &values.number[i]))
            return "a parameter of CLBlast is missing or none";
    }
    if (next_word(&line, end, &size))
        return "something follows the parameters";
    if (!mi_clblast_fits(device, which, &values))
        return "the device cannot run CLBlast with these parameters";
    choices->clblast[which].known = true;
    choices->clblast[which].values = values;
    return NULL;
}

/* What is wrong with a line, or NULL. */
static const char *read_line(struct mi_choices *choices, const mica_device *device, const char *line, const char *end)
{
    size_t problem_size, size;
    struct mi_choice choice = {0};
    int32_t microseconds = -1;
    const char *problem = next_word(&line, end, &problem_size);
    if (!problem || problem_size > LONGEST_WORD)
        return "a problem is missing or too long";
    if (is_word(problem, problem_size, "clblast"))
        return read_clblast(choices, device, line, end);
    const char *word = next_word(&line, end, &size);
    if (!word || !(choice.engine = find_engine(word, size)))
        return "there is no engine of that name";
    for (int k = 0; k < MI_VARIANT_NUMBERS; k++) {
        word = next_word(&line, end, &size);
        if (!word || !read_number(word, size, &choice.variant.number[k]))
            return "a variant's number is missing or none";
    }
    word = next_word(&line, end, &size);
    if (!word || (!(size == 1 && *word == '-') && (!read_number(word, size, &microseconds) || microseconds < 0)))
        return "the time is missing or no number";
    if (next_word(&line, end, &size))
        return "something follows the time";
    char *copy = mi_new(problem_size + 1, 1);
    if (copy)
        memcpy(copy, problem, problem_size);
    bool kept = copy && mi_choices_set(choices, copy, &choice, microseconds);
    free(copy);
    return kept ? NULL : mica_status_text(MICA_OUT_OF_MEMORY);
}

static const char *line_end(const char *line)
{
    return line + strcspn(line, "\r\n");
}

static const char *line_after(const char *end)
{
    end += *end == '\r';
    return end + (*end == '\n');
}

/* The first two lines: what the text is, and for which device. */
static mica_status read_head(struct mi_error *error, const mica_device *device, const char *place, const char **text)
{
    struct mi_text own = {0};
    const char *line = *text, *end = line_end(line);
    mica_status status = MICA_OK;
    if ((size_t)(end - line) != strlen(FIRST_LINE) || memcmp(line, FIRST_LINE, strlen(FIRST_LINE)) != 0)
        return mi_fail(error, MICA_FORMAT, "%s: line 1 is not \"" FIRST_LINE "\"", place);
    line = line_after(end);
    end = line_end(line);
    mi_choices_device(device, &own);
    if (own.failed)
        status = mi_out_of_memory(error);
    else if ((size_t)(end - line) != own.size || memcmp(line, own.data, own.size) != 0)
        status = mi_fail(error, MICA_UNSUPPORTED, "%s: is for \"%.*s\", this is \"%s\"", place,
                         (int)(end - line < 300 ? end - line : 300), line, mi_text_get(&own));
    mi_text_destroy(&own);
    *text = line_after(end);
    return status;
}

mica_status mi_choices_read(struct mi_choices *choices, struct mi_error *error, const mica_device *device, const char *place,
                            const char *text)
{
    struct mi_choices read = {0};
    MI_TRY(read_head(error, device, place, &text));
    mica_status status = MICA_OK;
    for (int number = 3; *text && status == MICA_OK; number++) {
        const char *end = line_end(text);
        const char *wrong = end == text           ? NULL
                            : number > MOST_LINES ? "too many lines"
                                                  : read_line(&read, device, text, end);
        if (wrong)
            status = mi_fail(error, MICA_FORMAT, "%s: line %d: %s", place, number, wrong);
        text = line_after(end);
    }
    for (size_t i = 0; i < read.count && status == MICA_OK; i++)
        if (!mi_choices_set(choices, read.list[i].problem, &read.list[i].choice, read.list[i].microseconds))
            status = mi_out_of_memory(error);
    for (int k = 0; k < MI_CLBLAST_KERNELS && status == MICA_OK; k++)
        if (read.clblast[k].known)
            choices->clblast[k] = read.clblast[k];
    mi_choices_destroy(&read);
    return status;
}

/* ---- Problems ---- */

static void add_dim(struct mi_text *text, struct mi_dim dim)
{
    if (dim.a)
        mi_text_add(text, ",%lldn%+lld", (long long)dim.a, (long long)dim.b);
    else
        mi_text_add(text, ",%lld", (long long)dim.b);
}

static void add_operand(struct mi_text *text, char name, const struct mi_operand *operand)
{
    mi_text_add(text, ";%c:%s", name, mi_types[operand->value->type].name);
    for (int d = 0; d < operand->value->shape.rank; d++) {
        const struct mi_index *index = &operand->index[d];
        add_dim(text, operand->value->shape.dim[d]);
        for (int t = 0; t < index->terms; t++)
            mi_text_add(text, "%c%lld.%d", t ? '+' : '=', (long long)index->coefficient[t], index->axis[t]);
        if (index->offset || index->divisor != 1)
            mi_text_add(text, "%+lld/%lld", (long long)index->offset, (long long)index->divisor);
    }
}

static void add_contraction(struct mi_text *text, const struct mi_contraction *c)
{
    mi_text_add(text, ";%d", c->out_axes);
    for (int i = 0; i < c->axes; i++)
        add_dim(text, c->extent[i]);
    add_operand(text, 'y', &c->out);
    add_operand(text, 'a', &c->a);
    add_operand(text, 'b', &c->b);
    if (c->a.value == c->b.value)
        mi_text_add(text, ";same");
}

const char *mi_problem_key(struct mi_arena *arena, const struct mi_problem *problem)
{
    struct mi_text text = {0};
    mi_text_add(&text, "b%lld%s%s%s%s", (long long)problem->batch, problem->by_rows ? ";rows" : "",
                problem->exact ? ";exact" : "", problem->constant ? ";constant" : "", problem->plain_only ? ";plain" : "");
    add_contraction(&text, &problem->c);
    if (problem->ahead) {
        mi_text_add(&text, ";ahead%s", problem->ahead->constant ? ";constant" : "");
        add_contraction(&text, &problem->ahead->c);
    }
    const char *key = text.failed ? NULL : mi_arena_strdup(arena, mi_text_get(&text));
    arena->failed = arena->failed || text.failed;
    mi_text_destroy(&text);
    return key ? key : "";
}

bool mi_choice_fits(const struct mi_choice *choice, const struct mi_problem *problem)
{
    struct mi_variant list[MI_MOST_VARIANTS] = {{{0}}};
    const struct mi_engine *engine = choice->engine;
    if (!mi_engine_can(engine, problem))
        return false;
    int count = engine->variants ? engine->variants(problem, list, MI_MOST_VARIANTS) : 1;
    for (int i = 0; i < count; i++)
        if (memcmp(&list[i], &choice->variant, sizeof list[i]) == 0)
            return true;
    return false;
}
