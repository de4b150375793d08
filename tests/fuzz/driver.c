/* Runs a fuzzer over the files of folders, as an ordinary test. Usage: fuzz_NAME FOLDER... */
#define _XOPEN_SOURCE 700
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

static int run_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *bytes = malloc(1 << 20);
    int good = file && bytes;
    if (good) {
        size_t size = fread(bytes, 1, 1 << 20, file);
        uint8_t *exact = malloc(size ? size : 1); /* so that a sanitizer sees one byte too many */
        for (size_t i = 0; exact && i < size; i++)
            exact[i] = bytes[i];
        good = exact && !LLVMFuzzerTestOneInput(exact, size);
        free(exact);
    }
    if (file)
        fclose(file);
    free(bytes);
    return good;
}

static int run_folder(const char *folder, int *failed)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    int count = 0;
    while (dir && (entry = readdir(dir))) {
        char path[1024];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (!run_file(path)) {
            fprintf(stderr, "%s: failed\n", path);
            ++*failed;
        }
        count++;
    }
    if (dir)
        closedir(dir);
    return count;
}

int main(int argc, char **argv)
{
    int failed = 0;
    for (int i = 1; i < argc; i++) {
        int count = run_folder(argv[i], &failed);
        printf("%s: %d files\n", argv[i], count);
        failed += !count;
    }
    return argc < 2 || failed;
}
