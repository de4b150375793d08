#!/bin/sh
# gpt.sh MICA JOB: the job learns a small text by heart, with fewer features and blocks, and goes on with it.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
i=0
while [ "$i" -lt 60 ]; do
    echo "pack my box with five dozen liquor jugs"
    i=$((i + 1))
done >input.txt
cp "$2" gpt.json
"$1" train gpt.json --set model.layers.0.output_dim=32 --set data.window=40 --set data.stride=8 --set batch_size=16 --set epochs=12 \
    --out gpt.safetensors
text=$("$1" generate gpt.safetensors --prompt 'pack my box ' --tokens 15 --temperature 0)
[ "$text" = "with five dozen" ] || { echo "it went on with \"$text\""; exit 1; }
# More than the window holds: the text goes on.
text=$("$1" generate gpt.safetensors --prompt 'pack my box ' --tokens 100 --temperature 0)
case "$text" in
*jugs*jugs*) ;;
*) echo "it went on with \"$text\""; exit 1 ;;
esac
