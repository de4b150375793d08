/* Sequences that a model writes token by token: a text that goes on, or the answer of an encoder and a decoder. */
#ifndef MICA_GENERATE_H
#define MICA_GENERATE_H

#include <mica/data.h>
#include <mica/model.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What was written behind a prompt, or for a sample. */
typedef struct mica_written {
    int64_t number;              /* of the prompt, or of the sample, from 0 */
    const char *text;            /* NULL: the model has no vocabulary for it */
    const int32_t *tokens;       /* (count) without the end */
    int64_t count;
    bool ended;                  /* it ends by itself; otherwise as it is as long as it may be */
    /* The sum of the natural logarithms of the tokens' probabilities, the end's among them, by the model's scores at a
     * temperature of 1; of beams divided by (the number of these tokens)^length_penalty. */
    double score;
} mica_written;

/* ---- Continuing a text ---- */

typedef struct mica_generate_desc {
    int64_t tokens;              /* so many are added, or fewer where the text ends; at least 1 */
    bool greedy;                 /* always the most probable one; otherwise it is drawn: */
    float temperature;           /* the scores are divided by it first; 0: 1 */
    int top_k;                   /* from so many of the most probable; 0: from all */
    float top_p;                 /* from the fewest of these, the most probable first, that have this share of all; 0: 1 */
    uint64_t seed;               /* the same one, the same text; prompt i draws as with seed + i alone */
    const char *end;             /* the text of a token that ends a text, and is not told; NULL: none does */
    int num_beams;               /* above 1: beam search, which draws nothing */
    float length_penalty;        /* of beams: above 0 it favours longer texts */
    /* Told of each token as it comes, with its text as it stands in the continuation: a word has its blank before it. A byte
     * pair that ends within a character says it with the next one. Of beams all come at the end. Returns false to stop there.
     * NULL: nobody is; only of mica_generate. */
    bool (*on_token)(void *user, const char *text, int32_t token);
    /* Told of a whole continuation, which is borrowed for the call, once it has ended. Returns false to stop there. NULL:
     * nobody is. */
    bool (*on_written)(void *user, const mica_written *written);
    void (*note)(void *user, const char *line); /* told of tokens of the prompt that the model does not know; NULL: nobody is */
    void *user;
} mica_generate_desc;

/* Continues a prompt in UTF-8 by a model that was trained on a text (mica_text_open), token by token: the scores at the last
 * one say what comes next. Its output is (classes, window), as the loss has it, or (window, classes).
 *
 * A model is run one step a token where each of its layers can be: recurrent layers keep their states, attention its keys and
 * values, what acts on each step by itself needs nothing; a long prompt is read many tokens at a time. A model without
 * attention and places reads the whole prompt and goes on for ever; one with them ends with its window: of a longer prompt it
 * reads the last window, and when that is full the last half of it begins another. A model with other layers reads for each
 * token the whole window of the last ones. A shorter prompt then stands at its front, so the model must not read what is
 * behind a place: a network that does is MICA_UNSUPPORTED.
 *
 * What is unknown is never added. A model without a vocabulary is MICA_DATA. A stop that was asked for is MICA_CANCELLED. */
MICA_API mica_status mica_generate(mica_model *model, const char *prompt, const mica_generate_desc *desc);

/* The same of several prompts side by side, each of which ends by itself and gets what it would get alone with its seed, but for
 * scores so near to one another that rounding tells them apart. */
MICA_API mica_status mica_generate_all(mica_model *model, const char *const *prompts, int64_t count,
                                       const mica_generate_desc *desc);

/* ---- An encoder and a decoder ---- */

typedef struct mica_decode_desc {
    /* The model's input that reads what is written so far, (steps): first `start`, then the classes that were written; its
     * output says what comes next at each step. NULL: that of a model that was trained on pairs of texts, with its own start,
     * end and classes. */
    const char *input;
    const char *output;          /* (steps, classes), or (classes, steps); NULL: the first */
    int32_t start, end;          /* numbers of classes */
    const int32_t *suppress;     /* (suppress_count) classes that are never written, such as padding */
    int suppress_count;
    int64_t tokens;              /* are written at most, the end among them; 0: as many as the input has steps */
    int num_beams;               /* beam search; 0: 1, which always writes the most probable token */
    float length_penalty;        /* above 0 it favours longer answers: the score of n tokens is their sum of logarithms / n^it */
    bool (*on_written)(void *user, const mica_written *written); /* told of each answer, in the order of the samples; false: stop */
    void *user;
} mica_decode_desc;

/* Writes an answer to each sample of a part of the data, which have the model's other inputs, by beam search (Lowerre: "The
 * Harpy Speech Recognition System", 1976): at each step the num_beams most probable beginnings stay, and what ends counts
 * where it is among as many itself. A search ends when num_beams have ended, or no beginning can become better than the best
 * of them. The decoder must not read what stands behind a place: one that does is MICA_UNSUPPORTED. It is run one step a token
 * where its layers can be, with what it asks of the encoder computed once; otherwise all its steps for each. A stop that was
 * asked for is MICA_CANCELLED. */
MICA_API mica_status mica_decode(mica_model *model, mica_data *data, mica_part part, const mica_decode_desc *desc);

#ifdef __cplusplus
}
#endif
#endif
