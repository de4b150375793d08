/* Status codes of Mica. Every fallible call returns one; the object it was called on holds the text. */
#ifndef MICA_STATUS_H
#define MICA_STATUS_H

#if defined(_WIN32)
#define MICA_API
#elif defined(MICA_BUILDING)
#define MICA_API __attribute__((visibility("default")))
#else
#define MICA_API
#endif

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Name, number (stable: part of the binary interface), and what it means. */
#define MICA_STATUS_MAP(X)                                                                   \
    X(OK, 0, "success")                                                                      \
    X(INVALID_ARGUMENT, 1, "an argument is missing, out of range or contradicts another")    \
    X(SHAPE, 2, "shapes do not fit together")                                                \
    X(OUT_OF_MEMORY, 3, "the host is out of memory")                                         \
    X(NO_LOADER, 4, "no OpenCL loader is installed")                                         \
    X(NO_PLATFORM, 5, "no OpenCL driver is installed")                                       \
    X(NO_DEVICE, 6, "no OpenCL device fits")                                                 \
    X(NO_COMPILER, 7, "the OpenCL device has no compiler")                                   \
    X(DEVICE_MEMORY, 8, "the device is out of memory")                                       \
    X(DEVICE_LOST, 9, "the device stopped answering")                                        \
    X(DEVICE, 10, "an OpenCL call failed")                                                   \
    X(BUILD, 11, "an OpenCL kernel did not compile")                                         \
    X(UNSUPPORTED, 12, "not supported")                                                      \
    X(IO, 13, "a file cannot be read or written")                                            \
    X(FORMAT, 14, "a file is malformed")                                                     \
    X(DATA, 15, "the data do not fit the task")                                              \
    X(CANCELLED, 16, "cancelled by the caller")                                              \
    X(INTERNAL, 17, "a rule of the library itself was broken; please report it")             \
    X(DIVERGED, 18, "the training diverged: its loss or its parameters are no numbers any more")

typedef enum mica_status {
#define MICA_STATUS_ENUM(name, number, text) MICA_##name = number,
    MICA_STATUS_MAP(MICA_STATUS_ENUM)
#undef MICA_STATUS_ENUM
} mica_status;

/* The status's own sentence, for when no object is at hand. Never NULL; static storage. */
MICA_API const char *mica_status_text(mica_status status);

/* Copies a text that came from a file (a class, a column, a layer's name) so that a terminal shows it on one line: control
 * characters, marks that turn the direction of writing, and bytes that are not UTF-8 become \n, \x1b or \u202e; what does not fit
 * into `size` bytes is cut off behind a whole character, with "..." for it. Errors of the library have been through this. Returns
 * `out`. */
MICA_API const char *mica_printable(const char *text, char *out, size_t size);

/* The version of these headers. Until 1.0 every minor version may change the binary interface. */
#define MICA_VERSION_MAJOR 0
#define MICA_VERSION_MINOR 1
#define MICA_VERSION_PATCH 0
/* As one number that grows: 10203 is 1.2.3. */
#define MICA_VERSION (MICA_VERSION_MAJOR * 10000 + MICA_VERSION_MINOR * 100 + MICA_VERSION_PATCH)

/* The version of the library that runs, "MAJOR.MINOR.PATCH"; static storage. */
MICA_API const char *mica_version(void);

#ifdef __cplusplus
}
#endif
#endif
