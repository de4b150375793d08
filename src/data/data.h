/* Data sets behind include/mica/data.h: named fields, the preprocessing that a model carries, and the loader of batches.
 *
 * Samples stay as they were read (float32 or bytes); preprocessing is applied when a batch is made, so that
 * holding samples out can fit it again. */
#ifndef MICA_SRC_DATA_H
#define MICA_SRC_DATA_H

#include "base/types.h"

#include <cjson/cJSON.h>
#include <mica/data.h>

/* ---- Preprocessing of a field: all that turns a raw row into what the network sees, and an output into a name ---- */

struct mi_column {
    const char *name;          /* NULL: the table had no header */
    int nth;                   /* of the columns of this name, from 0: a table may have several */
    int index;                 /* among all columns of the table */
    bool logarithm;            /* the network sees the numbers' natural logarithms */
    unsigned calendar;         /* of dates: bit i says that feature i of the calendar (calendar.c) is one of its features */
    bool categorical;          /* one-hot: a feature for each of `values`, which are sorted */
    int count;                 /* of values */
    const char *const *values;
};

/* Two tokens that become one: the first 256 are bytes, and what a merge makes is the next one, unless there is one of its
 * text. */
struct mi_merge {
    int32_t left, right, token;
};

/* How a text becomes numbers of tokens (vocabulary.c). */
struct mi_vocabulary {
    mica_tokens tokens;
    bool lower;
    bool padded;               /* the first one, whose text is empty, is no token but padding */
    bool marked;               /* the next one, MI_MARK_TOKEN, stands before a text and behind it */
    bool pad_before, cut_before; /* of a column's texts: where padding stands, and where a text that is too long is cut */
    int count;                 /* with the last one, which stands for all that are unknown; 0: the field is no text */
    const char **texts;        /* (count); of byte pairs as GPT-2 writes them, a character of Unicode for each byte */
    int merge_count;           /* of byte pairs, which know every text: none of them is unknown */
    struct mi_merge *merges;   /* in the order of their learning; without padding */
};

#define MI_MARK_TOKEN "</s>"

/* How many numbers stand before those of tokens. */
static inline int mi_vocabulary_before(const struct mi_vocabulary *vocabulary)
{
    return vocabulary->padded + vocabulary->marked;
}

/* The number of what is unknown; -1: there is none. */
static inline int mi_vocabulary_unknown(const struct mi_vocabulary *vocabulary)
{
    return vocabulary->tokens == MICA_BPE ? -1 : vocabulary->count - 1;
}

/* How many numbers from the first one on are tokens or padding. */
static inline int mi_vocabulary_known(const struct mi_vocabulary *vocabulary)
{
    return vocabulary->tokens == MICA_BPE ? vocabulary->count : vocabulary->count - 1;
}

/* What a field sees of a series, from the row on at which a window begins: `steps` rows of those that are `rate` apart, of which
 * it leaves out the first `first`. */
struct mi_window {
    int64_t steps;             /* 0: the field is of no series */
    int64_t first, rate;
    int64_t told;              /* the first step that a target tells */
    int64_t stride;            /* rows from the beginning of a window to that of the next */
};

/* A raw row has as many numbers as the shape has elements, or as each step of a window has: categories are one-hot in it
 * already, a missing number is NaN where there is a `fill`. A field of classes has texts or numbers of classes instead, one a
 * sample, or numbers of classes at each place of its shape. All memory is the arena's. */
struct mi_preprocess {
    struct mi_arena arena;
    const char *name;          /* of the field; NULL: it is the only one of its role */
    mica_role role;
    mica_shape shape;          /* of a sample; rank 0: a class */
    struct mi_vocabulary vocabulary;
    struct mi_window window;   /* the shape is (steps, numbers of a row), or without a dimension of 1 */
    const struct mi_column *date; /* of an input: the column of the rows' dates; NULL: there is none */
    struct mi_column *columns; /* those of a table that it is read from; NULL: it was no table */
    int column_count;
    int table_columns;         /* of the whole table */
    char decimal;              /* of the table's numbers: '.' or ',' */
    mica_missing missing;
    const bool *logarithm;     /* (a raw row) of which numbers the logarithm is taken; NULL: of none */
    double *fill;              /* (a raw row) means of the training part, for MICA_MISSING_MEAN, of logarithms
                                * where these are taken; else NULL */
    int classes;               /* 0: not a classification. With a shape: there is one at each of its places */
    const char **class_names;  /* (classes); NULL: they are numbers */
    bool label_numbers;        /* data have the numbers of classes, though these have names */
    mica_normalize_type normalize;
    /* of subtract and divide: 0 (nothing is done), 1, the channels or the numbers of a raw row */
    int count;
    /* y = (x - subtract) / divide, each for neighbours in a raw row, which are as many for each */
    double *subtract, *divide;
};

/* Whether the values are numbers of classes. */
static inline bool mi_is_classes(const struct mi_preprocess *preprocess)
{
    return !preprocess->shape.rank || preprocess->classes > 0;
}

void mi_preprocess_destroy(struct mi_preprocess *preprocess);
/* Copies into *to, which must be zero or destroyed. */
mica_status mi_preprocess_copy(struct mi_error *error, const struct mi_preprocess *from,
                               struct mi_preprocess *to);
/* the caller deletes it; NULL: out of memory */
cJSON *mi_preprocess_to_json(const struct mi_preprocess *preprocess);
/* `json` may be hostile. On error *out is empty. `place` begins error texts. */
mica_status mi_preprocess_from_json(struct mi_error *error, const char *place, const cJSON *json,
                                    struct mi_preprocess *out);
/* The numbers of a raw row, and how many rows a sample has. */
size_t mi_preprocess_row(const struct mi_preprocess *preprocess);
size_t mi_preprocess_rows(const struct mi_preprocess *preprocess);
/* n raw rows as the network sees them; `out` may be `raw`. */
void mi_preprocess_apply(const struct mi_preprocess *preprocess, const float *raw, size_t n, float *out);
void mi_preprocess_doubles(const struct mi_preprocess *preprocess, const double *raw, size_t n, float *out);
/* One row of bytes, which lack no value. */
void mi_preprocess_bytes(const struct mi_preprocess *preprocess, const unsigned char *raw, float *out);
/* The other way round: n samples of what the network says of a target become numbers as the data have them. */
void mi_preprocess_undo(const struct mi_preprocess *target, float *values, size_t n);
size_t mi_column_width(const struct mi_column *column); /* its features */
/* Says of which numbers of a row logarithms are taken, as the columns have it. false: out of memory. */
bool mi_preprocess_mark(struct mi_preprocess *preprocess);
/* Features of the table's columns, and what feature i is called in an error: `column "x"` or `column 3`. */
size_t mi_preprocess_features(const struct mi_preprocess *preprocess);
const struct mi_column *mi_preprocess_feature(const struct mi_preprocess *preprocess, size_t i, int *column);

/* ---- The same of all fields, as a model carries it ---- */

struct mi_shape_text {
    char text[192];
};

struct mi_prepared {
    struct mi_preprocess *fields;
    int count;
};

void mi_prepared_destroy(struct mi_prepared *prepared);
/* A list of fields; `json` may be hostile. On error *out is empty. */
mica_status mi_prepared_from_json(struct mi_error *error, const char *place, const cJSON *json, struct mi_prepared *out);
/* The same from what mi_data_describe wrote; NULL: there are none. */
mica_status mi_prepared_parse(struct mi_error *error, const char *place, const char *text, struct mi_prepared *out);
/* The field of a role and a name; where there is one of that role alone, its name does not matter. NULL: there is none. */
const struct mi_preprocess *mi_prepared_find(const struct mi_prepared *prepared, mica_role role, const char *name);
/* What error texts call a field: its name in quotes with a blank before, or nothing where it is the only one. */
struct mi_shape_text mi_field_text(const struct mi_preprocess *field);

/* ---- Texts as numbers ---- */

/* `decimal` stands before a fraction: '.' or ','. false: the text is no number, to its end. */
bool mi_parse_number(const char *text, char decimal, double *out);
bool mi_is_whole(const char *text);                /* digits, with or without a sign */
bool mi_is_index(const char *text, int64_t *out);  /* 0, or up to nine digits that begin with another one */

/* ---- Dates ---- */

enum mi_date_precision { MI_DATE_YEAR, MI_DATE_MONTH, MI_DATE_DAY, MI_DATE_MINUTE, MI_DATE_SECOND };

struct mi_date {
    int year, month, day, hour, minute, second; /* month and day count from 1 */
    enum mi_date_precision precision;           /* what was said; the rest is the first of its kind */
};

/* 2024, 2024-03, 2024-03-31, also with / and ., 31.03.2024; behind a day a time of day, 2024-03-31T17:30:00. false: it is
 * none. */
bool mi_date_read(const char *text, struct mi_date *out);
int64_t mi_date_days(const struct mi_date *date);       /* from 1 January 1970 */
int64_t mi_date_seconds(const struct mi_date *date);
struct mi_date mi_date_from_seconds(int64_t seconds);   /* without a precision; of years from 0 to 9999 and somewhat more */
int mi_days_of_month(int year, int month);
struct mi_shape_text mi_date_text(const struct mi_date *date); /* as precise as it is */

/* What of a date may be a feature, in the order of the bits of a column's `calendar`; NULL-terminated. */
const char *const *mi_calendar_names(void);
int mi_calendar_width(unsigned features);
void mi_calendar_features(unsigned features, const struct mi_date *date, double *out);
/* The first of the features for which the date is not precise enough; NULL: there is none. */
const char *mi_calendar_lacks(unsigned features, const struct mi_date *date);

/* ---- Words: different texts, numbered in the order they came in ---- */

struct mi_words {
    struct mi_arena arena;
    const char **list;         /* (count) */
    size_t count, capacity;
    uint32_t *slots;           /* a hash table of number + 1; 0: free */
    size_t slot_count;         /* 0 or a power of 2 */
};

bool mi_words_add(struct mi_words *words, const char *text, size_t *number); /* false: out of memory */
/* Sorts them, by_value: as numbers where all are. places[old number] is the new one; NULL: nobody asks. Nothing can be
 * added any more. false: out of memory. */
bool mi_words_sort(struct mi_words *words, bool by_value, uint32_t *places);
void mi_words_destroy(struct mi_words *words);

/* ---- Tokens of texts ---- */

/* What stands for a token that a vocabulary lacks: U+FFFD, the replacement character. */
#define MI_UNKNOWN_TOKEN "\xef\xbf\xbd"

struct mi_tokens {
    int32_t *list;
    size_t count, capacity;
};

/* The first byte that is zero or begins no character of UTF-8; `size`: there is none. A zero stands behind the text. */
size_t mi_text_fault(const char *text, size_t size);
/* Appends the tokens of a text, as the vocabulary takes it apart, by their numbers in `words`. false: out of memory. */
bool mi_tokens_read(const struct mi_vocabulary *how, const char *text, struct mi_words *words, struct mi_tokens *tokens);
size_t mi_tokens_cost(mica_tokens tokens); /* what a byte of a text takes at most while it is read */
bool mi_is_mark(const char *token); /* of words: a token that stands without a blank before it */
/* Whether there are such tokens, and whether a vocabulary of so many (0: of all) has room for what is none of them. */
mica_status mi_vocabulary_check(struct mi_error *error, const char *place, const struct mi_vocabulary *how, int most);
/* Makes the vocabulary of the words that were seen, `seen` times each: all in the order of their characters, or those that were
 * seen most often, so many that it has `most` with padding and what is unknown; 0: no limit. false: out of memory. */
bool mi_vocabulary_make(struct mi_vocabulary *vocabulary, struct mi_arena *arena, const struct mi_words *words, const int64_t *seen,
                        int most);
/* The texts of a vocabulary of byte pairs, from its merges, whose numbers are good. false: out of memory. */
bool mi_vocabulary_spell(struct mi_vocabulary *vocabulary, struct mi_arena *arena);

/* What words are in a vocabulary: word w has the numbers from list[begin[w]] to before list[begin[w + 1]]. */
struct mi_numbering {
    int32_t *list;
    size_t *begin, words;      /* (words + 1) */
};

bool mi_vocabulary_number(const struct mi_vocabulary *vocabulary, const struct mi_words *words, struct mi_numbering *out);
void mi_numbering_destroy(struct mi_numbering *numbering);
/* Puts the numbers of words in the place of the words. Marks are rising places between tokens, from 0 to their number, and become
 * those between the same words. false: out of memory. */
bool mi_tokens_number(const struct mi_numbering *numbering, struct mi_tokens *tokens, int64_t *marks, size_t mark_count);
/* Appends the bytes that the text of a token of byte pairs stands for, and gives their number; the text that stands for a
 * byte. */
size_t mi_token_bytes(const char *text, struct mi_text *out);
const char *mi_byte_text(struct mi_arena *arena, unsigned char byte);
/* Moves the characters that begin `bytes` to `out`: one that is not whole yet stays, unless `all` are taken. Bytes that are of no
 * character, and zeros, become U+FFFD. */
void mi_characters_take(struct mi_text *bytes, bool all, struct mi_text *out);
bool mi_is_blank(unsigned point);
bool mi_is_mark_point(unsigned point); /* a token of its own; an apostrophe and a low line are parts of words */

/* ---- Names of columns, which may repeat ---- */

struct mi_column_names {
    struct mi_named *sorted;
    size_t count;
};

/* Borrows the texts; NULL in `list` is no name. false: out of memory. */
bool mi_column_names_create(struct mi_column_names *names, const char *const *list, size_t count);
void mi_column_names_destroy(struct mi_column_names *names);
/* How many have this name; the place in the list of the nth of them; which of them stands at a place. */
size_t mi_column_names_repeats(const struct mi_column_names *names, const char *name);
bool mi_column_names_find(const struct mi_column_names *names, const char *name, size_t nth, size_t *place);
size_t mi_column_names_nth(const struct mi_column_names *names, const char *name, size_t place);

/* ---- Shapes of samples ---- */

/* false: no dimension, one below 1, or too many */
bool mi_sample_elements(const mica_shape *shape, size_t *elements);
struct mi_shape_text mi_sample_text(const mica_shape *shape);       /* "[1, 28, 28]" */
bool mi_sample_same(const mica_shape *a, const mica_shape *b);
/* Whether data of shape `from` may be read as `to`: the same number of elements, and not channels last as
 * channels first or the other way round. The error hints at channels first where that helps. */
mica_status mi_sample_reshape(struct mi_error *error, const char *place, const mica_shape *from,
                              const mica_shape *to);

/* What element i of an input is called in errors: "column 2 (age)" of a table, counted from 1, else "input 3". */
struct mi_shape_text mi_preprocess_input_text(const struct mi_preprocess *preprocess, size_t i);

/* ---- Data sets ---- */

enum { MI_MOST_CLASSES = 1000000 };

/* Labels as texts: which class a text is, is decided when the data meet a model. */
struct mi_label_texts {
    struct mi_words words;       /* sorted */
    int32_t *of_word;            /* (words) the class of each now; NULL before it is decided */
    const char *const *names;    /* (name_count) of classes by number, from a table's first line; else NULL */
    size_t name_count;
    int64_t room;                /* of the model that they were decided for */
};

/* Texts of a column: their tokens lie one behind the other. Until the field is finished these are numbers of words. */
struct mi_texts {
    struct mi_words words;       /* every different token */
    struct mi_tokens tokens;
    int most;                    /* the size of the vocabulary that is asked for; 0: all */
    int64_t length;              /* tokens of a sample that are asked for; 0: those of the longest */
    int64_t cut, unknown;        /* texts that were too long; tokens that the vocabulary lacks */
};

/* Lines about what was understood, in this order. */
enum mi_note {
    MI_NOTE_TABLE, MI_NOTE_DATES, MI_NOTE_INPUTS, MI_NOTE_TEXTS, MI_NOTE_LEFT_OUT, MI_NOTE_LABEL, MI_NOTE_DROPPED, MI_NOTES
};

/* What each sample has under one name: an array of numbers, or a class. */
struct mi_field {
    struct mi_preprocess preprocess;
    bool fitted_before;        /* the preprocessing is a model's: it is never fitted here */
    mica_normalize normalize;  /* as it was asked for; its lists are borrowed until the data are finished */
    size_t elements;           /* of a sample */
    unsigned char *bytes;      /* samples x elements; one of these five, and none where an application fills batches */
    float *floats;
    double *doubles;           /* where floats would lose what tells the values of an element apart */
    int32_t *classes;          /* samples */
    const int32_t *tokens;     /* of a text: the data's, from the first window's first one on, or those of `texts`; borrowed */
    const int64_t *starts;     /* (samples) where each window begins among them, or among the rows; borrowed. NULL: a row is a
                                * sample, or the classes of the windows are known */
    struct mi_texts texts;     /* of a column of texts */
    /* Of sequences of different lengths, whose shape begins with the most steps: sample i has the steps from offsets[i] to before
     * offsets[i + 1], each of `width` values, and what is left of the shape is padding, which is 0 and is not stored. */
    int64_t *offsets;          /* (samples + 1); NULL: all samples fill the shape */
    size_t width;
    struct mi_field *lengths;  /* a field of how many steps each sample has; NULL: nobody has asked for it */
    const struct mi_field *lengths_of; /* of such a field: whose steps it counts; else NULL */
    struct mi_label_texts labels;   /* the texts behind them */
    char (*numbers)[8];        /* names of classes that have none */
};

/* When the rows of a series were. */
struct mi_dates {
    int64_t *seconds;          /* (rows) since 1970; NULL: nobody knows */
    enum mi_date_precision precision; /* as they are shown */
    bool months, ends;         /* a step is so many months, otherwise so many seconds; each is the last day of its month */
    int64_t step;              /* as most are */
};

struct mica_data {
    struct mi_error error;     /* why they are of no use: every call repeats it */
    struct mi_error refused;   /* the first argument that was wrong: told, but it blocks nothing */
    mica_device *device;       /* borrowed; may be NULL */
    int64_t samples;
    struct mi_field **fields;
    int field_count;
    size_t field_capacity;
    mica_fill *fill;           /* makes the samples of a batch; NULL: the fields hold them */
    void *fill_user;
    size_t first_line;         /* of a table, the line of its first sample; else 0 */
    uint32_t *lines;           /* (samples) the line of each; NULL: they follow the first one */
    int64_t *order;            /* the samples of training, then validation, then test */
    int64_t *first_order;      /* the same before anything was held out */
    int64_t count[3];          /* of each part */
    bool divided;              /* the parts are a split's, not files' */
    bool in_order;             /* what is held out is the end of the training part, not drawn from it */
    int32_t *tokens;           /* of texts, whose windows the samples are; NULL: there are none */
    int64_t *starts;           /* (samples) the first token or row of each window */
    int64_t window;            /* tokens that a sample reads; those that it should tell are one place further on. Of a series the
                                * rows from the first that it should tell on */
    struct mi_dates dates;
    int64_t rows, reach;       /* of a series: the rows that there are, and those from a window's first one to its last */
    int64_t gap;               /* samples that are in no part since hold_out, as their windows reach into what was held out */
    int readers;               /* loaders that there are: while one reads, what it reads stays as it is */
    int64_t held_out;          /* samples of the validation part that hold_out took from the training part */
    char *notes[MI_NOTES];     /* NULL: nothing to say */
};

/* A new field, empty. The name is copied; NULL: the only one of its role. NULL: out of memory, as the data's error says. */
struct mi_field *mi_data_add(mica_data *data, const char *name, mica_role role);
void mi_field_destroy(struct mi_field *field);
/* The name of a class, or its number; "" where there is none. */
const char *mi_field_class_name(const struct mi_field *field, int i);
/* The field of a role and a name (NULL: the first); where there is one of that role alone, its name does not matter. NULL:
 * there is none. */
struct mi_field *mi_data_field(const mica_data *data, mica_role role, const char *name);
int mi_data_fields(const mica_data *data, mica_role role); /* how many have it */
/* A list of what every field is prepared by, as JSON; the caller deletes it. NULL: out of memory. */
cJSON *mi_data_describe(const mica_data *data);
/* Room for the values of all samples, of the smallest kind that holds them: 1 byte, 4 or 8 for each element. */
mica_status mi_field_make(mica_data *data, struct mi_field *field, size_t bytes);

/* What mi_data_finish needs beyond what the reader of a format filled in. */
struct mi_finish {
    const char *place;         /* begins error texts: the path */
    const char *const *places; /* of each field, where they come from several files; NULL: all from `place` */
    mica_split split;
    mica_shape sample_shape;   /* of the only input; rank 0: as it is */
    const struct mi_prepared *fitted; /* NULL: fit */
};

/* What each field sees of a series as it is described. An error where a number is out of range. */
mica_status mi_series_describe(mica_data *data, const char *place, const mica_series *series);
/* The data's samples, which were the rows of a series in order of time, become windows over them, as each field sees them. A
 * sample has no window where a target would be behind the end. to_end: the last window ends with the last row; otherwise the
 * first one begins with the first. */
mica_status mi_series_cut(mica_data *data, const char *place, bool to_end);
/* The date of a row, while they are read; the samples are the rows. Then how evenly they follow one another is noted, `all`
 * that is known of them or only what is odd; and the date of a row, also of one that would follow (false: it has none). */
mica_status mi_dates_add(mica_data *data, int64_t row, const struct mi_date *date);
mica_status mi_dates_finish(mica_data *data, bool all);
bool mi_dates_text(const mica_data *data, int64_t row, struct mi_shape_text *out);
/* Numbers of all samples together, as they were read, each once. */
size_t mi_field_count(const mica_data *data, const struct mi_field *field);

mica_data *mi_data_create(mica_device *device); /* NULL: out of memory */
/* Allocates order and checks, splits, reshapes and fits. The reader has set samples, count (of the files' parts), and of each
 * field its elements, values, and the table's or the shape's side of the preprocessing. */
mica_status mi_data_finish(mica_data *data, const struct mi_finish *finish);
/* Sample by sample, the text of a label; then all of them become classes: those of `fitted`, or such that there is no
 * model yet. */
mica_status mi_labels_add(mica_data *data, struct mi_field *field, const char *place, int64_t sample, const char *text);
mica_status mi_labels_finish(mica_data *data, struct mi_field *field, const char *place, const struct mi_preprocess *fitted);
void mi_labels_destroy(struct mi_label_texts *labels);
/* Sample by sample, from 0 on, the text of a column, taken apart as the vocabulary of `how` says; `text` is UTF-8. */
mica_status mi_texts_add(mica_data *data, struct mi_field *field, const struct mi_vocabulary *how, int64_t sample,
                         const char *text);
/* All texts become numbers in a vocabulary, which is made of the training part, or is that of `fitted`, and the field gets its
 * shape: so many tokens. The parts are known. A field without texts stays as it is. */
mica_status mi_texts_finish(mica_data *data, struct mi_field *field, const struct mi_preprocess *fitted);
void mi_texts_destroy(struct mi_texts *texts);
/* The line about texts that were cut, and tokens that are unknown. */
mica_status mi_data_note_texts(mica_data *data);
extern const char *const mi_tokens_names[];     /* NULL-terminated, in the order of their values */
const char *mi_tokens_noun(mica_tokens tokens); /* "words and marks" */
/* The field meets a model whose output has room for so many classes. Where every label is a number below that, as 0, 7 or
 * 12, numbers are the classes; otherwise labels are words, and the classes are these in sorted order. */
mica_status mi_data_settle(mica_data *data, struct mi_field *field, struct mi_error *error, int64_t room);

/* Takes the text; an empty one is no note. Memory that was short for it is an error of the data. */
void mi_data_note(mica_data *data, enum mi_note kind, struct mi_text *line);
/* The columns of an input; of a target its columns and classes. Nothing is added where there are none. */
void mi_note_field(const struct mi_preprocess *preprocess, struct mi_text *line);
/* The line of all inputs, or of all that are none. */
mica_status mi_data_note_fields(mica_data *data, bool inputs);
/* The names of the classes, where they have some. */
void mi_list_classes(const struct mi_preprocess *preprocess, struct mi_text *line);
/* Item i of a list that may be long: "a, b and 7 more". Call it for every i, or until one more than is named. */
void mi_list_item(struct mi_text *line, size_t i, size_t count, const char *text);

mica_status mi_data_number_classes(mica_data *data, struct mi_field *field); /* names for classes that have none */
/* Reports the data's error to its device and returns its status: the last line of every function that can
 * fail. */
mica_status mi_data_report(mica_data *data);
/* Gives every sample another shape of the same number of elements; its values stay as they are. */
mica_status mi_data_reshape(mica_data *data, struct mi_field *field, struct mi_error *error, const char *place, mica_shape shape);
mica_status mi_data_fit(mica_data *data); /* normalisation and fill of all fields, on the training part */
/* Prepares the arrays of a normalisation; mi_data_fit fills those that depend on data. */
mica_status mi_normalize_prepare(mica_data *data, struct mi_field *field, const char *place);
/* What a sample is called in errors: the line of a table, "line 7", else "sample 7", or "sample 7 of the test part" where
 * each part has files of its own. */
struct mi_shape_text mi_data_sample_text(const mica_data *data, int64_t index);
/* How many steps a sample has of a field whose shape begins with them. */
int64_t mi_field_length(const struct mi_field *field, int64_t index);
/* A field of one number a sample, which is that; the other one's. NULL: out of memory, as the data's error says. */
struct mi_field *mi_field_lengths(mica_data *data, struct mi_field *field);
/* Gives samples a shape of as many steps as `shape` has, where they have no more: the others become padding. */
mica_status mi_data_lengthen(mica_data *data, struct mi_field *field, struct mi_error *error, const char *place, mica_shape shape);
/* The numbers of one sample as the network sees them. `index` counts all samples. */
void mi_field_values(const struct mi_field *field, int64_t index, float *out);
/* The same with all the digits that there are, where nothing is normalised; `row` has room for the floats. */
void mi_field_doubles(const struct mi_field *field, int64_t index, float *row, double *out);
/* The same as elements of a type. */
void mi_field_elements(const struct mi_field *field, int64_t index, enum mi_type type, float *row, void *out);
/* The index of the i-th sample of a part, for mi_field_values and classes. */
int64_t mi_data_index(const mica_data *data, mica_part part, int64_t i);

/* ---- The order of an epoch's samples (order.c) ---- */

struct mi_order;

struct mi_order_desc {
    int64_t samples, batch;    /* how many there are, and in a batch */
    uint64_t seed;             /* epoch e is shuffled by mi_shuffle(seed, e) */
    bool shuffle;
    /* Batches have samples of similar lengths, which this tells of each; NULL: nobody asks. Called while the order is created. */
    int64_t (*length_of)(const void *of, int64_t sample);
    const void *of;
};

struct mi_order *mi_order_create(const struct mi_order_desc *desc); /* NULL: out of memory */
/* The samples of an epoch in their order; the order's, until the next call. */
const int64_t *mi_order_of(struct mi_order *order, uint64_t epoch);
void mi_order_destroy(struct mi_order *order); /* NULL is fine */

/* ---- Loader: batches in an epoch's order, prepared by a thread while the device works ---- */

enum { MI_LOADER_SLOTS = 2 };

struct mi_loader;

struct mi_loader_desc {
    mica_part part;
    int64_t batch;   /* the most samples in a batch; at least 1 */
    uint64_t seed;   /* of the order, as mi_order_desc has it */
    bool shuffle;
    bool bucket_by_length; /* batches of similar lengths: the longest that a sample's inputs have */
    bool no_thread;  /* prepare each batch when it is asked for */
    struct mi_field *const *fields; /* (field_count) what a batch holds; borrowed */
    const enum mi_type *types; /* (field_count) of the elements; NULL: floats, and int32 for classes; read once */
    int field_count;
};

struct mi_batch {
    void *const *fields;       /* of each field of the description n x elements of its type, preprocessed */
    int64_t n;                 /* samples: desc.batch, or fewer in the last batch */
    int64_t first;             /* the place of its first sample in the epoch */
    int slot;
};

/* Borrows `data`, which must not change while the loader lives. Errors go to data->error; *out is then NULL.
 * All memory is allocated here. Where no thread can be had, batches are prepared when they are asked for. */
mica_status mi_loader_create(mica_data *data, const struct mi_loader_desc *desc, struct mi_loader **out);
void mi_loader_destroy(struct mi_loader *loader); /* also in the middle of an epoch; NULL is fine */
/* Begins an epoch: the thread starts on its first batches. All slots count as released. */
void mi_loader_begin(struct mi_loader *loader, uint64_t epoch);
void mi_loader_begin_at(struct mi_loader *loader, uint64_t epoch, int64_t batch); /* with a batch in the middle of it */
/* The next batch, or false: the epoch is over (out->n is 0), or the caller holds every slot (out->n is -1).
 * Waits for the thread only. */
bool mi_loader_next(struct mi_loader *loader, struct mi_batch *out);
void mi_loader_release(struct mi_loader *loader, int slot); /* the device has read it */
int64_t mi_loader_batches(const struct mi_loader *loader);   /* in an epoch */
bool mi_loader_failed(struct mi_loader *loader);             /* an application's function could not fill a batch */

#endif
