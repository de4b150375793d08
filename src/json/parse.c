/* Text to JSON: what is wrong with a text that is none, and the nulls that stand for what was left out. */
#include "json/keys.h"

#include <string.h>

/* More brackets are open at `place` than the parser follows. Those in texts count, too: it only guesses. */
static bool is_deep(const char *text, const char *place)
{
    int depth = 0;
    for (; text < place; text++)
        depth += (*text == '[' || *text == '{') - (*text == ']' || *text == '}');
    return depth >= CJSON_NESTING_LIMIT;
}

/* The end of what stands before `at` and the blanks ahead of it. */
static const char *behind_space(const char *text, const char *at)
{
    while (at > text && mi_is_space(at[-1]))
        at--;
    return at;
}

/* What is probably wrong where the parser gave up, which may be a character too late: *place is put right. NULL: who knows. */
static const char *json_mistake(const char *text, const char **place, const char *end)
{
    static const struct {
        const char *starts, *says;
    } mistakes[] = {
        {"'", "texts stand between double quotes"},  {"//", "JSON has no comments"},
        {"/*", "JSON has no comments"},              {"#", "JSON has no comments"},
        {"True", "true and false are in lower case"}, {"False", "true and false are in lower case"},
        {"None", "nothing is written null"},
    };
    const char *at = *place, *before = behind_space(text, at);
    const char *bracket = before > text && strchr("}]", before[-1]) ? behind_space(text, before - 1) : text;
    if (bracket > text && bracket[-1] == ',') { /* the parser is past what closes an object */
        *place = before - 1;
        return "there is a comma too many";
    }
    if (at >= end || (at + 1 == end && *at != '}' && *at != ']'))
        return "it ends too early";
    if (is_deep(text, at))
        return "it is nested too deeply";
    if (before > text && before[-1] == ',' && strchr("}],", *at))
        return "there is a comma too many";
    if (*at == '"' && before > text && !strchr(",:{[", before[-1]))
        return "a comma is missing before it";
    for (int back = 0; back < 2 && at - back >= text; back++)
        for (size_t i = 0; i < MI_COUNT(mistakes); i++) {
            size_t length = strlen(mistakes[i].starts);
            if (length > (size_t)(end - at + back) || memcmp(at - back, mistakes[i].starts, length) != 0)
                continue;
            *place = at - back;
            return mistakes[i].says;
        }
    return NULL;
}

void mi_json_drop_nulls(cJSON *json)
{
    bool object = cJSON_IsObject(json);
    for (cJSON *item = json ? json->child : NULL, *next; item; item = next) {
        next = item->next;
        if (object && cJSON_IsNull(item))
            cJSON_Delete(cJSON_DetachItemViaPointer(json, item));
        else
            mi_json_drop_nulls(item);
    }
}

mica_status mi_json_parse(struct mi_error *error, const char *place, const char *text, size_t size, cJSON **out)
{
    const char *at = text, *end = text + size, *line_start = text;
    *out = mi_json_read(text, size, &at);
    at = at ? at : text;
    while (*out && at < end && mi_is_space(*at))
        at++;
    if (*out && (at == end || *at == 0)) {
        mi_json_drop_nulls(*out);
        return MICA_OK;
    }
    cJSON_Delete(*out);
    *out = NULL;
    while (at < end && mi_is_space(*at))
        at++;
    const char *mistake = json_mistake(text, &at, end);
    int line = 1;
    for (const char *c = text; c < at && c < end; c++)
        if (*c == '\n') {
            line++;
            line_start = c + 1;
        }
    char near[32];
    size_t length = (size_t)(end - at) < sizeof near ? (size_t)(end - at) : sizeof near - 1;
    memcpy(near, at, length);
    near[length] = 0;
    return mi_fail(error, MICA_FORMAT, "%s: line %d, column %zu: this is not valid JSON: %s%s%s", place, line,
                   (size_t)(at - line_start) + 1, mistake ? mistake : "\"", mistake ? "" : mi_show(near).text,
                   mistake ? "" : "\"");
}
