/* A device that is never used, as building a model computes nothing, and a model on it: the state of a test. */
#ifndef MICA_TEST_FIXTURE_H
#define MICA_TEST_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nn/model.h"

struct fixture {
    mica_device device;
    mica_model *model;
};

int fixture_begin(void **state);
int fixture_end(void **state);

#endif
