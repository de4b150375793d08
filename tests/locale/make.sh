#!/bin/sh
# Makes a locale of the C library from its source. Usage: make.sh NAME FOLDER
set -u
if ! command -v localedef >/dev/null || [ ! -f "/usr/share/i18n/locales/$1" ]; then
    echo "the locale $1 cannot be made: install the package locales"
    exit 1
fi
localedef -i "$1" -f UTF-8 "$2"
[ -f "$2/LC_NUMERIC" ] # localedef also ends with 1 for a mere warning
