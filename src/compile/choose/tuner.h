/* What a device knows from tuning, and how far a compilation may search. */
#ifndef MICA_SRC_TUNER_H
#define MICA_SRC_TUNER_H

#include "compile/choose/choices.h"

struct mi_tuner {
    mica_tuning level;           /* never MICA_TUNING_DEFAULT */
    double seconds;              /* into a search no candidate is begun later, nor one that would end later than half as much again,
                                  * did it take as long as the slowest so far */
    int candidates;              /* how many are compiled at most, for all problems and for one */
    int candidates_each;
    struct mi_choices table;
    char *path;                  /* of the device's file; NULL: nothing is read or kept */
    struct mi_error note;        /* why the file was not taken */
    int tried, changed;          /* candidates timed, and problems whose engine or variant is not the first guess */
};

/* The device's tuner, made and its file read when first asked for; NULL: out of memory. */
struct mi_tuner *mi_tuner_of(mica_device *device);

/* Lets the next compilations search for so many seconds each, whatever was allowed before, and counts from zero. */
void mi_tuner_search(struct mi_tuner *tuner, mica_device *device, double seconds);

/* Writes the file. */
void mi_tuner_keep(const struct mi_tuner *tuner, const mica_device *device);

#endif
