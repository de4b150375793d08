/* How a training goes, on standard error: a bar for the epoch where that is a terminal, and a line behind each epoch. */
#if !defined(_DEFAULT_SOURCE)
#define _DEFAULT_SOURCE
#endif
#include "cli/progress.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { BAR = 24, COLUMNS = 80 };

static const double between_bars = 0.1; /* seconds */

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* A line that grows up to the terminal's width: it would not be written over otherwise. */
struct line {
    char text[512];
    size_t size, most;
};

static struct line begin_line(void)
{
    struct winsize window;
    struct line line = {.most = COLUMNS};
    if (!ioctl(STDERR_FILENO, TIOCGWINSZ, &window) && window.ws_col > 0)
        line.most = window.ws_col;
    line.most = line.most < sizeof line.text ? line.most - 1 : sizeof line.text - 1;
    return line;
}

/* Whole pieces alone. */
static void add(struct line *line, const char *piece)
{
    size_t size = strlen(piece);
    if (line->size + size > line->most)
        return;
    memcpy(line->text + line->size, piece, size + 1);
    line->size += size;
}

/* Four decimals, or as many digits of a large number. */
static const char *format_score(char *out, size_t size, const char *name, double value)
{
    snprintf(out, size, value < 1000 ? "  %s %.4f" : "  %s %.5g", cli_show(name).text, value);
    return out;
}

static void add_time_left(struct line *line, const mica_progress *now)
{
    char piece[64];
    double left = now->seconds * (double)(now->batches - now->batch) / (double)now->batch;
    long whole = left < 3.6e6 ? (long)ceil(left) : 3600000, unit = whole < 3600 ? 60 : 3600;
    snprintf(piece, sizeof piece, unit == 60 ? "  %ld:%02ld left" : "  %ld:%02ld h left", whole / unit, whole % unit * 60 / unit);
    add(line, piece);
    double speed = (double)now->samples / now->seconds;
    snprintf(piece, sizeof piece, "  %.*f samples/s", speed < 100 ? 1 : 0, speed);
    add(line, piece);
}

static void draw(const mica_progress *now)
{
    struct line line = begin_line();
    char piece[256];
    int done = (int)(now->batch * BAR / now->batches);
    snprintf(piece, sizeof piece, "epoch %d/%d", now->epoch, now->epochs);
    add(&line, piece);
    snprintf(piece, sizeof piece, " [%.*s%.*s]", done, "########################", BAR - done, "........................");
    add(&line, piece);
    if (now->seconds > 0)
        add_time_left(&line, now);
    for (int i = 0; i < mica_scores_count(now->scores); i++)
        if (!isnan(mica_scores_value(now->scores, i)))
            add(&line, format_score(piece, sizeof piece, mica_scores_name(now->scores, i), mica_scores_value(now->scores, i)));
    fprintf(stderr, "\r%s\033[K", line.text);
    fflush(stderr);
}

static void print_epoch(const mica_progress *now, bool scheduled)
{
    char piece[256];
    fprintf(stderr, "epoch %d/%d", now->epoch, now->epochs);
    for (int i = 0; i < mica_scores_count(now->scores); i++)
        if (!isnan(mica_scores_value(now->scores, i)))
            fputs(format_score(piece, sizeof piece, mica_scores_name(now->scores, i), mica_scores_value(now->scores, i)), stderr);
    if (scheduled)
        fprintf(stderr, "  learning_rate %.4g", (double)now->learning_rate);
    fprintf(stderr, "  %.1f s\n", now->seconds);
}

/* ---- As a callback ---- */

static bool begin(void *user, const mica_progress *now)
{
    struct cli_progress *progress = user;
    progress->rate = now->learning_rate;
    return true;
}

static bool batch(void *user, const mica_progress *now)
{
    struct cli_progress *progress = user;
    progress->stepped = true;
    progress->done = now->epoch - 1;
    if (progress->terminal && seconds() - progress->drawn >= between_bars) {
        progress->drawn = seconds();
        draw(now);
        (void)mica_training_ask(now->training); /* an error is the step's, too */
    }
    return !cli_caught_signal();
}

static void end_line(const struct cli_progress *progress)
{
    if (progress->terminal)
        fputs("\r\033[K", stderr);
}

static bool epoch(void *user, const mica_progress *now)
{
    struct cli_progress *progress = user;
    progress->done = now->epoch;
    progress->changes = progress->changes || now->learning_rate < progress->rate || now->learning_rate > progress->rate;
    if (!cli_is_quiet() && (now->epoch % progress->log_every == 0 || now->epoch == now->epochs)) {
        end_line(progress);
        print_epoch(now, progress->changes);
        fflush(stderr);
    }
    return !cli_caught_signal();
}

static bool end(void *user, const mica_progress *now)
{
    (void)now;
    end_line(user);
    return true;
}

mica_callback cli_progress(struct cli_progress *progress)
{
    progress->terminal = isatty(STDERR_FILENO) == 1 && !cli_is_quiet();
    return (mica_callback){.begin = begin, .batch = batch, .epoch = epoch, .end = end, .user = progress};
}
