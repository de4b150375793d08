/* mica devices: what this machine offers, and what it could. */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

static int run(int argc, char **argv);

const struct cli_command cli_devices = {
    "devices", "list OpenCL devices, and GPUs that go unused",
    "Usage: mica devices [--device D] [--json]\n\n"
    "Lists the OpenCL devices of this machine, best first, says which one would be chosen and why, and names\n"
    "GPUs that no platform offers with what would change that.\n",
    run};

static const char *type_name(mica_device_type type)
{
    static const char *const names[] = {"discrete gpu", "integrated gpu", "accelerator", "cpu", "other"};
    return names[type <= MICA_DEVICE_OTHER ? type : MICA_DEVICE_OTHER];
}

static cJSON *device_json(const mica_device_info *info)
{
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "id", info->id);
    cJSON_AddStringToObject(json, "platform", info->platform);
    cJSON_AddStringToObject(json, "vendor", info->vendor);
    cJSON_AddStringToObject(json, "name", info->name);
    cJSON_AddStringToObject(json, "type", type_name(info->type));
    cJSON_AddStringToObject(json, "driver", info->driver);
    cJSON_AddStringToObject(json, "opencl_c", info->opencl_c);
    cJSON_AddNumberToObject(json, "compute_units", info->compute_units);
    cJSON_AddNumberToObject(json, "memory_bytes", (double)info->memory_bytes);
    cJSON_AddNumberToObject(json, "largest_allocation_bytes", (double)info->largest_allocation_bytes);
    cJSON_AddNumberToObject(json, "local_memory_bytes", (double)info->local_memory_bytes);
    cJSON_AddNumberToObject(json, "largest_work_group", (double)info->largest_work_group);
    cJSON_AddBoolToObject(json, "fp16", info->fp16);
    cJSON_AddBoolToObject(json, "fp64", info->fp64);
    cJSON_AddBoolToObject(json, "has_compiler", info->has_compiler);
    cJSON_AddBoolToObject(json, "last_resort", info->last_resort);
    return json;
}

static int print_all_json(const mica_devices *found, const mica_device_info *chosen, const char *why)
{
    cJSON *json = cJSON_CreateObject(), *list = cJSON_AddArrayToObject(json, "devices");
    for (int i = 0; i < mica_devices_count(found); i++)
        cJSON_AddItemToArray(list, device_json(mica_devices_get(found, i)));
    cJSON_AddStringToObject(json, "chosen", chosen->id);
    cJSON_AddStringToObject(json, "why", why);
    list = cJSON_AddArrayToObject(json, "absent_gpus");
    for (int i = 0; i < mica_devices_absent_count(found); i++) {
        cJSON *gpu = cJSON_CreateObject();
        cJSON_AddStringToObject(gpu, "name", mica_devices_absent(found, i)->name);
        cJSON_AddStringToObject(gpu, "advice", mica_devices_absent(found, i)->advice);
        cJSON_AddItemToArray(list, gpu);
    }
    return cli_print_json(json);
}

static void print_table(const mica_devices *found, const mica_device_info *chosen, const char *why)
{
    for (int i = 0; i < mica_devices_count(found); i++) {
        const mica_device_info *info = mica_devices_get(found, i);
        printf("%s %s  %s\n", info == chosen ? "*" : " ", info->id, cli_show(info->name).text);
        printf("       %s, %s, driver %s, OpenCL C %s%s\n", type_name(info->type), cli_show(info->platform).text,
               cli_show(info->driver).text, cli_show(info->opencl_c).text, info->has_compiler ? "" : ", no compiler");
        printf("       %u compute units, memory %llu MiB, largest allocation %llu MiB, local memory %llu KiB%s%s\n",
               (unsigned)info->compute_units, (unsigned long long)(info->memory_bytes >> 20),
               (unsigned long long)(info->largest_allocation_bytes >> 20),
               (unsigned long long)(info->local_memory_bytes >> 10), info->fp16 ? ", fp16" : "", info->fp64 ? ", fp64" : "");
    }
    printf("chosen: %s, %s\n", chosen->id, why);
    for (int i = 0; i < mica_devices_absent_count(found); i++)
        printf("unused: %s: %s\n", cli_show(mica_devices_absent(found, i)->name).text,
               cli_show(mica_devices_absent(found, i)->advice).text);
}

static int run(int argc, char **argv)
{
    struct cli_common common = {0};
    int code = cli_parse(&cli_devices, argc, argv, NULL, 0, &common, NULL, 0, 0);
    if (code != CLI_OK || common.help)
        return code;
    mica_devices *found = mica_devices_find();
    const char *why = "";
    int index = mica_devices_status(found) == MICA_OK ? mica_devices_choose(found, common.device, &why) : -1;
    if (mica_devices_status(found) != MICA_OK) {
        code = cli_fail(CLI_FAILED, "%s", mica_devices_error(found));
    } else if (index < 0) {
        code = cli_fail(CLI_FAILED, "%s", *why ? why : "no device fits");
    } else if (common.json) {
        code = print_all_json(found, mica_devices_get(found, index), why);
    } else {
        print_table(found, mica_devices_get(found, index), why);
    }
    mica_devices_destroy(found);
    return code;
}
