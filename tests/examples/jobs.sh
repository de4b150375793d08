#!/bin/sh
# jobs.sh MICA FOLDER: jobs with two inputs and with two losses, for a few epochs.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

"$1" train "$2/two_towers.json" --set epochs=20 >towers 2>/dev/null || { cat towers; exit 1; }
"$1" evaluate two_towers.safetensors --data "$2/two_towers.json" --require 'r2_score>0.6'
"$1" train "$2/two_heads.json" --set epochs=3 2>/dev/null
"$1" evaluate two_heads.safetensors --data "$2/two_heads.json" --require 'digit_accuracy>0.6' --require 'lower_mean_absolute_error<4' |
    grep -q '^digit_confusion_matrix'
