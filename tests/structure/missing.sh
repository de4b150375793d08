#!/bin/sh
# The program on machines that lack OpenCL or CLBlast. Usage: missing.sh PROGRAM
set -u
mica=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 2
failed=0

fail() {
    echo "$*"
    failed=1
}

# expect STATUS TEXT COMMAND...: how it ends, and what it says on standard error.
expect() {
    wanted=$1
    text=$2
    shift 2
    "$@" >out 2>err </dev/null
    status=$?
    [ "$status" -eq "$wanted" ] || fail "$*: status $status, expected $wanted: $(cat err)"
    [ -z "$text" ] || grep -q -e "$text" err || fail "$*: \"$text\" is not in: $(cat err)"
}

awk 'BEGIN { OFS = ","; print "a,b,kind"; for (i = 0; i < 24; i++) print i % 7, i % 5, i % 2 ? "odd" : "even" }' >table.csv
cat >job.json <<'JOB'
{"data": {"format": "csv", "path": "table.csv", "label": "kind"},
 "model": {"input_shape": [2], "layers": [{"type": "dense", "units": 4, "activation": "relu"}, {"type": "dense", "units": 2}]},
 "loss": "sparse_categorical_crossentropy", "optimizer": {"type": "adam"}, "epochs": 1, "batch_size": 8}
JOB

MICA_OPENCL_LIBRARY=$folder/no-such-library.so
export MICA_OPENCL_LIBRARY
expect 1 'no-such-library.so' "$mica" devices
expect 1 'no-such-library.so' "$mica" train job.json --out model.safetensors
[ ! -s out ] || fail "mica train without OpenCL prints: $(cat out)"
expect 0 '' "$mica" --help
expect 0 '' "$mica" train --help
unset MICA_OPENCL_LIBRARY

# A loader, but no driver.
mkdir none
expect 1 'install .*pocl-opencl-icd' env OCL_ICD_VENDORS="$folder/none/" "$mica" devices
expect 1 'install .*pocl-opencl-icd' env OCL_ICD_VENDORS="$folder/none/" "$mica" train job.json --out model.safetensors

MICA_CLBLAST_LIBRARY=$folder/no-such-blas.so
export MICA_CLBLAST_LIBRARY
expect 0 '' "$mica" train job.json --out model.safetensors
[ -s model.safetensors ] || fail "no model was written without CLBlast"

exit "$failed"
