#!/bin/sh
# digits.sh MICA SHOW_DIGITS EMBED JOB: one epoch, and then every program that takes the model.
set -eu
model=$(mktemp -d)/digits.safetensors
trap 'rm -rf "$(dirname "$model")"' EXIT

"$1" train "$4" --set epochs=1 --out "$model" 2>/dev/null
"$2" | grep -q '^Device: '
drawn=$("$2" "$model" "$4")
echo "$drawn"
answers=$(echo "$drawn" | grep -oE "  a [0-9]" | wc -l)
[ "$answers" = 9 ] || { echo "expected 9 answers, found $answers"; exit 1; }
# An application with a context of its own says ten scores.
scores=$("$3" "$model")
[ "$(echo "$scores" | grep -cE '^[0-9]: -?[0-9]+\.[0-9]+$')" = 10 ] || { echo "$scores"; exit 1; }
