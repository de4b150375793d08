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
# It trains that model a step further on a sample in its own buffers.
echo "$scores" | awk '/^a step changed/ { found = 1; if ($NF >= $(NF - 2)) bad = 1 } END { exit bad || !found }' || { echo "$scores"; exit 1; }
# A model whose input has another name has nothing to bind to: one line and a failure, no scores.
folder=$(dirname "$model")
printf 'a,b,c\n1,2,x\n3,4,y\n' >"$folder/other.csv"
cat >"$folder/other.json" <<'END'
{"model": {"layers": [{"type": "input", "name": "pixels", "shape": [2]}, {"type": "dense", "units": 2}]},
 "data": {"format": "csv", "path": "other.csv", "label": "c"}, "loss": "sparse_categorical_crossentropy", "epochs": 1}
END
"$1" train "$folder/other.json" --out "$folder/other.safetensors" >/dev/null 2>&1
if said=$("$3" "$folder/other.safetensors" 2>&1); then echo "another model was run: $said"; exit 1; fi
case $said in
"embed: the plan has no input or output \"input\": there is \"pixels\", \"output\"") ;;
*) echo "$said"; exit 1 ;;
esac
