#!/bin/sh
# gan.sh PROGRAM: an epoch on a few images leaves a picture of the right size and losses that are numbers.
set -u
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# 256 images of 28 x 28 and their labels, as MNIST's files are: a big-endian magic number, sizes, bytes.
{
    printf '\0\0\010\003\0\0\001\0\0\0\0\034\0\0\0\034'
    awk 'BEGIN { for (i = 0; i < 256 * 784; i++) printf "%c", (i % 784 % 28 > 9 && i % 784 % 28 < 18 ? "z" : "!") }'
} | gzip >"$folder/train-images-idx3-ubyte.gz"
{
    printf '\0\0\010\001\0\0\001\0'
    awk 'BEGIN { for (i = 0; i < 256; i++) printf "%c", "\001" }'
} | gzip >"$folder/train-labels-idx1-ubyte.gz"
cd "$folder" || exit 1
said=$("$1" "$folder" 1) || exit 1
echo "$said"
case $said in *nan* | *inf*) exit 1 ;; esac
[ "$(od -A n -t u1 -j 16 -N 8 gan_1.png | tr -s ' ')" = " 0 0 1 24 0 0 1 24" ] # 280 x 280
