/* Part of every test program: with MICA_TEST_LOCALE it begins as an application does that has set this locale. */
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__attribute__((constructor)) static void begin_in_locale(void)
{
    const char *name = getenv("MICA_TEST_LOCALE");
    if (!name || !*name)
        return;
    if (setlocale(LC_ALL, name) && strcmp(localeconv()->decimal_point, ",") == 0)
        return;
    fprintf(stderr, "there is no locale %s with a decimal comma; LOCPATH is %s\n", name, getenv("LOCPATH"));
    exit(1);
}
