#!/bin/sh
# vae.sh PROGRAM: on images that are all alike the nats of one fall from epoch to epoch, and a picture of the right size is drawn.
set -u
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sh "$(dirname "$0")/images.sh" "$folder" train
sh "$(dirname "$0")/images.sh" "$folder" t10k
cd "$folder" || exit 1
said=$("$1" "$folder" 3) || exit 1
echo "$said"
[ "$(head -c 11 vae.pgm | tr '\n' ' ')" = "P5 280 280 " ] || exit 1
echo "$said" | awk '$1 == "epoch" { if (NR > 1 && !($5 < last)) bad = 1; last = $5; lines++ } END { exit bad || lines != 3 }'
