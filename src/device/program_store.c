/* Built programs kept on disk between runs, one file each, in the user's cache folder.
 *
 * A file is a head, the key and the driver's binary. The key says everything that a binary depends on; head and checksum are
 * checked when a file is read, and one that does not fit is removed and its program built from source. Nothing here fails. */
#include "device/programs.h"

#include <stdlib.h>
#include <string.h>

#define MAGIC "MICAPRG1"
static const uint64_t most_bytes_of_all = 256u << 20;
static const uint64_t most_bytes = 64u << 20;

struct head {
    char magic[8];
    uint64_t key_bytes, binary_bytes;
    uint64_t check;           /* of key and binary */
};

struct mi_program_store {
    mica_device *device;
    char *folder;
    struct mi_text platform;  /* the part of the key that all programs of the device share */
};

/* ---- Where, and whether ---- */

/* MICA_PROGRAM_CACHE: "off", "on" (also where the driver keeps its own). */
static bool is_wanted(const mica_device *device)
{
    const char *word = getenv("MICA_PROGRAM_CACHE");
    if (word && strcmp(word, "off") == 0)
        return false;
    return !device->quirks.keeps_own_cache || (word && strcmp(word, "on") == 0);
}

/* A binary belongs to one device: in a context of several it would be a list. */
static bool is_alone(const mica_device *device)
{
    cl_uint count = 0;
    return device->cl->GetContextInfo(device->context, CL_CONTEXT_NUM_DEVICES, sizeof count, &count, NULL) == CL_SUCCESS &&
           count == 1;
}

static void describe_platform(mica_device *device, struct mi_text *text)
{
    char version[256] = "";
    if (device->cl->GetPlatformInfo(device->platform, CL_PLATFORM_VERSION, sizeof version - 1, version, NULL) != CL_SUCCESS)
        version[0] = 0;
    mi_text_add(text, "mica %s\nplatform %s, %s\nvendor %s\ndevice %s\ndriver %s\nopencl_c %s\noptions \n", mica_version(),
                device->info.platform, version, device->info.vendor, device->info.name, device->info.driver,
                device->info.opencl_c);
}

struct mi_program_store *mi_program_store_open(mica_device *device)
{
    if (!is_wanted(device) || !is_alone(device))
        return NULL;
    char *cache = mi_cache_folder();
    struct mi_program_store *store = cache ? mi_new(1, sizeof *store) : NULL;
    if (store) {
        store->device = device;
        store->folder = mi_path_join(cache, "programs");
        describe_platform(device, &store->platform);
    }
    free(cache);
    if (store && (!store->folder || store->platform.failed)) {
        mi_program_store_close(store);
        store = NULL;
    }
    return store;
}

void mi_program_store_close(struct mi_program_store *store)
{
    if (!store)
        return;
    mi_text_destroy(&store->platform);
    free(store->folder);
    free(store);
}

/* ---- Keys ---- */

/* The key of a source, and the file that holds it; the caller destroys the one and frees the other. */
static char *find_place(const struct mi_program_store *store, const char *source, struct mi_text *key)
{
    char name[64];
    size_t size = strlen(source);
    mi_text_append(key, store->platform.data, store->platform.size);
    mi_text_add(key, "options %s\n", store->device->quirks.build_options);
    mi_text_add(key, "source %zu %016llx %016llx\n", size, (unsigned long long)mi_hash(source, size, 1),
                (unsigned long long)mi_hash(source, size, 2));
    if (key->failed)
        return NULL;
    mi_format(name, sizeof name, "%016llx%016llx.program", (unsigned long long)mi_hash(key->data, key->size, 1),
             (unsigned long long)mi_hash(key->data, key->size, 2));
    return mi_path_join(store->folder, name);
}

static uint64_t check_of(const struct mi_text *key, const unsigned char *binary, size_t size)
{
    return mi_hash(binary, size, mi_hash(key->data, key->size, size));
}

/* ---- Reading ---- */

/* The binary within a file's bytes; NULL: the file is not what it should be. */
static const unsigned char *find_binary(const unsigned char *bytes, size_t size, const struct mi_text *key, size_t *binary_size)
{
    struct head head;
    if (size < sizeof head + key->size)
        return NULL;
    memcpy(&head, bytes, sizeof head);
    size_t rest = size - sizeof head - key->size;
    const unsigned char *binary = bytes + sizeof head + key->size;
    if (memcmp(head.magic, MAGIC, sizeof head.magic) != 0 || head.key_bytes != key->size || head.binary_bytes != rest || !rest ||
        memcmp(bytes + sizeof head, key->data, key->size) != 0 || head.check != check_of(key, binary, rest))
        return NULL;
    *binary_size = rest;
    return binary;
}

static cl_program load(mica_device *device, const unsigned char *binary, size_t size)
{
    cl_int taken = CL_SUCCESS, code = CL_SUCCESS;
    cl_program program =
        device->cl->CreateProgramWithBinary(device->context, 1, &device->id, &size, &binary, &taken, &code);
    if (!program)
        return NULL;
    if (code == CL_SUCCESS && taken == CL_SUCCESS &&
        device->cl->BuildProgram(program, 1, &device->id, device->quirks.build_options, NULL, NULL) == CL_SUCCESS)
        return program;
    device->cl->ReleaseProgram(program);
    return NULL;
}

cl_program mi_program_store_find(struct mi_program_store *store, const char *source)
{
    struct mi_text key = {0};
    struct mi_error error = {0};
    unsigned char *bytes = NULL;
    size_t size = 0, binary_size = 0;
    cl_program program = NULL;
    char *path = find_place(store, source, &key);
    if (path && mi_file_read(&error, path, most_bytes, &bytes, &size) == MICA_OK) {
        const unsigned char *binary = find_binary(bytes, size, &key, &binary_size);
        program = binary ? load(store->device, binary, binary_size) : NULL;
        if (!program)
            mi_file_remove(path);
    }
    free(bytes);
    free(path);
    mi_text_destroy(&key);
    return program;
}

/* ---- Writing ---- */

static unsigned char *binary_of(mica_device *device, cl_program program, size_t *size)
{
    cl_uint devices = 0;
    unsigned char *binary = NULL;
    *size = 0;
    if (device->cl->GetProgramInfo(program, CL_PROGRAM_NUM_DEVICES, sizeof devices, &devices, NULL) != CL_SUCCESS ||
        devices != 1 ||
        device->cl->GetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, sizeof *size, size, NULL) != CL_SUCCESS || !*size ||
        *size > most_bytes / 2 || !(binary = mi_new(*size, 1)))
        return NULL;
    if (device->cl->GetProgramInfo(program, CL_PROGRAM_BINARIES, sizeof binary, &binary, NULL) == CL_SUCCESS)
        return binary;
    free(binary);
    return NULL;
}

static void write_file(const char *path, const struct mi_text *key, const unsigned char *binary, size_t size)
{
    struct mi_error error = {0};
    struct mi_file *file;
    struct head head = {.key_bytes = key->size, .binary_bytes = size, .check = check_of(key, binary, size)};
    memcpy(head.magic, MAGIC, sizeof head.magic);
    if (mi_file_create(&error, path, &file) != MICA_OK)
        return;
    mi_file_write(file, &head, sizeof head);
    mi_file_write(file, key->data, key->size);
    mi_file_write(file, binary, size);
    mi_file_commit(file);
}

void mi_program_store_keep(struct mi_program_store *store, const char *source, cl_program program)
{
    struct mi_text key = {0};
    size_t size = 0;
    char *path = find_place(store, source, &key);
    unsigned char *binary = path && mi_folder_make(store->folder) ? binary_of(store->device, program, &size) : NULL;
    if (binary)
        write_file(path, &key, binary, size);
    free(binary);
    free(path);
    mi_text_destroy(&key);
}

void mi_program_store_trim(struct mi_program_store *store)
{
    mi_folder_trim(store->folder, ".program", most_bytes_of_all);
}
