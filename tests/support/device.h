/* An open device as cmocka's state. */
#ifndef MICA_TEST_DEVICE_H
#define MICA_TEST_DEVICE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "device/device.h"

/* Setup and teardown of a group. A machine without a device fails with the reason. */
int open_device(void **state);
int close_device(void **state);

#endif
