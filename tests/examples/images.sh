#!/bin/sh
# images.sh FOLDER NAME: FOLDER/NAME-images-idx3-ubyte.gz with 256 striped images of 28 x 28, and NAME-labels-idx1-ubyte.gz, as MNIST's
# files are: a big-endian magic number, sizes, bytes.
set -u
{
    printf '\0\0\010\003\0\0\001\0\0\0\0\034\0\0\0\034'
    awk 'BEGIN { for (i = 0; i < 256 * 784; i++) printf "%c", (i % 28 > 9 && i % 28 < 18 ? "z" : "!") }'
} | gzip >"$1/$2-images-idx3-ubyte.gz"
{
    printf '\0\0\010\001\0\0\001\0'
    awk 'BEGIN { for (i = 0; i < 256; i++) printf "%c", "\001" }'
} | gzip >"$1/$2-labels-idx1-ubyte.gz"
