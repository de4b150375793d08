#!/bin/sh
# job.sh MICA JOB REQUIREMENT [SET]...: the job, changed so, learns what it is to learn.
set -eu
mica=$1
job=$2
wanted=$3
shift 3
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
for set in "$@"; do
    shift
    set -- "$@" --set "$set"
done
"$mica" train "$job" "$@" --out model.safetensors
"$mica" evaluate model.safetensors --data "$job" --require "$wanted"
