/* The shared library is opened, used, closed and opened again, as a plug-in's host does it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <mica/device.h>

#include <dlfcn.h>
#include <string.h>

#define LIBRARY MICA_BINARY_DIR "/libmica.so"

static void *find(void *library, const char *name)
{
    void *symbol = dlsym(library, name);
    assert_non_null(symbol);
    return symbol;
}

static void use_once(void)
{
    mica_device *(*open_device)(const mica_device_desc *);
    mica_status (*status)(const mica_device *);
    void (*destroy)(mica_device *);
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL), *symbol;
    if (!library)
        fail_msg("%s", dlerror());
    symbol = find(library, "mica_device_open");
    memcpy(&open_device, &symbol, sizeof symbol);
    symbol = find(library, "mica_device_status");
    memcpy(&status, &symbol, sizeof symbol);
    symbol = find(library, "mica_device_destroy");
    memcpy(&destroy, &symbol, sizeof symbol);
    mica_device *device = open_device(NULL);
    assert_int_equal(status(device), MICA_OK);
    destroy(device);
    assert_int_equal(dlclose(library), 0);
}

static void test_unload(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        use_once();
        assert_null(dlopen(LIBRARY, RTLD_NOW | RTLD_NOLOAD)); /* it is gone */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_unload)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
