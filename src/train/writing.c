/* What tokens are as a text: words stand behind blanks, marks do not, and byte pairs may end within a character. */
#include "train/writing.h"

#include <stdlib.h>

static void spell(struct mi_writing *w, const char *token, bool last)
{
    bool blank = w->vocabulary->tokens == MICA_WORDS && !mi_is_mark(token) && !(w->begins && w->count == 1);
    if (w->vocabulary->tokens != MICA_BPE) {
        mi_text_add(&w->text, blank ? " %s" : "%s", token);
        return;
    }
    mi_token_bytes(token, &w->bytes);
    mi_characters_take(&w->bytes, last, &w->text);
}

bool mi_writing_add(struct mi_writing *w, int32_t token, bool last, size_t *from)
{
    *from = w->text.size;
    if (!mi_grow(&w->tokens, &w->capacity, w->count + 1, sizeof *w->tokens))
        return false;
    w->tokens[w->count++] = token;
    if (w->vocabulary)
        spell(w, w->vocabulary->texts[token], last);
    return !w->text.failed && !w->bytes.failed;
}

mica_written mi_writing_told(const struct mi_writing *w, int64_t number)
{
    return (mica_written){.number = number, .text = w->vocabulary ? mi_text_get(&w->text) : NULL, .tokens = w->tokens,
                          .count = (int64_t)w->count, .ended = w->ended, .score = w->score};
}

void mi_writing_destroy(struct mi_writing *w)
{
    free(w->tokens);
    mi_text_destroy(&w->text);
    mi_text_destroy(&w->bytes);
}
