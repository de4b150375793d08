#!/bin/sh
# Runs the tests of a finished build on the device that the environment gives, and ends with the line
# "N passed, N failed" (", N skipped" where there are). Usage: suite.sh BUILD-FOLDER [CTEST-ARGUMENT...]
set -u
here=$(cd "$(dirname "$0")" && pwd)
build=$1
shift

# Up to GCC 13, LeakSanitizer takes a thread-local block that malloc puts at 16 bytes into a page for one of an old glibc,
# reads a length in front of it, and crashes at exit: https://github.com/google/sanitizers/issues/1322
export ASAN_OPTIONS="intercept_tls_get_addr=0${ASAN_OPTIONS:+:$ASAN_OPTIONS}"

# Without the device that was asked for nothing runs, and that is a failure.
if ! said=$(ctest --test-dir "$build" -V -R '^portability\.implementation$' 2>&1); then
    reason=$(echo "$said" | sed -n 's/^[0-9]*: implementation: //p')
    echo "no device for the tests: ${reason:-$said}" >&2
    echo "0 passed, 1 failed"
    exit 1
fi
echo "device: $(echo "$said" | sed -n 's/^[0-9]*: \([^|]*|[^|]*|[^|]*\)$/\1/p')"

jobs=$(nproc 2>/dev/null || echo 2)
log=$build/Testing/Temporary/LastTest.log
rm -f "$log"
ctest --test-dir "$build" --output-on-failure --no-tests=error -j "$jobs" "$@"
status=$?
if [ ! -f "$log" ]; then
    echo "0 passed, 1 failed"
    exit 1
fi
awk -f "$here/count.awk" "$log" || status=1
exit "$status"
