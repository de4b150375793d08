/* A text in the "data" object of a job:
 *
 *   {"format": "text", "train": FILE, "validation": FILE, "test": FILE, "tokens": "characters" | "words" | "bpe",
 *    "lower": true | false, "max_tokens": NUMBER, "window": NUMBER, "stride": NUMBER}
 *
 * "shuffle", of all formats, is false here: what a split takes off is the end of the text. */
#include "formats/spec.h"

/* Keys that all other formats have. */
static mica_status check_keys(struct mi_spec *s)
{
    static const char *const none[] = {"inputs", "targets", "sample_weight", "normalize", "sample_shape"};
    for (size_t i = 0; i < MI_COUNT(none); i++)
        if (mi_spec_get(s, none[i]))
            return mi_fail(&s->error, MICA_FORMAT, "%s: a text has no \"%s\": its input and its target are windows of it", s->place,
                           none[i]);
    return MICA_OK;
}

static mica_status read_files(struct mi_spec *s, mica_text_desc *desc)
{
    static const char *const keys[] = {"train", "validation", "test"};
    for (int i = 0; i < 3; i++)
        if (i == 0 || mi_spec_get(s, keys[i]))
            MI_TRY(mi_spec_path(s, mi_spec_get(s, keys[i]), keys[i], &desc->part[i]));
    return MICA_OK;
}

static mica_status read_text(struct mi_spec *s, mica_text_desc *desc)
{
    const cJSON *lower = mi_spec_get(s, "lower");
    int tokens = MICA_CHARACTERS;
    int64_t most = 0;
    MI_TRY(check_keys(s));
    MI_TRY(read_files(s, desc));
    MI_TRY(mi_spec_choice(s, "tokens", mi_tokens_names, &tokens));
    if (lower && !cJSON_IsBool(lower))
        return mi_spec_wrong(s, "lower", "true or false");
    MI_TRY(mi_spec_whole(s, "max_tokens", 2, &most));
    MI_TRY(mi_spec_whole(s, "window", 1, &desc->window));
    MI_TRY(mi_spec_whole(s, "stride", 1, &desc->stride));
    desc->tokens = (mica_tokens)tokens;
    desc->lower = cJSON_IsTrue(lower);
    desc->max_tokens = (int)most;
    desc->shuffle = cJSON_IsTrue(mi_spec_get(s, "shuffle"));
    return MICA_OK;
}

static mica_data *open_text(struct mi_spec *s)
{
    mica_text_desc desc = {.split = s->split, .limits = s->limits};
    return read_text(s, &desc) == MICA_OK ? mi_text_open(s->device, &desc, s->fitted) : NULL;
}

static const char *const keys[] = {"train", "validation", "test", "tokens", "lower", "max_tokens", "window", "stride", NULL};

const struct mi_format mi_format_text = {"text", keys, open_text};
