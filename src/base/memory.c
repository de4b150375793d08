/* Host memory: checked allocation, arenas, growing text. */
#if !defined(_POSIX_C_SOURCE)
#define _POSIX_C_SOURCE 200809L
#endif
#include "base/base.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool mi_mul_size(size_t a, size_t b, size_t *out)
{
    if (b && a > SIZE_MAX / b)
        return false;
    *out = a * b;
    return true;
}

bool mi_add_size(size_t a, size_t b, size_t *out)
{
    if (a > SIZE_MAX - b)
        return false;
    *out = a + b;
    return true;
}

void *mi_new(size_t count, size_t size)
{
    size_t bytes;
    if (!mi_mul_size(count, size, &bytes))
        return NULL;
    return calloc(1, bytes ? bytes : 1);
}

bool mi_grow(void *array_pointer, size_t *capacity, size_t need, size_t size)
{
    if (need <= *capacity)
        return true;
    size_t wanted = *capacity ? *capacity : 8, bytes;
    while (wanted < need)
        wanted = wanted > SIZE_MAX / 2 ? need : wanted * 2;
    if (!mi_mul_size(wanted, size, &bytes))
        return false;
    void *old, *grown;
    memcpy(&old, array_pointer, sizeof old);
    grown = realloc(old, bytes);
    if (!grown)
        return false;
    memset((char *)grown + *capacity * size, 0, (wanted - *capacity) * size);
    memcpy(array_pointer, &grown, sizeof grown);
    *capacity = wanted;
    return true;
}

/* The number in a file of the kernel's; 0 where there is none, as "max" stands for. */
static uint64_t number_in(const char *path)
{
    char text[24] = "";
    uint64_t number = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t size = read(fd, text, sizeof text - 4);
    close(fd);
    for (const char *at = text; size > 0 && mi_is_digit(*at); at++)
        number = number * 10 + (uint64_t)(*at - '0');
    return number;
}

uint64_t mi_memory_bytes(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    uint64_t machine = pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : 0;
    uint64_t group = number_in("/sys/fs/cgroup/memory.max");
    return group && (!machine || group < machine) ? group : machine;
}

char *mi_strdup(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = mi_new(size, 1);
    if (copy)
        memcpy(copy, text, size);
    return copy;
}

/* ---- Arena ---- */

struct mi_arena_chunk {
    struct mi_arena_chunk *next;
    size_t used, size;
};

enum { ARENA_ALIGN = 16, ARENA_CHUNK = 64 * 1024 };
#define ARENA_HEADER ((sizeof(struct mi_arena_chunk) + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN)

static struct mi_arena_chunk *arena_chunk(struct mi_arena *arena, size_t bytes)
{
    struct mi_arena_chunk *chunk = arena->chunks;
    if (chunk && chunk->size - chunk->used >= bytes)
        return chunk;
    size_t size = bytes > ARENA_CHUNK ? bytes : ARENA_CHUNK, total;
    if (!mi_add_size(size, ARENA_HEADER, &total) || !(chunk = calloc(1, total)))
        return NULL;
    chunk->size = size;
    chunk->next = arena->chunks;
    arena->chunks = chunk;
    return chunk;
}

void *mi_arena_new(struct mi_arena *arena, size_t count, size_t size)
{
    size_t bytes;
    struct mi_arena_chunk *chunk = NULL;
    if (mi_mul_size(count, size, &bytes) && mi_add_size(bytes, ARENA_ALIGN, &bytes)) {
        bytes = bytes / ARENA_ALIGN * ARENA_ALIGN;
        chunk = arena_chunk(arena, bytes);
    }
    if (!chunk) {
        arena->failed = true;
        return NULL;
    }
    void *memory = (char *)chunk + ARENA_HEADER + chunk->used;
    chunk->used += bytes;
    return memory;
}

char *mi_arena_strdup(struct mi_arena *arena, const char *text)
{
    if (!text)
        return NULL;
    size_t size = strlen(text) + 1;
    char *copy = mi_arena_new(arena, size, 1);
    if (copy)
        memcpy(copy, text, size);
    return copy;
}

const char *mi_arena_vformat(struct mi_arena *arena, const char *format, va_list arguments)
{
    va_list again;
    va_copy(again, arguments);
    int length = mi_vformat(NULL, 0, format, arguments);
    char *text = length < 0 ? NULL : mi_arena_new(arena, (size_t)length + 1, 1);
    if (text)
        mi_vformat(text, (size_t)length + 1, format, again);
    va_end(again);
    return text ? text : "";
}

const char *mi_arena_format(struct mi_arena *arena, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const char *text = mi_arena_vformat(arena, format, arguments);
    va_end(arguments);
    return text;
}

void mi_arena_destroy(struct mi_arena *arena)
{
    while (arena->chunks) {
        struct mi_arena_chunk *next = arena->chunks->next;
        free(arena->chunks);
        arena->chunks = next;
    }
    arena->failed = false;
}

/* ---- Text ---- */

static bool text_reserve(struct mi_text *text, size_t more)
{
    size_t need;
    if (text->failed || !mi_add_size(text->size, more, &need) || !mi_add_size(need, 1, &need) ||
        !mi_grow(&text->data, &text->capacity, need, 1)) {
        text->failed = true;
        return false;
    }
    return true;
}

void mi_text_append(struct mi_text *text, const char *bytes, size_t size)
{
    if (!text_reserve(text, size))
        return;
    memcpy(text->data + text->size, bytes, size);
    text->size += size;
    text->data[text->size] = 0;
}

void mi_text_add(struct mi_text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = mi_vformat(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0 || !text_reserve(text, (size_t)length))
        return;
    va_start(arguments, format);
    mi_vformat(text->data + text->size, (size_t)length + 1, format, arguments);
    va_end(arguments);
    text->size += (size_t)length;
}

const char *mi_text_get(const struct mi_text *text)
{
    return text->data ? text->data : "";
}

void mi_text_clear(struct mi_text *text)
{
    text->size = 0;
    if (text->data)
        text->data[0] = 0;
}

void mi_text_destroy(struct mi_text *text)
{
    free(text->data);
    *text = (struct mi_text){0};
}
