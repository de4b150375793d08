#!/bin/sh
# Installs a build of Mica into a temporary prefix, moves it, and builds and runs consumers there: with find_package and with
# pkg-config, each against the shared and the static library, and in C++.
# Usage: install.sh BUILD-FOLDER CMAKE C-COMPILER [C++-COMPILER]
set -eu
build=$1
cmake=$2
cc=$3
cxx=${4:-}
here=$(cd "$(dirname "$0")" && pwd)
version=$(sed -n 's/^#define MICA_VERSION_[MP][A-Z]* \([0-9]*\)$/\1/p' "$here/../../include/mica/status.h" | paste -s -d .)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$cmake" --install "$build" --prefix "$work/first" >"$work/log"
# An installed tree must not depend on where it was installed.
mv "$work/first" "$work/prefix"

fail() {
    echo "install: $*" >&2
    exit 1
}

# expect NAME PROGRAM LIBRARY: the program runs, says the version, and uses the shared library or does not.
expect() {
    said=$("$2") || fail "$1: the program failed"
    [ "$said" = "mica $version" ] || fail "$1: the program said \"$said\", expected \"mica $version\""
    used=static
    if ldd "$2" | grep -q libmica; then used=shared; fi
    [ "$used" = "$3" ] || fail "$1: the program uses the $used library, expected the $3 one"
    echo "ok: $1, $3"
}

for kind in shared static; do
    mkdir "$work/$kind"
    if ! { CC=$cc "$cmake" -S "$here/consumer" -B "$work/$kind" -DCMAKE_PREFIX_PATH="$work/prefix" -DMICA_KIND=$kind &&
        "$cmake" --build "$work/$kind"; } >"$work/log" 2>&1; then
        cat "$work/log"
        fail "find_package, $kind: does not build"
    fi
    expect find_package "$work/$kind/consumer" $kind
done

config=$(find "$work/prefix" -name mica.pc)
[ -n "$config" ] || fail "mica.pc was not installed"
libraries=$(dirname "$(dirname "$config")")
PKG_CONFIG_PATH=$(dirname "$config")
export PKG_CONFIG_PATH
[ "$(pkg-config --modversion mica)" = "$version" ] || fail "mica.pc says version $(pkg-config --modversion mica)"
# shellcheck disable=SC2046 # lists of flags
"$cc" -std=c11 "$here/consumer/consumer.c" -o "$work/consumer-shared" $(pkg-config --cflags --libs mica) -Wl,-rpath,"$libraries"
expect pkg-config "$work/consumer-shared" shared
# shellcheck disable=SC2046
"$cc" -std=c11 "$here/consumer/consumer.c" -o "$work/consumer-static" $(pkg-config --cflags --libs mica-static)
expect "pkg-config mica-static" "$work/consumer-static" static

# Shapes and everything else in C++, from the oldest language that the headers know to the newest of this compiler.
for language in c++11 c++14 c++17 c++20; do
    if [ -z "$cxx" ] || ! "$cxx" -std=$language -x c++ -fsyntax-only /dev/null 2>/dev/null; then continue; fi
    # shellcheck disable=SC2046
    "$cxx" -std=$language -Wall -Wextra -Werror "$here/consumer/consumer.cc" -o "$work/consumer-$language" \
        $(pkg-config --cflags --libs mica) -Wl,-rpath,"$libraries"
    expect "$language" "$work/consumer-$language" shared
done

if [ -x "$build/mica" ]; then
    said=$("$work/prefix/bin/mica" --version) || fail "the installed program does not run"
    [ "$said" = "mica $version" ] || fail "the installed program says \"$said\""
fi

# Where only the static library is installed, --static gives what it needs.
rm "$libraries"/libmica.so*
# shellcheck disable=SC2046
"$cc" -std=c11 "$here/consumer/consumer.c" -o "$work/consumer-alone" $(pkg-config --static --cflags --libs mica)
expect "pkg-config --static" "$work/consumer-alone" static
