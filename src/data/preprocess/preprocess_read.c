/* Preprocessing of a field from JSON: nothing in the file is believed. */
#include "data/preprocess/preprocess_json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_COLUMNS = 1 << 30 };

struct reader {
    struct mi_error *error;
    const char *place;
    struct mi_preprocess *out;
    size_t elements;           /* of a raw row */
};

static mica_status bad(struct reader *r, const char *key, const char *what)
{
    return mi_fail(r->error, MICA_FORMAT, "%s: preprocessing: \"%s\" %s", r->place, key, what);
}

/* A whole number from least to most. */
static bool read_whole(const cJSON *json, double least, double most, double *out)
{
    *out = cJSON_IsNumber(json) ? json->valuedouble : -1;
    return cJSON_IsNumber(json) && *out >= least && *out <= most && floor(*out) == *out;
}

static mica_status read_numbers(struct reader *r, const cJSON *array, const char *key, size_t count,
                                double **out)
{
    size_t i = 0;
    const cJSON *item;
    if (!cJSON_IsArray(array) || (size_t)cJSON_GetArraySize(array) != count)
        return mi_fail(r->error, MICA_FORMAT, "%s: preprocessing: \"%s\" is not a list of %zu numbers",
                       r->place, key, count);
    *out = mi_arena_new(&r->out->arena, count, sizeof **out);
    if (!*out)
        return mi_out_of_memory(r->error);
    cJSON_ArrayForEach(item, array) {
        double value = cJSON_IsNumber(item) ? item->valuedouble : (double)NAN;
        if (!isfinite((float)value))
            return bad(r, key, "holds something that is not a number");
        (*out)[i++] = value;
    }
    return MICA_OK;
}

static mica_status read_texts(struct reader *r, const cJSON *array, const char *key, int *count,
                              const char ***out)
{
    int i = 0;
    const cJSON *item;
    if (!cJSON_IsArray(array))
        return bad(r, key, "is not a list");
    *count = cJSON_GetArraySize(array);
    *out = mi_arena_new(&r->out->arena, (size_t)*count, sizeof **out);
    if (!*out)
        return mi_out_of_memory(r->error);
    cJSON_ArrayForEach(item, array) {
        if (!cJSON_IsString(item))
            return bad(r, key, "holds something that is not a text");
        (*out)[i] = mi_arena_strdup(&r->out->arena, item->valuestring);
        if (!(*out)[i++])
            return mi_out_of_memory(r->error);
    }
    return MICA_OK;
}

static mica_status read_shape(struct reader *r, const cJSON *array)
{
    mica_shape *shape = &r->out->shape;
    const cJSON *item;
    r->elements = 1;
    if (!array && r->out->role == MICA_TARGET)
        return MICA_OK;
    if (!cJSON_IsArray(array) || cJSON_GetArraySize(array) > MICA_MAX_RANK)
        return bad(r, "shape", "is not a list of at most 8 numbers");
    cJSON_ArrayForEach(item, array) {
        double dim;
        if (!read_whole(item, 1, 2147483648.0, &dim))
            return bad(r, "shape", "holds something that is not a dimension");
        shape->dim[shape->rank++] = (int64_t)dim;
    }
    return mi_sample_elements(shape, &r->elements) ? MICA_OK : bad(r, "shape", "is empty or too large");
}

/* What a sample sees of a series; a class is at one step. */
static mica_status read_window(struct reader *r, const cJSON *json)
{
    struct mi_window *window = &r->out->window;
    const struct { const char *key; int64_t *out; double least; } numbers[] = {
        {"steps", &window->steps, 1}, {"first", &window->first, 0}, {"told", &window->told, 0},
        {"rate", &window->rate, 1}, {"stride", &window->stride, 1}};
    for (size_t i = 0; json && i < MI_COUNT(numbers); i++) {
        double number;
        if (!read_whole(cJSON_GetObjectItemCaseSensitive(json, numbers[i].key), numbers[i].least, 4294967296.0, &number))
            return bad(r, numbers[i].key, "is not a number of rows or steps");
        *numbers[i].out = (int64_t)number;
    }
    if (window->steps && r->elements % (size_t)window->steps)
        return mi_fail(r->error, MICA_FORMAT, "%s: preprocessing: \"window\" has %lld steps, \"shape\" %zu elements", r->place,
                       (long long)window->steps, r->elements);
    r->elements /= (size_t)(window->steps ? window->steps : 1);
    return MICA_OK;
}

/* A whole number of 0 or more; absent: *out stays. */
static mica_status read_count(struct reader *r, const cJSON *object, const char *key, double most, int *out)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    double number;
    if (!item)
        return MICA_OK;
    if (!read_whole(item, 0, most, &number))
        return bad(r, key, "is not a number of a column");
    *out = (int)number;
    return MICA_OK;
}

static mica_status read_choice(struct reader *r, const cJSON *item, const char *key,
                               const char *const *names, int *out)
{
    for (int i = 0; cJSON_IsString(item) && names[i]; i++) {
        if (!strcmp(names[i], item->valuestring)) {
            *out = i;
            return MICA_OK;
        }
    }
    return bad(r, key, "has an unknown value");
}

static mica_status read_calendar(struct reader *r, const cJSON *array, unsigned *features)
{
    const cJSON *item;
    if (!array)
        return MICA_OK;
    cJSON_ArrayForEach(item, array) {
        int feature = 0;
        MI_TRY(read_choice(r, item, "calendar", mi_calendar_names(), &feature));
        *features |= 1u << feature;
    }
    return *features ? MICA_OK : bad(r, "calendar", "is not a list of features");
}

static mica_status read_column(struct reader *r, const cJSON *item, struct mi_column *column)
{
    const cJSON *name = cJSON_GetObjectItemCaseSensitive(item, "name");
    const cJSON *values = cJSON_GetObjectItemCaseSensitive(item, "values");
    if (!cJSON_IsObject(item) || (name && !cJSON_IsString(name)))
        return bad(r, "columns", "holds something that is not a column");
    if (name && !(column->name = mi_arena_strdup(&r->out->arena, name->valuestring)))
        return mi_out_of_memory(r->error);
    column->nth = column->index = -1; /* an index is needed */
    MI_TRY(read_count(r, item, "nth", MOST_COLUMNS, &column->nth));
    MI_TRY(read_count(r, item, "index", MOST_COLUMNS, &column->index));
    column->logarithm = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(item, "logarithm"));
    MI_TRY(read_calendar(r, cJSON_GetObjectItemCaseSensitive(item, "calendar"), &column->calendar));
    if ((column->logarithm + (column->calendar > 0) + (values != NULL)) > 1)
        return bad(r, "columns", "holds a column of two kinds");
    if (!values)
        return MICA_OK;
    const char **texts = NULL;
    MI_TRY(read_texts(r, values, "values", &column->count, &texts));
    for (int i = 1; i < column->count; i++)
        if (strcmp(texts[i - 1], texts[i]) >= 0)
            return bad(r, "values", "is not in sorted order");
    column->categorical = true;
    column->values = texts;
    return MICA_OK;
}

static mica_status read_columns(struct reader *r, const cJSON *array)
{
    struct mi_preprocess *p = r->out;
    const cJSON *item;
    int i = 0;
    if (!array)
        return MICA_OK;
    if (!cJSON_IsArray(array) || !cJSON_GetArraySize(array))
        return bad(r, "columns", "is not a list of columns");
    p->column_count = cJSON_GetArraySize(array);
    p->columns = mi_arena_new(&p->arena, (size_t)p->column_count, sizeof *p->columns);
    if (!p->columns) {
        p->column_count = 0;
        return mi_out_of_memory(r->error);
    }
    cJSON_ArrayForEach(item, array)
        MI_TRY(read_column(r, item, &p->columns[i++]));
    const struct mi_column *first = p->columns;
    bool plain = p->column_count == 1 && !first->categorical && !first->calendar && !first->logarithm;
    bool told = p->role == MICA_TARGET && p->name && p->vocabulary.marked, read = p->role == MICA_INPUT && !p->vocabulary.marked;
    if (p->vocabulary.count && (!plain || !(told || read) || !p->shape.rank))
        return bad(r, "text", "is not read from one column");
    if (!p->vocabulary.count && p->shape.rank && mi_preprocess_features(p) != r->elements)
        return mi_fail(r->error, MICA_FORMAT, "%s: preprocessing: \"columns\" make %zu features, \"shape\" "
                       "has %zu", r->place, mi_preprocess_features(p), r->elements);
    return mi_preprocess_mark(p) ? MICA_OK : mi_out_of_memory(r->error);
}

static mica_status read_date(struct reader *r, const cJSON *json)
{
    struct mi_column *date = json ? mi_arena_new(&r->out->arena, 1, sizeof *date) : NULL;
    if (!json)
        return MICA_OK;
    if (!date)
        return mi_out_of_memory(r->error);
    MI_TRY(read_column(r, json, date));
    if (date->categorical || date->calendar || date->logarithm || date->index < 0)
        return bad(r, "date", "is no column of dates");
    date->nth = date->nth < 0 ? 0 : date->nth;
    r->out->date = date;
    return MICA_OK;
}

/* Columns of one name are counted, where the file does not say which one is meant. */
static mica_status count_names(struct reader *r)
{
    struct mi_preprocess *p = r->out;
    struct mi_column_names names = {0};
    size_t count = (size_t)p->column_count;
    const char **list = mi_new(count, sizeof *list);
    for (size_t i = 0; list && i < count; i++)
        list[i] = p->columns[i].name;
    bool made = list && mi_column_names_create(&names, list, count);
    for (size_t i = 0; made && i < count; i++)
        if (p->columns[i].nth < 0)
            p->columns[i].nth = list[i] ? (int)mi_column_names_nth(&names, list[i], i) : 0;
    mi_column_names_destroy(&names);
    free(list);
    return made ? MICA_OK : mi_out_of_memory(r->error);
}

/* Where the columns were in their table: rising places. */
static mica_status read_places(struct reader *r, const cJSON *json)
{
    struct mi_preprocess *p = r->out;
    const cJSON *decimal = cJSON_GetObjectItemCaseSensitive(json, "decimal");
    MI_TRY(read_count(r, json, "table_columns", MOST_COLUMNS, &p->table_columns));
    p->decimal = cJSON_IsString(decimal) && !strcmp(decimal->valuestring, ",") ? ',' : '.';
    MI_TRY(count_names(r));
    bool good = true;
    for (int i = 0; i < p->column_count; i++)
        good = good && p->columns[i].index >= 0 && p->columns[i].index < p->table_columns &&
               (i == 0 || p->columns[i].index > p->columns[i - 1].index);
    return good ? MICA_OK : bad(r, "columns", "are not places in one table");
}

static mica_status read_classes(struct reader *r, const cJSON *json)
{
    struct mi_preprocess *p = r->out;
    const cJSON *classes = cJSON_GetObjectItemCaseSensitive(json, "classes");
    const cJSON *names = cJSON_GetObjectItemCaseSensitive(json, "class_names");
    double number = 0;
    if (classes && !read_whole(classes, 0, MI_MOST_CLASSES, &number))
        return bad(r, "classes", "is not a number of classes");
    p->classes = (int)number;
    p->label_numbers = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(json, "label_numbers"));
    if (!names)
        return MICA_OK;
    int count = 0;
    MI_TRY(read_texts(r, names, "class_names", &count, &p->class_names));
    if (count != p->classes)
        return mi_fail(r->error, MICA_FORMAT, "%s: preprocessing: \"class_names\" has %d names for %d "
                       "classes", r->place, count, p->classes);
    return MICA_OK;
}

/* At which end something is done to a text: "post", or "pre". */
static mica_status read_side(struct reader *r, const cJSON *json, const char *key, bool *before)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, key);
    int side = 0;
    if (item)
        MI_TRY(read_choice(r, item, key, mi_side_names, &side));
    *before = side == 1;
    return MICA_OK;
}

static mica_status read_words(struct reader *r, const cJSON *json)
{
    struct mi_vocabulary *vocabulary = &r->out->vocabulary;
    int count = 0;
    MI_TRY(read_texts(r, cJSON_GetObjectItemCaseSensitive(json, "vocabulary"), "vocabulary", &count, &vocabulary->texts));
    if (count < 1 + mi_vocabulary_before(vocabulary) || count > MI_MOST_CLASSES)
        return bad(r, "vocabulary", "is empty or too large");
    if (vocabulary->padded != !*vocabulary->texts[0])
        return bad(r, "vocabulary", vocabulary->padded ? "does not begin with padding" : "begins with padding");
    if (vocabulary->marked && strcmp(vocabulary->texts[1], MI_MARK_TOKEN) != 0)
        return bad(r, "vocabulary", "has no mark behind padding");
    vocabulary->count = count;
    return MICA_OK;
}

/* A merge from its text, which has a blank between those of the tokens that it joins; both are known before it. */
static mica_status read_merge(struct reader *r, struct mi_names *known, const char *text, int32_t *next, struct mi_merge *merge)
{
    struct mi_arena *arena = &r->out->arena;
    const char *blank = strchr(text, ' ');
    const char *left = blank ? mi_arena_format(arena, "%.*s", (int)(blank - text), text) : "";
    const char *made = blank ? mi_arena_format(arena, "%s%s", left ? left : "", blank + 1) : "";
    if (!left || !made)
        return mi_out_of_memory(r->error);
    const size_t *first = mi_names_find(known, left), *second = blank ? mi_names_find(known, blank + 1) : NULL;
    if (!first || !second)
        return bad(r, "merges", "holds something that does not join two tokens");
    *merge = (struct mi_merge){.left = (int32_t)*first, .right = (int32_t)*second, .token = *next};
    const size_t *found = mi_names_find(known, made);
    if (found)
        merge->token = (int32_t)*found;
    else if (!mi_names_add(known, made, (size_t)(*next)++))
        return mi_out_of_memory(r->error);
    return MICA_OK;
}

static mica_status read_merge_list(struct reader *r, const char *const *texts, int count, struct mi_names *known)
{
    struct mi_vocabulary *vocabulary = &r->out->vocabulary;
    int32_t next = 0;
    if (!mi_vocabulary_spell(vocabulary, &r->out->arena)) /* bytes alone */
        return mi_out_of_memory(r->error);
    for (int k = mi_vocabulary_before(vocabulary); k < vocabulary->count; k++)
        if (!mi_names_add(known, vocabulary->texts[k], (size_t)next++))
            return mi_out_of_memory(r->error);
    for (int i = 0; i < count; i++)
        MI_TRY(read_merge(r, known, texts[i], &next, &vocabulary->merges[i]));
    vocabulary->merge_count = count;
    return mi_vocabulary_spell(vocabulary, &r->out->arena) ? MICA_OK : mi_out_of_memory(r->error);
}

static mica_status read_merges(struct reader *r, const cJSON *json)
{
    struct mi_vocabulary *vocabulary = &r->out->vocabulary;
    struct mi_names known = {0};
    const char **texts = NULL;
    int count = 0;
    MI_TRY(read_texts(r, cJSON_GetObjectItemCaseSensitive(json, "merges"), "merges", &count, &texts));
    if (count > MI_MOST_CLASSES - 257)
        return bad(r, "merges", "is too large");
    vocabulary->merges = mi_arena_new(&r->out->arena, (size_t)count, sizeof *vocabulary->merges);
    mica_status status = vocabulary->merges ? read_merge_list(r, texts, count, &known) : mi_out_of_memory(r->error);
    mi_names_destroy(&known);
    return status;
}

static mica_status read_vocabulary(struct reader *r, const cJSON *json)
{
    struct mi_vocabulary *vocabulary = &r->out->vocabulary;
    int tokens = 0;
    if (!json)
        return MICA_OK;
    if (r->out->window.steps)
        return bad(r, "text", "is of no series");
    MI_TRY(read_choice(r, cJSON_GetObjectItemCaseSensitive(json, "tokens"), "tokens", mi_tokens_names, &tokens));
    vocabulary->tokens = (mica_tokens)tokens;
    vocabulary->lower = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(json, "lower"));
    vocabulary->padded = cJSON_GetObjectItemCaseSensitive(json, "padding") != NULL;
    vocabulary->marked = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(json, "marked"));
    if (vocabulary->marked && !vocabulary->padded)
        return bad(r, "marked", "is of a padded vocabulary");
    MI_TRY(tokens == MICA_BPE ? read_merges(r, json) : read_words(r, json));
    MI_TRY(read_side(r, json, "padding", &vocabulary->pad_before));
    return read_side(r, json, "truncating", &vocabulary->cut_before);
}

/* Which field it is. */
static mica_status read_name(struct reader *r, const cJSON *json)
{
    const cJSON *name = cJSON_GetObjectItemCaseSensitive(json, "name");
    int role = MICA_INPUT;
    MI_TRY(read_choice(r, cJSON_GetObjectItemCaseSensitive(json, "role"), "role", mi_role_names, &role));
    r->out->role = (mica_role)role;
    if (!name)
        return MICA_OK;
    if (!cJSON_IsString(name))
        return bad(r, "name", "is not a text");
    r->out->name = mi_arena_strdup(&r->out->arena, name->valuestring);
    return r->out->name ? MICA_OK : mi_out_of_memory(r->error);
}

static mica_status read_normalize(struct reader *r, const cJSON *json)
{
    struct mi_preprocess *p = r->out;
    int type = 0;
    if (!json)
        return MICA_OK;
    const cJSON *subtract = cJSON_GetObjectItemCaseSensitive(json, "subtract");
    const cJSON *divide = cJSON_GetObjectItemCaseSensitive(json, "divide");
    MI_TRY(read_choice(r, cJSON_GetObjectItemCaseSensitive(json, "type"), "type", mi_normalize_names, &type));
    p->normalize = (mica_normalize_type)type;
    size_t count = cJSON_IsArray(subtract) ? (size_t)cJSON_GetArraySize(subtract) : 0;
    size_t channels = p->shape.rank < 2 || p->window.steps ? r->elements : (size_t)p->shape.dim[0];
    if (count != 1 && count != channels && count != r->elements)
        return mi_fail(r->error, MICA_FORMAT, "%s: preprocessing: \"subtract\" has %zu numbers for a sample "
                       "of shape %s", r->place, count, mi_sample_text(&p->shape).text);
    MI_TRY(read_numbers(r, subtract, "subtract", count, &p->subtract));
    MI_TRY(read_numbers(r, divide, "divide", count, &p->divide));
    for (size_t i = 0; i < count; i++)
        if ((float)p->divide[i] == 0)
            return bad(r, "divide", "holds a zero");
    p->count = (int)count;
    return MICA_OK;
}

static mica_status read_all(struct reader *r, const cJSON *json)
{
    const cJSON *missing = cJSON_GetObjectItemCaseSensitive(json, "missing");
    const cJSON *fill = cJSON_GetObjectItemCaseSensitive(json, "fill");
    int choice = 0;
    if (!cJSON_IsObject(json))
        return mi_fail(r->error, MICA_FORMAT, "%s: preprocessing of a field is not a JSON object", r->place);
    MI_TRY(read_name(r, json));
    MI_TRY(read_shape(r, cJSON_GetObjectItemCaseSensitive(json, "shape")));
    MI_TRY(read_window(r, cJSON_GetObjectItemCaseSensitive(json, "window")));
    MI_TRY(read_vocabulary(r, cJSON_GetObjectItemCaseSensitive(json, "text")));
    MI_TRY(read_columns(r, cJSON_GetObjectItemCaseSensitive(json, "columns")));
    MI_TRY(read_date(r, cJSON_GetObjectItemCaseSensitive(json, "date")));
    MI_TRY(read_classes(r, json));
    MI_TRY(read_places(r, json));
    if (missing)
        MI_TRY(read_choice(r, missing, "missing", mi_missing_names, &choice));
    r->out->missing = (mica_missing)choice;
    if (fill)
        MI_TRY(read_numbers(r, fill, "fill", r->elements, &r->out->fill));
    if (choice == MICA_MISSING_MEAN && !fill)
        return bad(r, "fill", "is missing");
    return read_normalize(r, cJSON_GetObjectItemCaseSensitive(json, "normalize"));
}

mica_status mi_preprocess_from_json(struct mi_error *error, const char *place, const cJSON *json,
                                    struct mi_preprocess *out)
{
    struct reader r = {error, place, out, 0};
    *out = (struct mi_preprocess){0};
    mica_status status = read_all(&r, json);
    if (status != MICA_OK)
        mi_preprocess_destroy(out);
    return status;
}
