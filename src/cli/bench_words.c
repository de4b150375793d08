/* What the kinds of mica bench share. */
#include "cli/bench.h"

#include <string.h>

int cli_bench_word(const char *option, const char *word, const char *const *words)
{
    for (int i = 0; words[i]; i++)
        if (strcmp(words[i], word) == 0)
            return i;
    cli_fail(CLI_USAGE, "bench: %s is \"%s\"; see mica bench --help", option, word);
    return -1;
}
