/* A table in the "data" object of a job:
 *
 *   {"format": "csv", "path": FILE, "label": COLUMN, "columns", "drop", "categorical": [COLUMN or PATTERN, ...],
 *    "header": true | false, "missing": "error" | "drop" | "mean" | "previous", "decimal": "." | ",",
 *    "text": "words" | {"tokens": "words" | "characters" | "bpe", "lower", "max_tokens", "max_length", "padding", "truncating"},
 *    "logarithm": [COLUMN or PATTERN, ...], "calendar": {COLUMN: [FEATURE, ...], ...},
 *    "sequence_length", "sequence_stride", "sampling_rate", "horizon", "gap": NUMBER, "date": COLUMN}
 *
 * A field of "inputs", "targets" and "sample_weight" is a column, or a list of them; where "inputs" names several, "text" is an
 * object of these names, and of those of targets that are texts. */
#include "formats/spec.h"
#include "json/keys.h"

#include <math.h>
#include <string.h>

/* ---- Columns of texts ---- */

struct text_keys {
    const char *tokens, *padding, *truncating;
    mica_text_column column;
};

static const char *const sides[] = {"post", "pre", NULL};

static const struct mi_key text_keys[] = {
    MI_KEY_WITH(struct text_keys, "tokens", MI_KEY_TEXT, tokens, .choices = mi_tokens_names),
    MI_KEY(struct text_keys, "lower", MI_KEY_BOOL, column.lower),
    MI_KEY_WITH(struct text_keys, "max_tokens", MI_KEY_INT, column.max_tokens, MI_KEY_BETWEEN(3, MI_MOST_CLASSES)),
    MI_KEY_WITH(struct text_keys, "max_length", MI_KEY_LONG, column.max_length, MI_KEY_BETWEEN(1, INT32_MAX)),
    MI_KEY_WITH(struct text_keys, "padding", MI_KEY_TEXT, padding, .choices = sides),
    MI_KEY_WITH(struct text_keys, "truncating", MI_KEY_TEXT, truncating, .choices = sides),
    {0},
};

static mica_status read_text(struct mi_spec *s, const cJSON *item, const char *key, const mica_text_column **out)
{
    struct text_keys given = {.tokens = cJSON_GetStringValue(item)};
    struct mi_error error = {MICA_OK, ""};
    int tokens = MICA_CHARACTERS;
    if (!cJSON_IsObject(item) && !given.tokens)
        return mi_spec_wrong(s, key, "what texts are taken apart into, \"characters\", \"words\" or \"bpe\", or an object of "
                             "\"tokens\" and how many there are");
    if (cJSON_IsObject(item) && mi_keys_read(&error, item, key, text_keys, NULL, &given) != MICA_OK)
        return mi_fail(&s->error, error.status, "%s: %s", s->place, error.text);
    MI_TRY(mi_spec_name(s, key, given.tokens, mi_tokens_names, &tokens));
    mica_text_column *column = mi_arena_new(&s->arena, 1, sizeof *column);
    if (!column)
        return mi_out_of_memory(&s->error);
    *column = given.column;
    column->tokens = (mica_tokens)tokens;
    column->pad_before = given.padding && !strcmp(given.padding, sides[1]);
    column->cut_before = given.truncating && !strcmp(given.truncating, sides[1]);
    *out = column;
    return MICA_OK;
}

/* "text" of an input: the whole, or where "inputs" names several what stands there under the name. */
static mica_status find_text(struct mi_spec *s, const char *name, const mica_text_column **out)
{
    const cJSON *item = mi_spec_get(s, "text"), *own = name ? cJSON_GetObjectItemCaseSensitive(item, name) : item;
    const char *key = name ? mi_arena_format(&s->arena, "text.%s", name) : "text";
    return own ? read_text(s, own, key, out) : MICA_OK;
}

/* Texts of an input that there is not. */
static mica_status check_text(struct mi_spec *s)
{
    const cJSON *text = mi_spec_get(s, "text"), *inputs = mi_spec_get(s, "inputs"), *targets = mi_spec_get(s, "targets"), *item;
    const char *names[65];
    size_t count = 0;
    if (!text || !cJSON_IsObject(inputs))
        return MICA_OK;
    if (!cJSON_IsObject(text))
        return mi_spec_wrong(s, "text", "an object of the names of inputs and targets, as \"inputs\" is");
    cJSON_ArrayForEach(item, inputs)
        if (count + 1 < MI_COUNT(names))
            names[count++] = item->string;
    for (item = cJSON_IsObject(targets) ? targets->child : NULL; item; item = item->next)
        if (count + 1 < MI_COUNT(names))
            names[count++] = item->string;
    names[count] = NULL;
    return mi_spec_keys(s, text, ": text", names);
}

/* ---- Columns ---- */

/* A column's name, or its index: a sign tells it from a name that is a number. */
static mica_status read_column(struct mi_spec *s, const cJSON *item, const char *key, const char **out)
{
    if (cJSON_IsNumber(item) && fabs(item->valuedouble) < 1e9 && floor(item->valuedouble) == item->valuedouble)
        *out = mi_arena_format(&s->arena, "%+d", item->valueint);
    else if (cJSON_IsString(item))
        *out = mi_arena_strdup(&s->arena, item->valuestring);
    else
        return mi_spec_wrong(s, key, "the name or the index of a column");
    return s->arena.failed ? mi_out_of_memory(&s->error) : MICA_OK;
}

/* A column, or a list of columns. */
static mica_status read_list(struct mi_spec *s, const cJSON *list, const char *key, const char *const **out)
{
    const cJSON *item;
    int count = 0, room = cJSON_IsArray(list) ? cJSON_GetArraySize(list) : 1;
    const char **columns = mi_arena_new(&s->arena, (size_t)room + 1, sizeof *columns);
    if (!columns)
        return mi_out_of_memory(&s->error);
    *out = columns;
    if (!cJSON_IsArray(list))
        return read_column(s, list, key, &columns[0]);
    cJSON_ArrayForEach(item, list)
        MI_TRY(read_column(s, item, key, &columns[count++]));
    return MICA_OK;
}

static mica_status read_columns(struct mi_spec *s, const char *key, const char *const **out)
{
    const cJSON *list = mi_spec_get(s, key);
    if (!list)
        return MICA_OK;
    return cJSON_IsArray(list) ? read_list(s, list, key, out) : mi_spec_wrong(s, key, "a list of columns");
}

static mica_status add_field(struct mi_spec *s, const struct mi_spec_field *given, mica_column_field *out)
{
    bool scaled = mi_spec_get(s, "sequence_length") && given->role == MICA_TARGET && given->regression;
    *out = (mica_column_field){.name = given->name, .role = given->role, .regression = given->regression,
                               .normalize = scaled && given->normalize.type == MICA_NORMALIZE_NONE ? s->normalize
                                                                                                   : given->normalize};
    if (given->role == MICA_INPUT || (given->role == MICA_TARGET && given->name && cJSON_IsObject(mi_spec_get(s, "inputs"))))
        MI_TRY(find_text(s, given->name, &out->text));
    MI_TRY(read_list(s, given->item, given->key, &out->columns));
    if (!out->columns[0])
        return mi_spec_wrong(s, given->key, "a column, or a list of columns");
    return MICA_OK;
}

/* The long form of what "label" and "columns" say, for those that have no field of their own. */
static mica_status read_fields(struct mi_spec *s, mica_csv_desc *desc)
{
    struct mi_spec_field *given = NULL;
    int count = 0, inputs = 0, targets = 0;
    bool scaled = desc->series.sequence_length && desc->regression;
    MI_TRY(mi_spec_fields(s, s->json, "", 0, &given, &count));
    if (!count)
        return MICA_OK;
    mica_column_field *fields = mi_arena_new(&s->arena, (size_t)count + 2, sizeof *fields);
    const char **label = mi_arena_new(&s->arena, 2, sizeof *label);
    if (!fields || !label)
        return mi_out_of_memory(&s->error);
    for (int i = 0; i < count; i++) {
        MI_TRY(add_field(s, &given[i], &fields[i]));
        inputs += given[i].role == MICA_INPUT;
        targets += given[i].role == MICA_TARGET;
    }
    if ((inputs && desc->columns) || (targets && desc->label))
        return mi_fail(&s->error, MICA_FORMAT, "%s: \"%s\" stands beside \"%s\": give one of them", s->place,
                       inputs && desc->columns ? "columns" : "label", inputs && desc->columns ? "inputs" : "targets");
    if (!inputs)
        fields[count++] = (mica_column_field){.role = MICA_INPUT, .columns = desc->columns, .normalize = s->normalize,
                                              .text = desc->text};
    label[0] = desc->label;
    if (!targets && desc->label)
        fields[count++] = (mica_column_field){.role = MICA_TARGET, .columns = label, .regression = desc->regression,
                                              .normalize = scaled ? s->normalize : (mica_normalize){.type = MICA_NORMALIZE_NONE}};
    desc->fields = fields;
    desc->field_count = count;
    return MICA_OK;
}

/* {"Date": ["month", "weekday"]} */
static mica_status read_calendar(struct mi_spec *s, mica_csv_desc *desc)
{
    const cJSON *object = mi_spec_get(s, "calendar"), *item;
    if (!object)
        return MICA_OK;
    if (!cJSON_IsObject(object))
        return mi_spec_wrong(s, "calendar", "an object of lists of features by names of columns");
    mica_calendar *list = mi_arena_new(&s->arena, (size_t)cJSON_GetArraySize(object) + 1, sizeof *list);
    if (!list)
        return mi_out_of_memory(&s->error);
    cJSON_ArrayForEach(item, object) {
        mica_calendar *of = &list[desc->calendar_count++];
        const char *key = mi_arena_format(&s->arena, "calendar.%s", mi_show(item->string).text);
        of->column = mi_arena_strdup(&s->arena, item->string);
        if (s->arena.failed)
            return mi_out_of_memory(&s->error);
        if (!cJSON_IsArray(item))
            return mi_spec_wrong(s, key, "a list of features");
        MI_TRY(read_list(s, item, key, &of->features));
    }
    desc->calendar = list;
    return MICA_OK;
}

/* Windows over the rows. A split of them takes the end. */
static mica_status read_series(struct mi_spec *s, mica_csv_desc *desc)
{
    mica_series *series = &desc->series;
    static const char *const keys[] = {"sequence_stride", "sampling_rate", "horizon", "gap", "date"};
    MI_TRY(mi_spec_whole(s, "sequence_length", 1, &series->sequence_length));
    for (size_t i = 0; i < MI_COUNT(keys) && !series->sequence_length; i++)
        if (mi_spec_get(s, keys[i]))
            return mi_fail(&s->error, MICA_FORMAT, "%s: \"%s\" is of windows, which need a \"sequence_length\"", s->place, keys[i]);
    MI_TRY(mi_spec_whole(s, keys[0], 1, &series->sequence_stride));
    MI_TRY(mi_spec_whole(s, keys[1], 1, &series->sampling_rate));
    MI_TRY(mi_spec_whole(s, keys[2], 1, &series->horizon));
    MI_TRY(mi_spec_whole(s, keys[3], -(double)series->sequence_length, &series->gap));
    if (series->sequence_length && desc->missing == MICA_MISSING_DROP)
        return mi_spec_wrong(s, "missing", "\"error\", \"mean\" or \"previous\": a series has no row less");
    if (series->sequence_length && cJSON_IsTrue(mi_spec_get(s, "shuffle")))
        return mi_spec_wrong(s, "shuffle", "false, or left out: the parts of a series follow one another");
    return MICA_OK;
}

static mica_status read_csv(struct mi_spec *s, mica_csv_desc *desc, const char **path)
{
    static const char *const policies[] = {"error", "drop", "mean", "previous", NULL}, *const marks[] = {".", ",", NULL};
    int missing = MICA_MISSING_ERROR, decimal = -1;
    const cJSON *header = mi_spec_get(s, "header"), *label = mi_spec_get(s, "label");
    MI_TRY(mi_spec_path(s, mi_spec_get(s, "path"), "path", path));
    MI_TRY(mi_spec_choice(s, "missing", policies, &missing));
    desc->missing = (mica_missing)missing;
    if (header && !cJSON_IsBool(header))
        return mi_spec_wrong(s, "header", "true or false");
    if (header)
        desc->header = cJSON_IsTrue(header) ? MICA_HEADER_YES : MICA_HEADER_NO;
    MI_TRY(mi_spec_choice(s, "decimal", marks, &decimal));
    desc->decimal = decimal < 0 ? 0 : marks[decimal][0];
    if (label)
        MI_TRY(read_column(s, label, "label", &desc->label));
    MI_TRY(read_columns(s, "columns", &desc->columns));
    MI_TRY(read_columns(s, "drop", &desc->drop));
    MI_TRY(read_columns(s, "categorical", &desc->categorical));
    MI_TRY(check_text(s));
    if (!mi_spec_get(s, "inputs"))
        MI_TRY(find_text(s, NULL, &desc->text));
    MI_TRY(read_columns(s, "logarithm", &desc->logarithm));
    MI_TRY(read_calendar(s, desc));
    MI_TRY(read_series(s, desc));
    if (mi_spec_get(s, "date"))
        MI_TRY(read_column(s, mi_spec_get(s, "date"), "date", &desc->date));
    return read_fields(s, desc);
}

static mica_data *open_csv(struct mi_spec *s)
{
    mica_csv_desc desc = {.regression = mi_spec_regresses(s, NULL), .normalize = s->normalize, .split = s->split,
                          .sample_shape = s->sample_shape, .limits = s->limits};
    const char *path = NULL;
    return read_csv(s, &desc, &path) == MICA_OK ? mi_csv_open(s->device, path, &desc, s->fitted) : NULL;
}

static const char *const keys[] = {"path", "label", "header", "missing", "decimal", "columns", "drop", "categorical", "text",
                                   "logarithm", "calendar", "sequence_length", "sequence_stride", "sampling_rate", "horizon",
                                   "gap", "date", NULL};

const struct mi_format mi_format_csv = {"csv", keys, open_csv};
