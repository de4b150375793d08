/* Kernels whose body is a file of kernels/, with generated text at its markers. */
#include "emit/emit.h"

#include <string.h>

const char *mi_emit_take(struct mi_emitter *e)
{
    const char *text = mi_arena_strdup(e->arena, mi_text_get(&e->text));
    e->arena->failed = e->arena->failed || e->text.failed;
    mi_text_clear(&e->text);
    return text ? text : "";
}

static void add_template(struct mi_text *out, const char *text, const char *const *marker, const char *const *with,
                         int count)
{
    while (*text) {
        const char *next = NULL;
        int which = -1;
        for (int i = 0; i < count; i++) {
            const char *found = strstr(text, marker[i]);
            if (found && (!next || found < next)) {
                next = found;
                which = i;
            }
        }
        if (!next) {
            mi_text_append(out, text, strlen(text));
            return;
        }
        mi_text_append(out, text, (size_t)(next - text));
        mi_text_append(out, with[which], strlen(with[which]));
        text = next + strlen(marker[which]);
    }
}

bool mi_add_file(struct mi_text *out, const char *file, const char *const *marker, const char *const *with, int count)
{
    const char *text = mi_kernel_text(file);
    if (text)
        add_template(out, text, marker, with, count);
    return text != NULL;
}

struct mi_grid mi_grid_of_items(const mica_device *device, int64_t items)
{
    int64_t local = device->is_cpu ? 1 : 64, groups = mi_divide_up(items, local);
    int64_t most = device->is_cpu ? 16 * (int64_t)device->info.compute_units : 65535;
    return (struct mi_grid){
        .dims = 1, .global = {(size_t)((groups < most ? groups : most) * local)}, .local = {(size_t)local}};
}

mica_status mi_emit_body(struct mi_emitter *e, const char *name, const char *prologue, struct mi_grid grid,
                         struct mi_codes *codes)
{
    struct mi_code *code = mi_code_add(e, codes);
    if (!code)
        return e->error->status;
    code->grid = grid;
    mi_emit_finish(e, name, prologue, code);
    return e->error->status;
}

mica_status mi_emit_file(struct mi_emitter *e, const char *file, const char *name, struct mi_text *defines,
                         const char *const *marker, const char *const *with, int count, struct mi_grid grid,
                         struct mi_codes *codes)
{
    mica_status status;
    if (mi_add_file(&e->text, file, marker, with, count))
        status = mi_emit_body(e, name, mi_text_get(defines), grid, codes);
    else
        status = e->arena->failed ? mi_out_of_memory(e->error)
                                  : mi_fail(e->error, MICA_INTERNAL, "there is no kernel file \"%s\"", file);
    mi_emit_text_end(e, defines);
    return status;
}
