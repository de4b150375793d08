#!/bin/sh
# Builds Mica with its tests and runs them on POCL. On a fresh Debian 12 it installs what is missing first.
# The last line is "N passed, N failed". Arguments go to CTest: `sh tests/run.sh -L ops`.
#
# MICA_BUILD is the build folder (build/test), MICA_CMAKE more arguments for CMake. MICA_BUILD_ONLY=1 stops there.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
build=${MICA_BUILD:-$root/build/test}

sh "$root/cmake/packages.sh" gcc:cc g++:c++ libc6-dev make:make cmake:cmake pkg-config:pkg-config \
    opencl-headers ocl-icd-opencl-dev libclblast-dev pocl-opencl-icd libcmocka-dev zlib1g-dev libzip-dev libcjson-dev \
    libxxhash-dev librandom123-dev locales

fail() {
    echo "$*" >&2
    echo "0 passed, 1 failed"
    exit 1
}

werror=OFF # a newer compiler may know more warnings; where the environment says CI they are fatal
[ -z "${CI:-}" ] || werror=ON
generator=
if [ ! -f "$build/CMakeCache.txt" ] && command -v ninja >/dev/null 2>&1; then generator="-G Ninja"; fi
# shellcheck disable=SC2086 # lists of arguments
cmake -S "$root" -B "$build" $generator -DMICA_TESTS=ON -DMICA_WERROR=$werror ${MICA_CMAKE:-} || fail "CMake failed"
cmake --build "$build" --parallel "$(nproc)" || fail "the build failed"
[ -z "${MICA_BUILD_ONLY:-}" ] || exit 0

# POCL alone, whatever else this machine offers.
icd=/etc/OpenCL/vendors/pocl.icd
[ -f "$icd" ] || fail "no OpenCL device for the tests: $icd is missing, install pocl-opencl-icd"
mkdir -p "$build/vendors-pocl"
cp "$icd" "$build/vendors-pocl/"
unset MICA_DEVICE
OCL_ICD_VENDORS=$build/vendors-pocl MICA_TEST_PLATFORM="Portable Computing Language" CI=${CI:-1} \
    exec sh "$root/tests/suite.sh" "$build" "$@"
