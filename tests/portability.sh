#!/bin/sh
# Runs the suite on several OpenCL implementations and prints one table of what passed where.
# Usage: portability.sh [pocl|pocl-small|narrow|intel|rusticl|oclgrind|pocl-new ...] [-- CTEST-ARGUMENT...]
# Without a name, all of them.
#
#   pocl        Debian's POCL
#   pocl-small  POCL with work-groups of 64 and allocations of at most 256 MiB
#   narrow      POCL on a processor with narrower vectors than this one has
#   intel       Intel's CPU runtime, from the Python package index, in a virtual environment in the user's cache
#   rusticl     Mesa's rusticl on llvmpipe; operator tests at small sizes
#   oclgrind    Oclgrind, which checks every access; operator tests at small sizes, in the debug mode
#   pocl-new    the POCL of Debian 13, with a Debian 13 around it in a folder; as root. All tests, built there
#
# MICA_BUILD is the build folder (build/test); it is brought up to date first. Logs stay in its folder portability/.
set -u
root=$(cd "$(dirname "$0")/.." && pwd)
build=${MICA_BUILD:-$root/build/test}
names=
while [ $# -gt 0 ] && [ "$1" != -- ]; do
    names="$names $1"
    shift
done
[ $# -eq 0 ] || shift # what is left goes to CTest

mkdir -p "$build/portability"
if [ "$names" != " pocl-new" ]; then
    echo "building"
    if ! MICA_BUILD=$build MICA_BUILD_ONLY=1 sh "$root/tests/run.sh" >"$build/portability/build.log" 2>&1; then
        tail -n 40 "$build/portability/build.log" >&2
        exit 1
    fi
fi

# offer LIBRARY: makes this the only OpenCL driver that the loader finds.
offer() {
    OCL_ICD_VENDORS=$build/portability/$name.vendors
    mkdir -p "$OCL_ICD_VENDORS"
    echo "$1" >"$OCL_ICD_VENDORS/$name.icd"
    export OCL_ICD_VENDORS
}

# driver_of FILE PACKAGE: offers the driver that Debian's PACKAGE announces in /etc/OpenCL/vendors/FILE.
driver_of() {
    sh "$root/cmake/packages.sh" "$2" || return 1
    [ -f "/etc/OpenCL/vendors/$1" ] || { echo "$2 is not installed"; return 1; }
    offer "$(cat "/etc/OpenCL/vendors/$1")"
}

install_intel() {
    venv=${XDG_CACHE_HOME:-$HOME/.cache}/mica/intel-opencl
    if [ ! -f "$venv/lib/libintelocl.so" ]; then
        sh "$root/cmake/packages.sh" python3 python3-venv || return 1
        python3 -m venv "$venv" && "$venv/bin/pip" install -q --disable-pip-version-check \
            intel-opencl-rt intel-cmplr-lib-rt || return 1
    fi
    [ -f "$venv/lib/libintelocl.so" ] || { echo "intel-opencl-rt holds no libintelocl.so"; return 1; }
    offer "$venv/lib/libintelocl.so"
    export LD_LIBRARY_PATH="$venv/lib"
}

# prepare NAME: the environment of one implementation, in this (sub)shell; sets `tests`, the arguments of CTest.
prepare() {
    # What only looks at the source tree or the installed files is the same everywhere.
    tests="-LE structure|install"
    small="-L ^ops$"
    pocl="Portable Computing Language"
    case $name in
    pocl) driver_of pocl.icd pocl-opencl-icd && export MICA_TEST_PLATFORM="$pocl" ;;
    pocl-small)
        export MICA_TEST_PLATFORM="$pocl" POCL_MAX_WORK_GROUP_SIZE=64 POCL_MEMORY_LIMIT=1
        export MICA_TEST_GROUP=64 MICA_TEST_ALLOCATION=268435456
        driver_of pocl.icd pocl-opencl-icd ;;
    narrow)
        # POCL names the device after the processor that it compiles for.
        if grep -q avx512 /proc/cpuinfo; then
            export POCL_KERNELLIB_NAME=avx2 MICA_TEST_DEVICE=haswell
        else
            export POCL_KERNELLIB_NAME=sse41 MICA_TEST_DEVICE=penryn
        fi
        export MICA_TEST_PLATFORM="$pocl"
        driver_of pocl.icd pocl-opencl-icd ;;
    intel)
        export MICA_TEST_PLATFORM="Intel(R) OpenCL"
        install_intel ;;
    rusticl)
        export MICA_TEST_PLATFORM=rusticl RUSTICL_ENABLE=llvmpipe MICA_TEST_SMALL=1
        tests=$small
        driver_of rusticl.icd mesa-opencl-icd ;;
    oclgrind)
        # With several threads Oclgrind 21.10 spoils its own heap.
        export MICA_TEST_PLATFORM=Oclgrind MICA_TEST_SMALL=1 MICA_DEBUG=1 OCLGRIND_DATA_RACES=1 OCLGRIND_NUM_THREADS=1
        tests=$small
        sh "$root/cmake/packages.sh" oclgrind && offer "$(dpkg -L oclgrind | grep 'icd\.so$')" ;;
    *)
        echo "portability.sh: no implementation \"$name\": pocl, pocl-small, narrow, intel, rusticl, oclgrind, pocl-new"
        return 1 ;;
    esac
}

# run_debian13 CTEST-ARGUMENT...: tests/run.sh on a copy of this tree in a Debian 13, which debootstrap makes the first time.
# MICA_DEBIAN13 is its folder. It stays, with what was built and compiled there.
run_debian13() {
    folder=${MICA_DEBIAN13:-$build/portability/debian13}
    [ "$(id -u)" = 0 ] || { echo "pocl-new: root is missing, which debootstrap and chroot need"; return 1; }
    sh "$root/cmake/packages.sh" debootstrap || return 1
    if [ ! -x "$folder/usr/bin/apt-get" ]; then
        debootstrap --variant=minbase trixie "$folder" || { echo "pocl-new: a Debian 13 is missing in $folder"; return 1; }
    fi
    tree=$folder/opt/mica
    mkdir -p "$tree"
    find "$tree" -mindepth 1 -maxdepth 1 ! -name build -exec rm -rf '{}' +
    tar -C "$root" --exclude=./build --exclude=./.git -cf - . | tar -C "$tree" -xf - || return 1
    trap 'umount "$folder/proc" "$folder/sys"' EXIT # of this subshell; POCL asks both about the processor
    mountpoint -q "$folder/proc" || mount -t proc proc "$folder/proc"
    mountpoint -q "$folder/sys" || mount -t sysfs sys "$folder/sys"
    chroot "$folder" /usr/bin/env -u MICA_BUILD -u POCL_CACHE_DIR -C /opt/mica CI="$CI" sh tests/run.sh "$@"
}

# run NAME CTEST-ARGUMENT...: one implementation, in a subshell of its own. Its last line is "N passed, N failed".
run() {
    name=$1
    shift
    unset MICA_DEVICE MICA_LIMITS MICA_DEBUG
    # Kernels compiled for another processor are none of this one's.
    case $name in
    pocl | pocl-small) ;;
    *) POCL_CACHE_DIR=$build/portability/$name.cache ;;
    esac
    export POCL_CACHE_DIR="${POCL_CACHE_DIR:-$build/pocl-cache}" CI="${CI:-1}"
    if [ "$name" = pocl-new ]; then
        run_debian13 "$@" && return
        grep -q '^[0-9]* passed' "$log" || echo "0 passed, 1 failed"
        return 1
    fi
    if ! prepare; then
        echo "0 passed, 1 failed"
        return 1
    fi
    # shellcheck disable=SC2086 # the arguments of CTest
    sh "$root/tests/suite.sh" "$build" $tests "$@"
    status=$?
    # Oclgrind reports a bad access and goes on; a reported one is a failure.
    if [ "$name" = oclgrind ]; then
        bad=$(grep -cE '^(Invalid (read|write)|Work-group divergence|(Read-write|Write-write) data race|Unable to)' \
            "$build/Testing/Temporary/LastTest.log")
        if [ "$bad" -gt 0 ]; then
            echo "Oclgrind reported $bad errors"
            status=1
        fi
    fi
    return "$status"
}

rows=$build/portability/table
printf 'implementation|version|device|passed|failed|seconds\n' >"$rows"
failed=0
for name in ${names:-pocl pocl-small narrow intel rusticl oclgrind pocl-new}; do
    log=$build/portability/$name.log
    echo "running on $name"
    start=$(date +%s)
    if ! (run "$name" "$@") >"$log" 2>&1; then
        failed=1
        grep -E '^\[  ERROR   \]|^\[  FAILED  \]|\*\*\*|^implementation: |Oclgrind reported|^[a-z].*(missing|not installed)' \
            "$log" | head -n 40
        tail -n 5 "$log"
    fi
    seconds=$(($(date +%s) - start))
    sed -n 's/^device: //p' "$log" | head -n 1 >"$rows.device"
    awk -F'|' -v name="$name" -v seconds="$seconds" '
        FILENAME ~ /device$/ { version = $2; device = $3; next }
        /^[0-9]+ passed, [0-9]+ failed/ { split($0, word, " "); passed = word[1]; bad = word[3] }
        /^Oclgrind reported/ { bad += $3 }
        END { printf "%s|%s|%s|%d|%d|%d\n", name, version, device, passed, bad, seconds }' "$rows.device" "$log" >>"$rows"
done
echo
awk -F'|' '
    { for (i = 1; i <= NF; i++) { cell[NR, i] = $i; if (length($i) > width[i]) width[i] = length($i) } }
    END {
        for (row = 1; row <= NR; row++) {
            line = ""
            for (i = 1; i <= NF; i++) line = line sprintf("%-" (width[i] + 2) "s", cell[row, i])
            sub(/ +$/, "", line)
            print line
        }
    }' "$rows"
exit "$failed"
