/* mica bench model: steps of a job's network, and how long a program takes to the first of them. */
#if !defined(_XOPEN_SOURCE)
#define _XOPEN_SOURCE 700
#endif
#include "cli/bench.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static bool read_desc(const struct cli_request *request, mica_bench_model_desc *desc)
{
    static const char *const modes[] = {"inference", "training", "generation", NULL};
    const struct cli_bench_options *options = request->options;
    int mode = options->mode ? cli_bench_word("--mode", options->mode, modes) : 0;
    *desc = (mica_bench_model_desc){.training = mode == 1, .generation = mode == 2, .profile = options->profile,
                                    .check = options->check, .sets = options->sets.values, .set_count = options->sets.count,
                                    .common = request->common};
    if (mode < 0)
        return false;
    if (request->count != 1)
        cli_fail(CLI_USAGE, "bench: model takes one job file; see mica bench --help");
    return request->count == 1;
}

bool cli_bench_model(mica_device *device, const struct cli_request *request, mica_bench **out)
{
    mica_bench_model_desc desc;
    if (!read_desc(request, &desc))
        return false;
    *out = device ? mica_bench_model(device, request->words[0], &desc) : NULL;
    return true;
}

/* ---- Starting ---- */

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status, (void)kind, (void)place;
    return remove(path);
}

/* In a child: where POCL, NVIDIA's driver, Mesa and Mica keep what they built, then a first result. */
static int first_result(const struct cli_common *common, const struct cli_request *request, const char *folder, int out)
{
    static const char *const places[] = {"XDG_CACHE_HOME", "MICA_CACHE_DIR", "POCL_CACHE_DIR", "CUDA_CACHE_PATH",
                                         "MESA_SHADER_CACHE_DIR"};
    mica_bench_model_desc desc;
    double began = now();
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        setenv(places[i], folder, 1);
    if (!read_desc(request, &desc))
        return CLI_USAGE;
    desc.start_only = true;
    mica_device *device = cli_open_device(common);
    if (!device)
        return CLI_FAILED;
    mica_bench *bench = mica_bench_model(device, request->words[0], &desc);
    double seconds = now() - began;
    int code = mica_bench_status(bench) == MICA_OK ? CLI_OK : cli_fail(CLI_FAILED, "%s", mica_bench_error(bench));
    mica_bench_destroy(bench);
    mica_device_destroy(device);
    return code == CLI_OK && write(out, &seconds, sizeof seconds) != (ssize_t)sizeof seconds ? CLI_FAILED : code;
}

static bool start_once(const struct cli_common *common, const struct cli_request *request, const char *folder, double *seconds)
{
    int ends[2], status = 0;
    if (pipe(ends) != 0)
        return false;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        _exit(first_result(common, request, folder, ends[1]));
    }
    close(ends[1]);
    bool good = child > 0 && read(ends[0], seconds, sizeof *seconds) == (ssize_t)sizeof *seconds;
    close(ends[0]);
    if (child > 0)
        waitpid(child, &status, 0);
    return good;
}

bool cli_bench_start(const struct cli_common *common, const struct cli_request *request, struct cli_start *start)
{
    const char *parent = getenv("TMPDIR");
    char folder[4096];
    snprintf(folder, sizeof folder, "%s/mica-start-XXXXXX", parent && *parent ? parent : "/tmp");
    if (!mkdtemp(folder)) {
        cli_fail(CLI_FAILED, "%s: a folder cannot be made there", folder);
        return false;
    }
    bool good = start_once(common, request, folder, &start->cold) && start_once(common, request, folder, &start->warm);
    nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    start->measured = good;
    if (!good)
        cli_fail(CLI_FAILED, "bench: the start could not be measured");
    return good;
}
