/* Preprocessing of a field becomes JSON. */
#include "data/preprocess/preprocess_json.h"

static bool add_numbers(cJSON *object, const char *key, const double *values, size_t count)
{
    cJSON *array = cJSON_AddArrayToObject(object, key);
    for (size_t i = 0; array && i < count; i++) {
        cJSON *number = cJSON_CreateNumber(values[i]);
        if (!number || !cJSON_AddItemToArray(array, number)) {
            cJSON_Delete(number);
            return false;
        }
    }
    return array != NULL;
}

static bool add_texts(cJSON *object, const char *key, const char *const *texts, int count)
{
    cJSON *array = cJSON_AddArrayToObject(object, key);
    for (int i = 0; array && i < count; i++) {
        cJSON *text = cJSON_CreateString(texts[i]);
        if (!text || !cJSON_AddItemToArray(array, text)) {
            cJSON_Delete(text);
            return false;
        }
    }
    return array != NULL;
}

static bool add_calendar(cJSON *object, unsigned features)
{
    const char *names[32];
    int count = 0;
    for (int i = 0; mi_calendar_names()[i]; i++)
        if (features >> i & 1)
            names[count++] = mi_calendar_names()[i];
    return add_texts(object, "calendar", names, count);
}

static bool add_column(cJSON *item, const struct mi_column *column)
{
    return (!column->name || cJSON_AddStringToObject(item, "name", column->name)) &&
           (!column->nth || cJSON_AddNumberToObject(item, "nth", column->nth)) &&
           cJSON_AddNumberToObject(item, "index", column->index) &&
           (!column->categorical || add_texts(item, "values", column->values, column->count)) &&
           (!column->logarithm || cJSON_AddTrueToObject(item, "logarithm")) &&
           (!column->calendar || add_calendar(item, column->calendar));
}

static bool add_columns(cJSON *object, const struct mi_preprocess *p)
{
    cJSON *array = cJSON_AddArrayToObject(object, "columns");
    for (int i = 0; array && i < p->column_count; i++) {
        cJSON *item = cJSON_CreateObject();
        if (!item || !cJSON_AddItemToArray(array, item)) {
            cJSON_Delete(item);
            return false;
        }
        if (!add_column(item, &p->columns[i]))
            return false;
    }
    return array != NULL;
}

/* The column of the dates, which is no input by itself. */
static bool add_date(cJSON *object, const struct mi_column *date)
{
    cJSON *item = cJSON_AddObjectToObject(object, "date");
    return item && add_column(item, date);
}

static bool add_shape(cJSON *object, const mica_shape *shape)
{
    cJSON *array = cJSON_AddArrayToObject(object, "shape");
    for (int i = 0; array && i < shape->rank; i++) {
        cJSON *number = cJSON_CreateNumber((double)shape->dim[i]);
        if (!number || !cJSON_AddItemToArray(array, number)) {
            cJSON_Delete(number);
            return false;
        }
    }
    return array != NULL;
}

static bool add_normalize(cJSON *object, const struct mi_preprocess *p)
{
    cJSON *item = cJSON_AddObjectToObject(object, "normalize");
    return item && cJSON_AddStringToObject(item, "type", mi_normalize_names[p->normalize]) &&
           add_numbers(item, "subtract", p->subtract, (size_t)p->count) &&
           add_numbers(item, "divide", p->divide, (size_t)p->count);
}

/* What a table was like, beside its columns. */
static bool add_table(cJSON *json, const struct mi_preprocess *p)
{
    return add_columns(json, p) && cJSON_AddNumberToObject(json, "table_columns", p->table_columns) &&
           cJSON_AddStringToObject(json, "missing", mi_missing_names[p->missing]) &&
           (p->decimal != ',' || cJSON_AddStringToObject(json, "decimal", ","));
}

static bool add_classes(cJSON *json, const struct mi_preprocess *p)
{
    if (!cJSON_AddNumberToObject(json, "classes", p->classes))
        return false;
    return !p->class_names || (add_texts(json, "class_names", p->class_names, p->classes) &&
                               (!p->label_numbers || cJSON_AddTrueToObject(json, "label_numbers")));
}

/* Each as the texts of its two tokens with a blank between, as files of merges have them. */
static bool add_merges(cJSON *json, const struct mi_vocabulary *vocabulary)
{
    struct mi_arena arena = {0};
    const char *const *tokens = vocabulary->texts + mi_vocabulary_before(vocabulary);
    const char **list = mi_arena_new(&arena, (size_t)vocabulary->merge_count, sizeof *list);
    for (int i = 0; list && i < vocabulary->merge_count; i++)
        list[i] = mi_arena_format(&arena, "%s %s", tokens[vocabulary->merges[i].left], tokens[vocabulary->merges[i].right]);
    bool added = list && !arena.failed && add_texts(json, "merges", list, vocabulary->merge_count);
    mi_arena_destroy(&arena);
    return added;
}

static bool add_vocabulary(cJSON *object, const struct mi_vocabulary *vocabulary)
{
    cJSON *json = cJSON_AddObjectToObject(object, "text");
    return json && cJSON_AddStringToObject(json, "tokens", mi_tokens_names[vocabulary->tokens]) &&
           (!vocabulary->lower || cJSON_AddTrueToObject(json, "lower")) &&
           (!vocabulary->padded || cJSON_AddStringToObject(json, "padding", mi_side_names[vocabulary->pad_before])) &&
           (!vocabulary->marked || cJSON_AddTrueToObject(json, "marked")) &&
           (!vocabulary->cut_before || cJSON_AddStringToObject(json, "truncating", mi_side_names[1])) &&
           (vocabulary->tokens == MICA_BPE ? add_merges(json, vocabulary)
                                           : add_texts(json, "vocabulary", vocabulary->texts, vocabulary->count));
}

static bool add_window(cJSON *object, const struct mi_window *window)
{
    cJSON *json = cJSON_AddObjectToObject(object, "window");
    return json && cJSON_AddNumberToObject(json, "steps", (double)window->steps) &&
           cJSON_AddNumberToObject(json, "first", (double)window->first) &&
           cJSON_AddNumberToObject(json, "told", (double)window->told) &&
           cJSON_AddNumberToObject(json, "rate", (double)window->rate) &&
           cJSON_AddNumberToObject(json, "stride", (double)window->stride);
}

cJSON *mi_preprocess_to_json(const struct mi_preprocess *p)
{
    cJSON *json = cJSON_CreateObject();
    bool good = json && cJSON_AddStringToObject(json, "role", mi_role_names[p->role]) &&
                (!p->name || cJSON_AddStringToObject(json, "name", p->name));
    if (good && p->shape.rank)
        good = add_shape(json, &p->shape);
    if (good && p->window.steps)
        good = add_window(json, &p->window);
    if (good && p->date)
        good = add_date(json, p->date);
    if (good && p->vocabulary.count)
        good = add_vocabulary(json, &p->vocabulary);
    if (good && p->column_count)
        good = add_table(json, p);
    if (good && p->fill)
        good = add_numbers(json, "fill", p->fill, mi_preprocess_row(p));
    if (good && p->classes)
        good = add_classes(json, p);
    if (good && p->count)
        good = add_normalize(json, p);
    if (good)
        return json;
    cJSON_Delete(json);
    return NULL;
}
