#!/bin/sh
# characters.sh MICA JOB: the job learns a small text by heart, in fewer characters and units, and goes on with it.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
i=0
while [ "$i" -lt 60 ]; do
    echo "pack my box with five dozen liquor jugs"
    i=$((i + 1))
done >input.txt
cp "$2" characters.json
"$1" train characters.json --set model.layers.0.output_dim=16 --set model.layers.1.units=48 --set data.window=32 --set batch_size=8 \
    --set optimizer.learning_rate=0.01 --set epochs=25 --out characters.safetensors
echo '{"format": "text", "train": "input.txt"}' >data.json
"$1" evaluate characters.safetensors --data data.json --require 'accuracy>0.8'
text=$("$1" generate characters.safetensors --prompt 'pack my box ' --tokens 15 --temperature 0)
[ "$text" = "with five dozen" ] || { echo "it went on with \"$text\""; exit 1; }
