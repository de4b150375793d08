/* Array files in the "data" object of a job:
 *
 *   {"format": "idx" | "npy", "train": {"inputs": FILE, "labels": FILE}, "validation": {...}, "test": {...}}
 *   {"format": "npy", "train": {"inputs": {"user": FILE, "item": FILE}, "targets": {"rating": FILE}, "sample_weight": FILE}, ...}
 *   {"format": "npz", "train": FILE, "test": FILE, "inputs": {"user": NAME, "item": NAME}, "targets": {"rating": NAME}}
 *
 * where a NAME is that of an array in the files. */
#include "formats/spec.h"

#include <string.h>

static const char *const part_keys[3] = {"train", "validation", "test"};

/* The fields of all parts. */
struct reading {
    struct mi_spec *spec;
    mica_array_field *fields;
    int count, room;
};

/* The field of a role and a name, added where it is new. */
static mica_array_field *field_of(struct reading *r, const struct mi_spec_field *given)
{
    for (int i = 0; i < r->count; i++) {
        const char *name = r->fields[i].name;
        bool same = name && given->name ? !strcmp(name, given->name) : name == given->name;
        if (r->fields[i].role == given->role && same)
            return &r->fields[i];
    }
    if (r->count == r->room) {
        int room = 2 * r->room + 4;
        mica_array_field *more = mi_arena_new(&r->spec->arena, (size_t)room, sizeof *more);
        if (!more)
            return NULL;
        if (r->count)
            memcpy(more, r->fields, (size_t)r->count * sizeof *more);
        r->fields = more;
        r->room = room;
    }
    r->fields[r->count] = (mica_array_field){.name = given->name, .role = given->role, .regression = given->regression,
                                             .normalize = given->normalize};
    return &r->fields[r->count++];
}

/* "images" and "labels" are what inputs and targets are mostly called. */
static mica_status read_part(struct reading *r, int part)
{
    static const char *const keys[] = {"inputs", "images", "targets", "labels", "sample_weight", NULL};
    struct mi_spec *s = r->spec;
    const cJSON *json = mi_spec_get(s, part_keys[part]);
    struct mi_spec_field *given = NULL;
    int count = 0;
    if (!json)
        return MICA_OK;
    if (!cJSON_IsObject(json))
        return mi_spec_wrong(s, part_keys[part], "{\"inputs\": FILE, \"labels\": FILE}");
    MI_TRY(mi_spec_keys(s, json, mi_arena_format(&s->arena, ": %s", part_keys[part]), keys));
    const cJSON *images = cJSON_GetObjectItemCaseSensitive(json, "images");
    const cJSON *labels = cJSON_GetObjectItemCaseSensitive(json, "labels");
    if (!cJSON_GetObjectItemCaseSensitive(json, "inputs") == !images)
        return mi_spec_wrong(s, part_keys[part], "{\"inputs\": FILE, \"labels\": FILE}, or with \"images\" instead of "
                             "\"inputs\"");
    if (labels && cJSON_GetObjectItemCaseSensitive(json, "targets"))
        return mi_spec_wrong(s, part_keys[part], "with \"targets\" or with \"labels\"");
    MI_TRY(mi_spec_fields(s, json, mi_arena_format(&s->arena, "%s.", part_keys[part]), 2, &given, &count));
    if (images)
        given[count++] = (struct mi_spec_field){.role = MICA_INPUT, .item = images, .normalize = s->normalize,
                                                .key = mi_arena_format(&s->arena, "%s.images", part_keys[part])};
    if (labels)
        given[count++] = (struct mi_spec_field){.role = MICA_TARGET, .item = labels, .regression = mi_spec_regresses(s, NULL),
                                                .key = mi_arena_format(&s->arena, "%s.labels", part_keys[part])};
    for (int i = 0; i < count; i++) {
        mica_array_field *field = field_of(r, &given[i]);
        if (!field || s->arena.failed)
            return mi_out_of_memory(&s->error);
        MI_TRY(mi_spec_path(s, given[i].item, given[i].key, &field->part[part]));
    }
    return MICA_OK;
}

static mica_data *open_fields(struct reading *r, mi_array_parser *parser)
{
    const struct mi_spec *s = r->spec;
    for (int i = 0; i < r->count; i++) /* an input leads, since it has every part */
        if (r->fields[i].role == MICA_INPUT) {
            mica_array_field first = r->fields[i];
            r->fields[i] = r->fields[0];
            r->fields[0] = first;
            break;
        }
    mica_files_desc desc = {.fields = r->fields, .field_count = r->count, .split = s->split, .sample_shape = s->sample_shape,
                            .limits = s->limits};
    return mi_files_open(s->device, &desc, parser, s->fitted);
}

static mica_data *open_arrays(struct mi_spec *s, mi_array_parser *parser)
{
    struct reading r = {.spec = s};
    for (int part = 0; part < 3; part++)
        if (read_part(&r, part) != MICA_OK)
            return NULL;
    if (!r.count) {
        mi_spec_wrong(s, "train", "given: {\"inputs\": FILE, \"labels\": FILE}");
        return NULL;
    }
    return open_fields(&r, parser);
}

static mica_data *open_idx(struct mi_spec *spec)
{
    return open_arrays(spec, mi_idx_parse);
}

static mica_data *open_npy(struct mi_spec *spec)
{
    return open_arrays(spec, mi_npy_parse);
}

/* ---- Archives ---- */

static mica_status read_archives(struct reading *r)
{
    struct mi_spec *s = r->spec;
    struct mi_spec_field *given = NULL;
    const char *path[3] = {NULL, NULL, NULL};
    int count = 0;
    for (int part = 0; part < 3; part++)
        if (mi_spec_get(s, part_keys[part]))
            MI_TRY(mi_spec_path(s, mi_spec_get(s, part_keys[part]), part_keys[part], &path[part]));
    if (!path[0] && !path[1] && !path[2])
        return mi_spec_wrong(s, "train", "given: the path of an .npz file");
    MI_TRY(mi_spec_fields(s, s->json, "", 0, &given, &count));
    for (int i = 0; i < count; i++) {
        mica_array_field *field = field_of(r, &given[i]);
        if (!field)
            return mi_out_of_memory(&s->error);
        if (!cJSON_IsString(given[i].item) || !given[i].item->valuestring[0])
            return mi_spec_wrong(s, given[i].key, "the name of an array in the .npz files");
        field->member = mi_arena_strdup(&s->arena, given[i].item->valuestring);
        memcpy(field->part, path, sizeof path);
        if (!field->member)
            return mi_out_of_memory(&s->error);
    }
    if (!count || given[0].role != MICA_INPUT)
        return mi_spec_wrong(s, "inputs", "given: the name of an array in the .npz files, or an object of several");
    return MICA_OK;
}

static mica_data *open_npz(struct mi_spec *spec)
{
    struct reading r = {.spec = spec};
    return read_archives(&r) == MICA_OK ? open_fields(&r, mi_npy_parse) : NULL;
}

static const char *const keys[] = {"train", "validation", "test", NULL};

const struct mi_format mi_format_idx = {"idx", keys, open_idx};
const struct mi_format mi_format_npy = {"npy", keys, open_npy};
const struct mi_format mi_format_npz = {"npz", keys, open_npz};
