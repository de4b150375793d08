/* How a training goes, for whoever waits for it; and that it stops when it is asked to. */
#ifndef MICA_SRC_CLI_PROGRESS_H
#define MICA_SRC_CLI_PROGRESS_H

#include "cli/cli.h"

struct cli_progress {
    int log_every;     /* epochs between lines */
    bool changes;      /* the learning rate does, or has done */
    bool stepped;      /* out: there is something to save */
    int done;          /* out: the last epoch that is over */
    bool terminal;     /* standard error is one, to be drawn on */
    float rate;        /* the first one */
    double drawn;      /* when the bar was last drawn */
};

/* A callback that tells it on standard error, and stops at a signal; *progress lives as long as the training. */
mica_callback cli_progress(struct cli_progress *progress);

#endif
