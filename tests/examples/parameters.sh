#!/bin/sh
# parameters.sh MICA FOLDER: the network of every introduction has as many parameters as everywhere else, by the same names.
set -eu
mica=$1
jobs=$2
here=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
sh "$here/images.sh" . train
sh "$here/images.sh" . t10k
MICA=$mica sh "$jobs/mnist.sh" "$jobs/from_scratch.json" . --set epochs=0 --out mnist.safetensors
"$mica" inspect mnist.safetensors --variables >said
cat said
tr -s ' ' <said >lines
for line in '109386 parameters,.*' 'fc1.weight 128, 784 100352' 'fc1.bias 128 128' 'fc2.weight 64, 128 8192' 'fc3.weight 10, 64 640'; do
    grep -qx "$line" lines || { echo "there is no line $line"; exit 1; }
done
