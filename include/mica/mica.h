/* Mica: trains and runs neural networks on any OpenCL device.
 *
 *   1. open a device            device.h
 *   2. describe a network       model.h (the model), layers.h (what it is made of), op.h (any operator)
 *   3. bring data               data.h
 *   4. train it                 train.h, or a whole job file: job.h
 *   5. predict, save, load      model.h, train.h
 *   6. see how fast it is       bench.h
 *
 * Objects: `_create`, `_open`, `_load`, `_find` make what the caller destroys; every other pointer is borrowed.
 * Descriptor structs are zero-initialised and copied; zero means the default written beside the field.
 * Shapes leave out the batch; tensors are row-major float32, images channels first (C, H, W).
 */
#ifndef MICA_MICA_H
#define MICA_MICA_H

#include <mica/bench.h>
#include <mica/ctc.h>
#include <mica/data.h>
#include <mica/device.h>
#include <mica/job.h>
#include <mica/layers.h>
#include <mica/losses.h>
#include <mica/model.h>
#include <mica/op.h>
#include <mica/optimizer.h>
#include <mica/status.h>
#include <mica/train.h>
#include <mica/generate.h>
#include <mica/tune.h>

#endif
