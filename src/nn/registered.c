/* The layers that an application registered with a device, by their names. */
#include "nn/own.h"

#include "nn/layer.h"

#include <stdlib.h>
#include <string.h>

static void destroy_list(void *data)
{
    for (struct mi_own_layer *own = data, *next; own; own = next) {
        next = own->next;
        free(own);
    }
}

const struct mi_own_layer *mi_own_find(const mica_device *device, const char *type)
{
    const struct mi_own_layer *own = device->own_layers.data;
    while (own && strcmp(own->type, type))
        own = own->next;
    return own;
}

size_t mi_own_names(const mica_device *device, const char **names, size_t most)
{
    size_t count = 0;
    for (const struct mi_own_layer *own = device ? device->own_layers.data : NULL; own && count < most; own = own->next)
        names[count++] = own->type;
    return count;
}

static bool is_known(const char *type)
{
    for (const struct mi_layer_type *const *row = mi_layer_types; *row; row++)
        if (strcmp((*row)->type, type) == 0)
            return true;
    return false;
}

mica_status mica_layer_register(mica_device *device, const char *type, mica_layer_build build, void *user)
{
    if (!device)
        return MICA_INVALID_ARGUMENT;
    mi_device_begin(device);
    if (!type || !build || !*type || strlen(type) > MI_LONGEST_OWN_TYPE)
        return mi_fail(&device->error, MICA_INVALID_ARGUMENT, "a layer to register has a name of 1 to %d characters and a function",
                       MI_LONGEST_OWN_TYPE);
    if (is_known(type) || mi_own_find(device, type))
        return mi_fail(&device->error, MICA_INVALID_ARGUMENT, "there is a layer \"%s\" already", mi_show(type).text);
    struct mi_own_layer *own = mi_new(1, sizeof *own);
    if (!own)
        return mi_out_of_memory(&device->error);
    own->build = build;
    own->user = user;
    memcpy(own->type, type, strlen(type) + 1);
    own->next = device->own_layers.data;
    device->own_layers.data = own;
    device->own_layers.destroy = destroy_list;
    return MICA_OK;
}
