/* Temporary files beside the place that they will take. */
#ifndef MICA_SRC_BASE_TEMPORARY_H
#define MICA_SRC_BASE_TEMPORARY_H

#include "base/base.h"

/* What a temporary file's name has more than its path, and the zero. */
enum { MI_TEMPORARY_MORE = 16 };

/* Makes a file beside `path`, open for writing, and writes its name. It is locked until its last descriptor is closed. -1: errno
 * says why not. */
int mi_temporary_create(const char *path, char *name, size_t size);
/* Removes what processes that ended in the middle have left beside `path`, which is in `folder`. */
void mi_temporary_sweep(const char *path, const char *folder);

#endif
