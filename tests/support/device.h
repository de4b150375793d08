/* An open device as cmocka's state. */
#ifndef MICA_TEST_DEVICE_H
#define MICA_TEST_DEVICE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "device/device.h"

/* MICA_TEST_SMALL. */
bool tests_are_small(void);

/* Setup and teardown of a group. A machine without a device fails with the reason. */
int open_device(void **state);
int close_device(void **state);

/* A CPU device as kernels are written for it: lanes of a vector, compute units, bytes of local memory. */
struct device_size {
    int lanes;
    uint32_t units;
    uint64_t local_bytes;
};

/* Small and large ones of each width, from the fewest lanes to the most. */
enum { DEVICE_SIZES = 6 };
extern const struct device_size device_sizes[DEVICE_SIZES];

/* Opens a device whose description says that it is of that size; NULL: it is no CPU. Vectors of any width run on every processor,
 * in several registers or in a part of one. Where the device has less local memory than that, *runs is false: kernels are written
 * and built, and compiling a plan then ends with MICA_CANCELLED, before the first launch. */
mica_device *open_sized(const struct device_size *size, bool *runs);

/* At small sizes only devices as wide as this one are tried: the others are where sizes are not small. */
bool is_tried(const struct device_size *size, const mica_device *beside);

/* Opens a device for what CLBlast computes: its kernels for CPUs are written out by lanes, and those for 16 compile for minutes,
 * those for 4 for a second. Other devices are as they are. */
mica_device *open_for_clblast(void);

#endif
