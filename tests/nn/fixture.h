/* Models before any device computes, each on a device of its own that is never used: what they have, which descriptions are
 * refused, and what is read again. */
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

/* An empty model as a test's state. */
int fixture_begin(void **state);
int fixture_end(void **state);

/* A model that is read from a description, which must be right. */
struct fixture *fixture_open(const char *json);
void fixture_close(struct fixture *f);

/* The description of layers on samples of one shape. The outermost braces are here: OF("[4]", "\"type\": \"relu\""). */
#define OF(shape, layers) "{\"input_shape\": " shape ", \"layers\": [{" layers "}]}"

/* A description that is wrong, and a part of the line that says so. */
struct mistake {
    const char *json, *says;
};

/* Fails unless every description is refused as it should, on devices of 1 GiB. */
void fixture_refuses(const struct mistake *mistakes, size_t count);

/* Fails unless the node, or the variable of that name, has this shape. Gives the variable. */
void fixture_has_shape(const mica_node *node, mica_shape shape);
struct mi_variable *fixture_has_variable(struct fixture *f, const char *name, mica_shape shape);

/* Fails unless the model's description makes a model of the same description and variables. */
void fixture_round_trip(struct fixture *f);
void fixture_round_trip_of(const char *json);

#endif
