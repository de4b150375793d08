/* Byte pairs: how pieces of a text become tokens by merging neighbours, and how tokens become bytes again.
 *
 * R. Sennrich, B. Haddow, A. Birch, "Neural machine translation of rare words with subword units", 2016; over bytes as A. Radford
 * et al., "Language models are unsupervised multitask learners", 2019. */
#ifndef MICA_SRC_DATA_PAIRS_H
#define MICA_SRC_DATA_PAIRS_H

#include "data/data.h"

enum { MI_BYTES = 256 }; /* the first tokens, one for each */

/* Pairs of tokens by number, each with a value: a hash table. */
struct mi_pairs {
    uint64_t *keys;            /* (slots) of the pair + 1; 0: free */
    int32_t *values;
    size_t slots, count;       /* slots: 0 or a power of 2 */
};

/* The value of a pair, which the caller may change until the next one is added; NULL: there is none. */
int32_t *mi_pairs_find(const struct mi_pairs *pairs, int32_t left, int32_t right);
bool mi_pairs_add(struct mi_pairs *pairs, int32_t left, int32_t right, int32_t value); /* a new one; false: out of memory */
void mi_pairs_destroy(struct mi_pairs *pairs);

/* The token of a byte, from 0 to 255: bytes that are printed come first, in the order that GPT-2 gives them. */
int32_t mi_token_of_byte(unsigned char byte);
/* The bytes of the piece that `text` begins with, not empty. A piece is a word with the blank before it, digits or marks as well,
 * or blanks; of English clitics such as 's each is one. */
size_t mi_piece_size(const char *text);
/* Learns merges from words that were seen so often: at most `most` new tokens, as long as a pair is there twice. Of pairs that are
 * seen as often the first by their numbers comes first. The list is the arena's. false: out of memory. */
bool mi_merges_learn(struct mi_arena *arena, const struct mi_words *words, const int64_t *seen, int most, struct mi_merge **merges,
                     int *count);

#endif
