/* Work in several threads of the caller's. Needs POSIX. */
#if !defined(_XOPEN_SOURCE)
#define _XOPEN_SOURCE 700
#endif
#include "base/base.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

enum { MOST_THREADS = 64 };

struct job {
    void (*work)(void *context, int thread);
    void *context;
    int number;
    pthread_t thread;
};

static void *run(void *argument)
{
    const struct job *job = argument;
    job->work(job->context, job->number);
    return NULL;
}

int mi_processors(void)
{
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count < 1 ? 1 : count > MOST_THREADS ? MOST_THREADS : (int)count;
}

/* Threads get no signals: those are the application's own. One that cannot be made is done without. */
void mi_parallel(int threads, void (*work)(void *context, int thread), void *context)
{
    struct job job[MOST_THREADS];
    sigset_t all, before;
    int made = 1;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    for (; made < threads && made < MOST_THREADS; made++) {
        job[made] = (struct job){.work = work, .context = context, .number = made};
        if (pthread_create(&job[made].thread, NULL, run, &job[made]) != 0)
            break;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    work(context, 0);
    for (int i = 1; i < made; i++)
        pthread_join(job[i].thread, NULL);
}
