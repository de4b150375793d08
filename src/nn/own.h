/* Layers of an application's own, by the names under which a device knows them. */
#ifndef MICA_SRC_NN_OWN_H
#define MICA_SRC_NN_OWN_H

#include "nn/model.h"

#include <mica/layers.h>

enum { MI_LONGEST_OWN_TYPE = 100 };

struct mi_own_layer {
    struct mi_own_layer *next;
    mica_layer_build build;
    void *user;
    char type[MI_LONGEST_OWN_TYPE + 1];
};

/* ---- Registered with a device (registered.c) ---- */

/* The application's layer of that name; NULL: none. */
const struct mi_own_layer *mi_own_find(const mica_device *device, const char *type);
/* Adds the names of the application's layers, at most `most`, to a list; how many there are then. device NULL: none. */
size_t mi_own_names(const mica_device *device, const char **names, size_t most);

/* ---- Added to a model (own.c) ---- */

/* Adds its layers as a group, made of x: the keys of the JSON are what the application asks for. A key that it does not ask for is
 * an error, with the place before it. */
mica_status mi_own_add(mica_model *model, const struct mi_own_layer *own, const cJSON *json, const char *place,
                       mica_node *const *x, int count);

#endif
