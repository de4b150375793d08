/* The whole kernel: its head, its arguments and its body. */
#include "emit/emit.h"

#include <stdlib.h>
#include <string.h>

struct mi_code *mi_code_add(struct mi_emitter *e, struct mi_codes *codes)
{
    if (codes->count == codes->capacity) {
        int capacity = codes->capacity ? 2 * codes->capacity : 2;
        struct mi_code *grown = mi_arena_new(e->arena, (size_t)capacity, sizeof *grown);
        if (!grown) {
            mi_out_of_memory(e->error);
            return NULL;
        }
        if (codes->count)
            memcpy(grown, codes->code, (size_t)codes->count * sizeof *grown);
        codes->code = grown;
        codes->capacity = capacity;
    }
    return &codes->code[codes->count++];
}

/* ---- Sizes ---- */

/* A size that stays a number: short loops are written out, and what is one or two often falls away. */
enum { MOST_WRITTEN = 4 };

/* The number of the argument that holds the size. Inside one body equal sizes are one argument, but for those that are apart. */
static int size_argument(struct mi_code *code, int first, const bool *apart, int64_t size)
{
    for (int i = first; i < code->sizes; i++)
        if (!apart[i] && code->size[i] == size)
            return i;
    if (code->sizes == MI_MAX_SIZES)
        return -1;
    code->size[code->sizes] = size;
    return code->sizes++;
}

/* Adds a text in which every "@NUMBER" becomes an argument of the kernel. With `all_apart`, for definitions and for what runs
 * once, and where it is "@@NUMBER", each has its own, so that kernels of other sizes have the same source although some of theirs
 * are equal, or small. */
static void add_sized(struct mi_text *out, struct mi_code *code, const char *text, bool all_apart)
{
    int first = code->sizes;
    bool apart[MI_MAX_SIZES] = {false};
    for (const char *mark; (mark = strchr(text, '@')) != NULL;) {
        char *end;
        mi_text_append(out, text, (size_t)(mark - text));
        bool own = all_apart || mark[1] == '@';
        const char *number = mark + 1 + (mark[1] == '@');
        int64_t size = strtoll(number, &end, 10);
        bool written = !own && size <= MOST_WRITTEN;
        int at = written ? -1 : size_argument(code, own ? code->sizes : first, apart, size);
        if (at >= 0 && own)
            apart[at] = true;
        if (at < 0)
            mi_text_append(out, number, (size_t)(end - number));
        else
            mi_text_add(out, "dim%d", at);
        text = end;
    }
    mi_text_append(out, text, strlen(text));
}

const char *mi_sizes_apart(struct mi_arena *arena, const char *text)
{
    struct mi_text apart = {0};
    for (const char *mark; (mark = strchr(text, '@')) != NULL; text = mark + 1)
        mi_text_add(&apart, "%.*s@@", (int)(mark - text), text);
    mi_text_append(&apart, text, strlen(text));
    const char *kept = apart.failed ? NULL : mi_arena_strdup(arena, mi_text_get(&apart));
    arena->failed = arena->failed || !kept;
    mi_text_destroy(&apart);
    return kept ? kept : "";
}

/* ---- Head and body ---- */

static const char *qualifier(const struct mi_argument *argument)
{
    return argument->written ? "" : "const ";
}

static const char *stored_type(const struct mi_argument *argument)
{
    return argument->value ? mi_types[argument->value->type].stored : "float";
}

static void add_sizes(struct mi_text *out, const struct mi_code *code)
{
    for (int i = 0; i < code->sizes; i++)
        mi_text_add(out, ",%s const %s dim%d", i % 10 ? "" : "\n   ", code->size[i] > INT32_MAX ? "long" : "int", i);
}

/* What runs in a repeat is told which turn it is, of each repeat around it, the outermost first. */
static void add_turns(struct mi_text *out, const struct mi_emitter *e, int repeat, const char *before)
{
    if (!repeat)
        return;
    const struct mi_graph *graph = e->kernel->nodes[0]->graph;
    add_turns(out, e, graph->repeats[repeat].outer, before);
    mi_text_add(out, ", %s%s", before, mi_turn_name(graph, repeat));
}

/* A launch for several kernels finds places and sizes in the row of a table, the places first. */
static void add_row(struct mi_text *out, const struct mi_emitter *e, const struct mi_code *code)
{
    mi_text_add(out, "    __global const long *restrict row = table + get_global_id(1) * %d;\n", e->arguments + code->sizes);
    for (int i = 0; i < e->arguments; i++)
        mi_text_add(out, "    const ulong o%d = row[%d];\n", i, i);
    for (int i = 0; i < code->sizes; i++)
        mi_text_add(out, "    const int dim%d = row[%d];\n", i, e->arguments + i);
}

/* Local memory is an argument too: its size is then no part of the source. On POCL it must be, as the compiler would give the
 * function of an array in the kernel the address of all threads' one. */
static void add_head(struct mi_text *out, const struct mi_emitter *e, const char *name, const struct mi_code *code)
{
    mi_text_add(out, "__kernel void %s(__global const mica_step *restrict mica_s", name);
    for (int i = 0; i < e->arguments; i++) {
        mi_text_add(out, ",\n    __global %s%s *restrict q%d", qualifier(&e->argument[i]), stored_type(&e->argument[i]), i);
        if (!e->alike)
            mi_text_add(out, ", const ulong o%d", i);
    }
    if (e->alike)
        mi_text_add(out, ",\n    __global const long *restrict table");
    else
        add_sizes(out, code);
    add_turns(out, e, e->kernel->repeat, "const int ");
    for (int i = 0; i < e->locals; i++)
        mi_text_add(out, ",\n    __local %s *restrict %s", e->local[i].type, e->local[i].name);
    mi_text_add(out, ")\n{\n    const int n = mica_s->n;\n    if (n == 0)\n        return;\n");
    if (e->alike)
        add_row(out, e, code);
}

static void add_kernel(struct mi_text *out, const struct mi_emitter *e, const char *name, const struct mi_code *code,
                       const char *body)
{
    add_head(out, e, name, code);
    for (int i = 0; i < e->arguments; i++)
        mi_text_add(out, "    __global %s%s *restrict p%d = q%d + o%d;\n", qualifier(&e->argument[i]),
                    stored_type(&e->argument[i]), i, i, i);
    mi_text_add(out, "%s}\n", body);
}

/* The body as a function NAME_body. Work-item functions are known in kernels alone, so it is given what they say. */
static void add_function(struct mi_text *out, const struct mi_emitter *e, const char *name, const struct mi_code *code,
                         const char *body)
{
    mi_text_add(out, "#define get_global_id(axis) mica_id##axis\n#define get_global_size(axis) mica_size##axis\n"
                     "%sstatic void %s_body(\n"
                     "    __global const mica_step *restrict mica_s, const int n%s",
                e->device->quirks.copies_kernels ? "__attribute__((noinline)) " : "", name,
                e->by_rows ? ", const int mica_first" : "");
    for (int i = 0; i < e->arguments; i++)
        mi_text_add(out, ",\n    __global %s%s *restrict p%d", qualifier(&e->argument[i]), stored_type(&e->argument[i]), i);
    for (int i = 0; i < e->locals; i++)
        mi_text_add(out, ",\n    __local %s *restrict %s", e->local[i].type, e->local[i].name);
    add_sizes(out, code);
    add_turns(out, e, e->kernel->repeat, "const int ");
    mi_text_add(out, ",\n    const size_t mica_id0, const size_t mica_id1, const size_t mica_id2, const size_t mica_size0)\n"
                     "{\n%s}\n#undef get_global_id\n#undef get_global_size\n", body);
}

/* A kernel that only calls the function. */
static void add_function_and_kernel(struct mi_text *out, const struct mi_emitter *e, const char *name,
                                    const struct mi_code *code, const char *body)
{
    add_function(out, e, name, code, body);
    add_head(out, e, name, code);
    mi_text_add(out, "    %s_body(mica_s, n", name);
    for (int i = 0; i < e->arguments; i++)
        mi_text_add(out, ", q%d + o%d", i, i);
    for (int i = 0; i < e->locals; i++)
        mi_text_add(out, ", %s", e->local[i].name);
    for (int i = 0; i < code->sizes; i++)
        mi_text_add(out, ", dim%d", i);
    add_turns(out, e, e->kernel->repeat, "");
    mi_text_add(out, ",\n        get_global_id(0), get_global_id(1), get_global_id(2), get_global_size(0));\n}\n");
}

/* No type is wider than 8 bytes. */
static int64_t local_bytes(const struct mi_local *local)
{
    int64_t count = local->count > 0 ? local->count : 1;
    return count * (strcmp(local->type, "float") == 0 ? 4 : 8);
}

void mi_emit_finish(struct mi_emitter *e, const char *name, const char *prologue, struct mi_code *code)
{
    struct mi_text out = {0}, body = {0};
    mi_text_add(&out, "#define IDX %s\n", e->wide ? "long" : "int");
    add_sized(&out, code, prologue, true);
    add_sized(&body, code, mi_text_get(&e->text), e->once || e->alike);
    for (int i = 0; i < e->locals; i++)
        code->local[code->locals++] = local_bytes(&e->local[i]);
    bool apart = e->device->quirks.copies_kernels && e->device->is_cpu;
    (e->by_rows ? add_function : apart ? add_function_and_kernel : add_kernel)(&out, e, name, code, mi_text_get(&body));
    code->name = mi_arena_strdup(e->arena, name);
    code->source = mi_arena_strdup(e->arena, mi_text_get(&out));
    memcpy(code->argument, e->argument, sizeof code->argument);
    code->arguments = e->arguments;
    mi_emit_text_end(e, &body);
    mi_emit_text_end(e, &out);
    mi_text_clear(&e->text);
    e->arguments = e->locals = e->names = 0;
    e->memos = e->bounds = 0;
    e->draws = e->knowns = 0;
    e->along = NULL;
}
