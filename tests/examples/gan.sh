#!/bin/sh
# gan.sh PROGRAM: an epoch on a few images leaves a picture of the right size and losses that are numbers.
set -u
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sh "$(dirname "$0")/images.sh" "$folder" train
cd "$folder" || exit 1
said=$("$1" "$folder" 1) || exit 1
echo "$said"
case $said in *nan* | *inf*) exit 1 ;; esac
[ "$(od -A n -t u1 -j 16 -N 8 gan_1.png | tr -s ' ')" = " 0 0 1 24 0 0 1 24" ] # 280 x 280
