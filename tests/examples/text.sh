#!/bin/sh
# text.sh MICA JOB ARGUMENT...: the job, made small by the arguments, learns a small text by heart and goes on with it.
set -eu
mica=$1
job=$2
shift 2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
i=0
while [ "$i" -lt 60 ]; do
    echo "pack my box with five dozen liquor jugs"
    i=$((i + 1))
done >input.txt
cp "$job" text.json
"$mica" train text.json "$@" --out text.safetensors
echo '{"format": "text", "train": "input.txt"}' >data.json
"$mica" evaluate text.safetensors --data data.json --require 'accuracy>0.8'
text=$("$mica" generate text.safetensors --prompt 'pack my box ' --tokens 15 --temperature 0)
[ "$text" = "with five dozen" ] || { echo "it went on with \"$text\""; exit 1; }
# More than a window holds: the text goes on.
text=$("$mica" generate text.safetensors --prompt 'pack my box ' --tokens 100 --temperature 0)
case "$text" in
*jugs*jugs*) ;;
*) echo "it went on with \"$text\""; exit 1 ;;
esac
