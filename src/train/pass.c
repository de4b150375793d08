/* One pass over a part of the data: batches go through two slots of host memory while the device works. Nothing is
 * allocated in a step; the host waits only for a slot that the device has not read yet. */
#include "train/task.h"

#include <math.h>

mica_status mi_pass_create(struct mi_task_state *task, mica_plan *plan, const struct mi_loader_desc *desc,
                           struct mi_pass *pass)
{
    *pass = (struct mi_pass){.plan = plan};
    if (mi_loader_create(task->data, desc, &pass->loader) != MICA_OK)
        return mi_data_report(task->data);
    pass->batches = mi_loader_batches(pass->loader);
    pass->input = mi_plan_input(plan, task->model->graph->inputs[0]->name);
    pass->labels = mi_plan_input(plan, "labels");
    if (pass->labels < 0)
        return mi_fail(&task->model->device->error, MICA_INTERNAL, "the plan has no labels");
    return MICA_OK;
}

static bool is_read(mica_device *device, cl_event event)
{
    return !event || mi_event_done(device, event);
}

static mica_status slot_free(struct mi_task_state *task, struct mi_pass *pass, int slot)
{
    mica_device *device = task->model->device;
    mica_status status = MICA_OK;
    if (!pass->slot[slot].held)
        return MICA_OK;
    if (!is_read(device, pass->slot[slot].inputs))
        status = mi_event_wait(device, &pass->slot[slot].inputs);
    if (!is_read(device, pass->slot[slot].labels) && status == MICA_OK)
        status = mi_event_wait(device, &pass->slot[slot].labels);
    mi_event_release(device, &pass->slot[slot].inputs);
    mi_event_release(device, &pass->slot[slot].labels);
    mi_loader_release(pass->loader, slot);
    pass->slot[slot].held = false;
    return status;
}

void mi_pass_destroy(struct mi_task_state *task, struct mi_pass *pass)
{
    for (int i = 0; i < MI_LOADER_SLOTS && pass->loader; i++)
        slot_free(task, pass, i);
    mi_loader_destroy(pass->loader);
    pass->loader = NULL;
}

mica_status mi_pass_begin(struct mi_task_state *task, struct mi_pass *pass, uint64_t epoch)
{
    for (int i = 0; i < MI_LOADER_SLOTS; i++)
        MI_TRY(slot_free(task, pass, i));
    pass->batch = pass->samples = 0;
    pass->oldest = 0;
    MI_TRY(mi_store_zero(task->model->store, task->loss_sum));
    if (task->right)
        MI_TRY(mi_store_zero(task->model->store, task->right));
    mi_loader_begin(pass->loader, epoch);
    return MICA_OK;
}

/* Gives back a slot that the device has read already, so that the next batch is prepared while it works. */
static mica_status slot_free_if_read(struct mi_task_state *task, struct mi_pass *pass, int slot)
{
    mica_device *device = task->model->device;
    bool read = is_read(device, pass->slot[slot].inputs) && is_read(device, pass->slot[slot].labels);
    return read ? slot_free(task, pass, slot) : MICA_OK;
}

/* The next batch; false: the epoch is over. A slot that is held is waited for when both are. */
static mica_status next_batch(struct mi_task_state *task, struct mi_pass *pass, struct mi_batch *batch, bool *more)
{
    *more = mi_loader_next(pass->loader, batch);
    if (*more || batch->n == 0)
        return MICA_OK;
    MI_TRY(slot_free(task, pass, pass->oldest));
    *more = mi_loader_next(pass->loader, batch);
    return MICA_OK;
}

mica_status mi_pass_step(struct mi_task_state *task, struct mi_pass *pass, bool *more)
{
    struct mi_batch batch;
    MI_TRY(next_batch(task, pass, &batch, more));
    if (!*more)
        return MICA_OK;
    const void *labels = batch.classes ? (const void *)batch.classes : (const void *)batch.values;
    pass->slot[batch.slot].held = true;
    pass->oldest = (batch.slot + 1) % MI_LOADER_SLOTS;
    if (pass->input >= 0)
        MI_TRY(mi_plan_feed(pass->plan, pass->input, batch.inputs, batch.n, &pass->slot[batch.slot].inputs));
    MI_TRY(mi_plan_feed(pass->plan, pass->labels, labels, batch.n, &pass->slot[batch.slot].labels));
    pass->step.n = (int32_t)batch.n;
    MI_TRY(mi_plan_step(pass->plan, &pass->step));
    pass->step.step++;
    pass->batch++;
    pass->samples += batch.n;
    return slot_free_if_read(task, pass, pass->oldest);
}

mica_status mi_pass_read(struct mi_task_state *task, const struct mi_pass *pass, float *loss, float *accuracy)
{
    float sum = 0, right = 0, count = (float)pass->samples;
    *accuracy = NAN;
    MI_TRY(mi_store_faults(task->model->store, &task->model->device->error));
    MI_TRY(mi_store_read(task->model->store, task->loss_sum, &sum));
    *loss = pass->samples ? sum / count : NAN;
    if (!task->right)
        return MICA_OK;
    MI_TRY(mi_store_read(task->model->store, task->right, &right));
    *accuracy = pass->samples ? right / count : NAN;
    return MICA_OK;
}

mica_status mi_pass_run(struct mi_task_state *task, struct mi_pass *pass, float *loss, float *accuracy)
{
    bool more = true;
    MI_TRY(mi_pass_begin(task, pass, 0));
    while (more)
        MI_TRY(mi_pass_step(task, pass, &more));
    return mi_pass_read(task, pass, loss, accuracy);
}
