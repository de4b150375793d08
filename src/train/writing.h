/* Tokens of a vocabulary that are written one behind another, as a text. */
#ifndef MICA_SRC_TRAIN_WRITING_H
#define MICA_SRC_TRAIN_WRITING_H

#include "data/data.h"

#include <mica/generate.h>

struct mi_writing {
    const struct mi_vocabulary *vocabulary; /* NULL: there are tokens alone */
    bool begins;                   /* the text begins here: its first word has no blank before it */
    int32_t *tokens;               /* (count) */
    size_t count, capacity;
    double score;                  /* the sum of the logarithms of their probabilities */
    bool ended, over;              /* by its end; or since there are as many tokens as were asked for */
    struct mi_text text;           /* all of it */
    struct mi_text bytes;          /* of a character that is not whole yet */
};

/* Adds a token; `last`: no other follows. *from is where what it adds to the text begins. false: out of memory. */
bool mi_writing_add(struct mi_writing *writing, int32_t token, bool last, size_t *from);
/* What an application is told of it. */
mica_written mi_writing_told(const struct mi_writing *writing, int64_t number);
void mi_writing_destroy(struct mi_writing *writing);

#endif
