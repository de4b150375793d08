#!/bin/sh
# Trains a network of this folder on MNIST instead of the digits of examples/data.
# Usage: mnist.sh JOB.json MNIST-FOLDER [what `mica train` takes]...
# MNIST-FOLDER holds the four files as they are distributed, .gz. MICA is the program, by default the quickstart's.
set -eu
job=$1
folder=$(cd "$2" && pwd)
shift 2
data='{"format": "idx", "normalize": {"divide_by": 255},
       "train": {"images": "'$folder'/train-images-idx3-ubyte.gz", "labels": "'$folder'/train-labels-idx1-ubyte.gz"},
       "test": {"images": "'$folder'/t10k-images-idx3-ubyte.gz", "labels": "'$folder'/t10k-labels-idx1-ubyte.gz"}}'
exec "${MICA:-$(dirname "$0")/../../build/release/mica}" train "$job" --set "data=$data" "$@"
