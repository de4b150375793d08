/* Every callback: MI_CALLBACKS, and the application's own; and one with its settings. */
#include "train/callback/callback.h"

#include <string.h>

#define DECLARE(name) extern const struct mi_callback_row mi_callback_##name;
MI_CALLBACKS(DECLARE)
DECLARE(own)

#define LIST(name) &mi_callback_##name,
const struct mi_callback_row *const mi_callback_rows[] = {MI_CALLBACKS(LIST) NULL};

#define NAME(name) #name,
const char *const mi_callback_names[] = {MI_CALLBACKS(NAME) NULL};

const struct mi_callback_row *mi_callback_find(const char *type)
{
    const struct mi_callback_row *const *row = mi_callback_rows;
    while (type && *row && strcmp((*row)->name, type))
        row++;
    return type ? *row : &mi_callback_own;
}

/* Whether the callback has the text that a key of its row wants: one that is asked for, one of its choices. */
static mica_status check_text(struct mi_error *error, const char *place, const mica_callback *given, const struct mi_key *key)
{
    const char *text;
    memcpy(&text, (const char *)given + key->offset, sizeof text);
    if (!text && key->required)
        return mi_fail(error, MICA_FORMAT, "%s: the key \"%s\" is missing", place, key->name);
    for (const char *const *choice = key->choices; text && choice; choice++) {
        if (!*choice)
            return mi_keys_unknown(error, place, key->name, text, key->choices);
        if (!strcmp(*choice, text))
            break;
    }
    return MICA_OK;
}

mica_status mi_callback_resolve(struct mi_error *error, const char *place, const mica_callback *given, struct mi_callback *out)
{
    *out = (struct mi_callback){.row = mi_callback_find(given->type), .given = given};
    if (!out->row)
        return mi_keys_unknown(error, place, "type", given->type, mi_callback_names);
    for (const struct mi_key *key = out->row->keys; key->name; key++)
        if (key->type == MI_KEY_TEXT)
            MI_TRY(check_text(error, place, given, key));
    return mi_settings_resolve(error, place, out->row->numbers, given->setting, MICA_MOST_CALLBACK_SETTINGS, out->value);
}
