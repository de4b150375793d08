/* Says which OpenCL implementation the tests run on, as PLATFORM|DRIVER|DEVICE, and fails where it is not the one that
 * the environment asks for: a suite that passed on another device has proven nothing.
 *
 * MICA_TEST_PLATFORM and MICA_TEST_DEVICE are parts of the platform's and the device's name; MICA_TEST_GROUP and
 * MICA_TEST_ALLOCATION are the largest work-group and allocation that the device may report. */
#include <mica/mica.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int check_name(const char *variable, const char *has)
{
    const char *wanted = getenv(variable);
    if (!wanted || strstr(has, wanted))
        return 0;
    fprintf(stderr, "implementation: the tests run on \"%s\", expected \"%s\"\n", has, wanted);
    return 1;
}

static int check_limit(const char *variable, uint64_t has)
{
    const char *text = getenv(variable);
    if (!text || has <= strtoull(text, NULL, 10))
        return 0;
    fprintf(stderr, "implementation: %s is %s, but the device reports %" PRIu64 "\n", variable, text, has);
    return 1;
}

int main(void)
{
    mica_device *device = mica_device_open(NULL);
    if (!device || mica_device_status(device)) {
        fprintf(stderr, "implementation: %s\n", device ? mica_device_error(device) : "the host is out of memory");
        mica_device_destroy(device);
        return 1;
    }
    const mica_device_info *info = mica_device_get_info(device);
    int failed = 0;
    printf("%s|%s|%s\n", info->platform, info->driver, info->name);
    failed |= check_name("MICA_TEST_PLATFORM", info->platform);
    failed |= check_name("MICA_TEST_DEVICE", info->name);
    failed |= check_limit("MICA_TEST_GROUP", info->largest_work_group);
    failed |= check_limit("MICA_TEST_ALLOCATION", info->largest_allocation_bytes);
    mica_device_destroy(device);
    return failed;
}
