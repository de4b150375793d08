/* What a device knows from tuning, and the file that remembers it: in the user's cache folder, one for each device, driver and
 * version of Mica. */
#include "compile/choose/tuner.h"

#include <stdlib.h>
#include <string.h>

#define MOST_FILE_BYTES ((uint64_t)16 << 20)

static mica_tuning level_of(const mica_device *device)
{
    const char *word = getenv("MICA_TUNING"), *ci = getenv("CI");
    if (device->tuning_level != MICA_TUNING_DEFAULT)
        return device->tuning_level;
    if (word && strcmp(word, "off") == 0)
        return MICA_TUNING_OFF;
    if (word && strcmp(word, "quick") == 0)
        return MICA_TUNING_QUICK;
    if (word && strcmp(word, "thorough") == 0)
        return MICA_TUNING_THOROUGH;
    return ci && *ci ? MICA_TUNING_OFF : MICA_TUNING_QUICK;
}

static char *path_of(const mica_device *device)
{
    struct mi_text key = {0};
    char name[64], *folder = mi_cache_folder(), *path = NULL;
    mi_choices_device(device, &key);
    mi_format(name, sizeof name, "tuning/%016llx.txt", (unsigned long long)mi_hash(mi_text_get(&key), key.size, 0));
    if (folder && !key.failed)
        path = mi_path_join(folder, name);
    mi_text_destroy(&key);
    free(folder);
    return path;
}

/* What is there but does not fit is noted; MICA_IO: there is none. */
static void read_file(struct mi_tuner *tuner, mica_device *device)
{
    unsigned char *bytes = NULL;
    size_t size = 0;
    struct mi_error failed = {0};
    if (mi_file_read(&failed, tuner->path, MOST_FILE_BYTES, &bytes, &size) != MICA_OK) {
        if (failed.status == MICA_FORMAT)
            tuner->note = failed;
    } else if (strlen((const char *)bytes) != size)
        mi_fail(&tuner->note, MICA_FORMAT, "%s: a zero byte at %zu is no text", tuner->path,
                strlen((const char *)bytes));
    else
        mi_choices_read(&tuner->table, &tuner->note, device, tuner->path, (const char *)bytes);
    for (int k = 0; k < MI_CLBLAST_KERNELS; k++)
        if (tuner->table.clblast[k].known)
            mi_clblast_set(device, k, &tuner->table.clblast[k].values);
    device->note = tuner->note.status == MICA_OK ? NULL : tuner->note.text;
    free(bytes);
}

static void tuner_destroy(void *data)
{
    struct mi_tuner *tuner = data;
    mi_choices_destroy(&tuner->table);
    free(tuner->path);
    free(tuner);
}

static void set_level(struct mi_tuner *tuner, mica_tuning level)
{
    bool quick = level == MICA_TUNING_QUICK;
    tuner->level = level;
    tuner->seconds = quick ? 2 : 60;
    tuner->candidates = quick ? 8 : INT32_MAX;
    tuner->candidates_each = quick ? 3 : INT32_MAX;
}

/* Where the device's file is, and what it says. */
static void find_file(struct mi_tuner *tuner, mica_device *device)
{
    if (!tuner->path && (tuner->path = path_of(device)) != NULL)
        read_file(tuner, device);
}

struct mi_tuner *mi_tuner_of(mica_device *device)
{
    if (device->tuner.data)
        return device->tuner.data;
    struct mi_tuner *tuner = mi_new(1, sizeof *tuner);
    if (!tuner)
        return NULL;
    set_level(tuner, level_of(device));
    if (tuner->level != MICA_TUNING_OFF)
        find_file(tuner, device);
    device->tuner.data = tuner;
    device->tuner.destroy = tuner_destroy;
    return tuner;
}

void mi_tuner_search(struct mi_tuner *tuner, mica_device *device, double seconds)
{
    find_file(tuner, device);
    set_level(tuner, MICA_TUNING_THOROUGH);
    tuner->seconds = seconds;
    tuner->tried = tuner->changed = 0;
}

/* A file that cannot be written is no failure: the next start searches again. */
void mi_tuner_keep(const struct mi_tuner *tuner, const mica_device *device)
{
    struct mi_text text = {0};
    struct mi_error error = {0};
    struct mi_file *file;
    char *folder = tuner->path ? mi_path_folder(tuner->path) : NULL;
    mi_choices_write(&tuner->table, device, &text);
    if (folder && !text.failed && mi_folder_make(folder) && mi_file_create(&error, tuner->path, &file) == MICA_OK) {
        mi_file_write(file, text.data, text.size);
        mi_file_commit(file);
    }
    mi_text_destroy(&text);
    free(folder);
}
