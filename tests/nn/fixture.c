#include "nn/fixture.h"

#include <stdlib.h>

int fixture_begin(void **state)
{
    struct fixture *f = mi_new(1, sizeof *f);
    if (!f)
        return 1;
    f->device.context = (cl_context)(void *)f; /* not NULL: it is open */
    f->model = mica_model_create(&f->device, NULL);
    *state = f;
    return !f->model;
}

int fixture_end(void **state)
{
    struct fixture *f = *state;
    mica_model_destroy(f->model);
    free(f);
    return 0;
}
