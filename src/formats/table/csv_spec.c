/* A table in the "data" object of a job:
 *
 *   {"format": "csv", "path": FILE, "label": COLUMN, "columns", "drop", "categorical": [COLUMN or PATTERN, ...],
 *    "header": true | false, "missing": "error" | "drop" | "mean", "decimal": "." | ","}
 *
 * A field of "inputs", "targets" and "sample_weight" is a column, or a list of them. */
#include "formats/spec.h"

#include <math.h>

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
    *out = (mica_column_field){.name = given->name, .role = given->role, .regression = given->regression,
                               .normalize = given->normalize};
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
        fields[count++] = (mica_column_field){.role = MICA_INPUT, .columns = desc->columns, .normalize = s->normalize};
    label[0] = desc->label;
    if (!targets && desc->label)
        fields[count++] = (mica_column_field){.role = MICA_TARGET, .columns = label, .regression = desc->regression};
    desc->fields = fields;
    desc->field_count = count;
    return MICA_OK;
}

static mica_status read_csv(struct mi_spec *s, mica_csv_desc *desc, const char **path)
{
    static const char *const policies[] = {"error", "drop", "mean", NULL}, *const marks[] = {".", ",", NULL};
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
    return read_fields(s, desc);
}

static mica_data *open_csv(struct mi_spec *s)
{
    mica_csv_desc desc = {.regression = mi_spec_regresses(s, NULL), .normalize = s->normalize, .split = s->split,
                          .sample_shape = s->sample_shape, .limits = s->limits};
    const char *path = NULL;
    return read_csv(s, &desc, &path) == MICA_OK ? mi_csv_open(s->device, path, &desc, s->fitted) : NULL;
}

static const char *const keys[] = {"path", "label", "header", "missing", "decimal", "columns", "drop", "categorical", NULL};

const struct mi_format mi_format_csv = {"csv", keys, open_csv};
