/* What every folder may use: errors, memory, text, arenas, hashing, files. Depends on nothing of Mica's.
 *
 * Internal names begin with mi_ (functions, types) and MI_ (macros). */
#ifndef MICA_SRC_BASE_H
#define MICA_SRC_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mica/status.h>

#if defined(__GNUC__)
#define MI_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define MI_PRINTF(text, first)
#endif

#define MI_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- Errors: the first one stays. One printable line, no full stop, naming the place and both values. ---- */

struct mi_error {
    mica_status status;
    char text[1024];
};

/* Records an error unless one is there already. Returns `status`, so that `return mi_fail(...)` reads well. */
mica_status mi_fail(struct mi_error *error, mica_status status, const char *format, ...) MI_PRINTF(3, 4);
mica_status mi_out_of_memory(struct mi_error *error);
/* Copies the error of a child, if it has one, to where it reports. Returns its status. */
mica_status mi_error_report(struct mi_error *to, const struct mi_error *from);

#define MI_TRY(call)                                                                         \
    do {                                                                                     \
        mica_status mi_try_status = (call);                                                  \
        if (mi_try_status != MICA_OK)                                                        \
            return mi_try_status;                                                            \
    } while (0)

/* ---- Memory ---- */

/* count * size bytes; NULL when that overflows or the host is out of memory. Never NULL for a size of 0. Zeroed. */
void *mi_new(size_t count, size_t size);
/* Grows an array for at least `need` elements, doubling; false: out of memory, and nothing has changed. */
bool mi_grow(void *array_pointer, size_t *capacity, size_t need, size_t size);
char *mi_strdup(const char *text);

/* Of the machine, or of the group of processes that this one is in (Linux); 0: unknown. */
uint64_t mi_memory_bytes(void);

/* *out = a * b or a + b; false on overflow. */
bool mi_mul_size(size_t a, size_t b, size_t *out);
bool mi_add_size(size_t a, size_t b, size_t *out);

/* The quotient, rounded towards positive infinity; y is above 0. */
static inline int64_t mi_divide_up(int64_t x, int64_t y)
{
    return x > 0 ? (x - 1) / y + 1 : x / y;
}

/* ---- Text that is the same in every locale of the application ---- */

/* As vsnprintf and snprintf; a number has a point. Everything that Mica writes goes through these. */
int mi_vformat(char *out, size_t size, const char *format, va_list arguments) MI_PRINTF(3, 0);
int mi_format(char *out, size_t size, const char *format, ...) MI_PRINTF(3, 4);
double mi_read_double(const char *text, char **end); /* as strtod */
const char *mi_system_error(int code);               /* as strerror, in English; it stays until this thread's next call */
/* A JSON value from `size` bytes; *end is where it ends, or where it is wrong (then NULL comes back). The caller deletes it. */
struct cJSON *mi_json_read(const char *text, size_t size, const char **end);
char *mi_json_write(const struct cJSON *json, bool readable); /* the caller frees it; NULL: out of memory */

static inline bool mi_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline bool mi_is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* What an identifier is made of. */
static inline bool mi_is_word(char c)
{
    return mi_is_letter(c) || mi_is_digit(c) || c == '_';
}

static inline bool mi_is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static inline char mi_to_lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

static inline char mi_to_upper(char c)
{
    return (char)(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
}

/* ---- Arena: many small things that die together ---- */

struct mi_arena {
    struct mi_arena_chunk *chunks; /* newest first */
    bool failed;                   /* an allocation failed: what was built is incomplete */
};

void *mi_arena_new(struct mi_arena *arena, size_t count, size_t size); /* zeroed, aligned to 16; NULL: failed is set */
char *mi_arena_strdup(struct mi_arena *arena, const char *text);       /* NULL in, NULL out */
/* As sprintf, into the arena. Never NULL: "" when out of memory (failed is set). */
const char *mi_arena_format(struct mi_arena *arena, const char *format, ...) MI_PRINTF(2, 3);
const char *mi_arena_vformat(struct mi_arena *arena, const char *format, va_list arguments);
void mi_arena_destroy(struct mi_arena *arena);

/* ---- Text that grows: kernel sources, JSON, messages ---- */

struct mi_text {
    char *data; /* zero-terminated; NULL while empty: read it with mi_text_get */
    size_t size, capacity;
    bool failed;
};

void mi_text_add(struct mi_text *text, const char *format, ...) MI_PRINTF(2, 3);
void mi_text_append(struct mi_text *text, const char *bytes, size_t size);
const char *mi_text_get(const struct mi_text *text); /* never NULL */
void mi_text_clear(struct mi_text *text);            /* empty again, keeping its memory */
void mi_text_destroy(struct mi_text *text);

/* The bytes of the UTF-8 character that a text with a zero at its end begins with, and its number; 0: it is none (RFC 3629: no
 * overlong ones, no surrogates). */
size_t mi_utf8(const char *text, unsigned *point);

/* ---- Words from elsewhere: files, command lines, drivers ---- */

/* A word of unknown origin as messages show it: mica_printable's text, shortened with "...". mi_fail does the same to a whole
 * line, so this is for what may be long. */
struct mi_shown {
    char text[64];
};
struct mi_shown mi_show(const char *text);

/* The candidate that `word` is a misspelling of, or NULL; `candidates` is NULL-terminated. */
const char *mi_nearest(const char *word, const char *const *candidates);

/* Whether a name is what one of the patterns says, which commas or blanks part: "*" stands for any characters, "?" for one, as in
 * "generator.*, trunk.dense_?.weight" (pattern.c). NULL: every name is. */
bool mi_name_matches(const char *patterns, const char *name);
/* Whether one of the patterns is none of the names, a NULL-terminated list; the first such one, cut to `size`. */
bool mi_name_unmatched(const char *patterns, const char *const *names, char *pattern, size_t size);

/* What a message says behind a word that is not one of `words`: `; did you mean "dense"?`, or else which words there are. */
struct mi_advice {
    char text[400];
};
struct mi_advice mi_advise(const char *word, const char *const *words);
struct mi_advice mi_list(const char *const *words); /* `; there are "dense", "conv1d" and 20 more` */

/* Finds a number by a name in a time that does not grow with how many there are. All zero: empty. Names are borrowed. */
struct mi_names {
    struct mi_name { const char *name; size_t number; } *list;
    size_t count, capacity;
};
size_t *mi_names_find(const struct mi_names *names, const char *name);        /* NULL: there is none of that name */
bool mi_names_add(struct mi_names *names, const char *name, size_t number);   /* a new one; false: out of memory */
void mi_names_destroy(struct mi_names *names);

/* ---- Hashing (xxHash, 64 bits) ---- */

uint64_t mi_hash(const void *bytes, size_t size, uint64_t seed);
/* The same of bytes that come a piece at a time. NULL: out of memory; the end frees it. */
struct mi_hashing;
struct mi_hashing *mi_hashing_begin(uint64_t seed);
void mi_hashing_add(struct mi_hashing *hashing, const void *bytes, size_t size);
uint64_t mi_hashing_end(struct mi_hashing *hashing);

/* ---- Random numbers: Philox 4x32 (Salmon et al., SC 2011), the same bits as kernels/common.cl ---- */

void mi_philox(uint64_t seed, uint64_t stream, uint64_t counter, uint32_t out[4]);
/* Uniform in [0, 1) with 24 bits, by Philox 4x32-7; on the host only. */
float mi_uniform(uint64_t seed, uint64_t stream, uint64_t index);
/* Uniform in (0, 1) with 16 bits, by Philox 4x32-7: kernels' mica_chance. 64 numbers in a row come from 8 blocks: the low halves of
 * their first words, then the high ones, and so on. */
float mi_chance(uint64_t seed, uint64_t stream, uint64_t index);
/* A number of the standard normal distribution: what kernels' mica_normal (normal.cl) rounds. */
double mi_normal(uint64_t seed, uint64_t stream, uint64_t index);
/* Shuffles 0..count-1 (Fisher-Yates). */
void mi_shuffle(uint64_t seed, uint64_t stream, int64_t *order, int64_t count);

/* ---- Files ---- */

struct mi_file_limits {
    uint64_t bytes;            /* of the contents */
    uint64_t ratio;            /* of contents of more than 64 MiB to the size of their gzip file; 0: any */
    const char *advice;        /* behind an error about a limit: "; ..."; NULL: nothing */
};

/* Reads a whole file; the caller frees *bytes. A zero byte stands after the last. gzip is undone where the file is one (then *size
 * is that of the contents). Sizes that are known are checked before anything is allocated. Errors: MICA_IO, MICA_FORMAT, named by
 * path. */
mica_status mi_file_read_within(struct mi_error *error, const char *path, const struct mi_file_limits *limits,
                                unsigned char **bytes, size_t *size);
/* The same with a limit of bytes alone. */
mica_status mi_file_read(struct mi_error *error, const char *path, uint64_t limit, unsigned char **bytes, size_t *size);

/* Writes a file beside its place and renames it over, so that it is replaced whole or not at all. A link stays: what it leads to is
 * written. Removes what a process that was killed meanwhile left. */
struct mi_file;
mica_status mi_file_create(struct mi_error *error, const char *path, struct mi_file **file);
mica_status mi_file_write(struct mi_file *file, const void *bytes, size_t size); /* the first failure stays */
mica_status mi_file_write_floats(struct mi_file *file, const float *values, size_t count); /* little-endian */
/* Hashes what is written from now on; writes the hash of that, 8 bytes, the lowest first. */
mica_status mi_file_hash(struct mi_file *file);
mica_status mi_file_write_hash(struct mi_file *file);
mica_status mi_file_commit(struct mi_file *file);  /* frees it either way */
void mi_file_abandon(struct mi_file *file);        /* NULL is fine */
/* Cuts a file to `at` bytes, where it has more, and adds others there, all or none; makes a file that is not there. */
mica_status mi_file_append(struct mi_error *error, const char *path, uint64_t at, const void *bytes, size_t size);
uint64_t mi_file_size(const char *path); /* 0: there is none */
/* Whether a file could be written there: makes one beside its place, and removes it. */
mica_status mi_file_check_place(struct mi_error *error, const char *path);

/* "folder/of/path" joined with a relative name; an absolute name is itself. The caller frees it; NULL: out of memory. */
char *mi_path_join(const char *folder, const char *name);
/* The same path from the root on, as the current folder is now. The caller frees it; NULL: out of memory, or there is none. */
char *mi_path_absolute(const char *path);
char *mi_path_folder(const char *path); /* "." where there is none; the caller frees it */

/* ---- Folders ---- */

/* The user's cache folder of Mica: MICA_CACHE_DIR, else XDG_CACHE_HOME/mica, else HOME/.cache/mica. The caller frees it; NULL:
 * there is none, or MICA_CACHE_DIR is "off" or empty. Nothing is made. */
char *mi_cache_folder(void);
/* Makes a folder, and those above it, for this user alone; true when it is there. */
bool mi_folder_make(const char *path);
bool mi_folder_writable(const char *path);
uint64_t mi_folder_room(const char *path); /* bytes that this user may still write there; UINT64_MAX: not known */
/* Removes the oldest files that end in `suffix` until the others together have at most `limit` bytes. */
void mi_folder_trim(const char *path, const char *suffix, uint64_t limit);
void mi_file_remove(const char *path);

/* ---- Threads ---- */

int mi_processors(void); /* that this process may use; at least 1 */
/* Runs work(context, i) in up to `threads` threads at once; returns when all have ended. i is 0 in the caller's own thread. */
void mi_parallel(int threads, void (*work)(void *context, int thread), void *context);

/* ---- Libraries opened at run time ---- */

/* NULL: there is none of that name. name NULL: what the process has loaded already (NULL on Windows). */
void *mi_library_open(const char *name);
/* Copies the address of a function into *function, of `size` bytes; false: the library lacks it. */
bool mi_library_symbol(void *library, const char *name, void *function, size_t size);
/* Its code stays mapped: drivers keep threads that outlive the last use. */
void mi_library_close(void *library);

/* ---- Time ---- */

double mi_seconds(void); /* monotonic */

#endif
