#!/bin/sh
# loop.sh PROGRAM TABLE: a few epochs of the loop that is written out learn most digits.
set -u
said=$("$1" "$2" 3) || exit 1
echo "$said"
echo "$said" | awk '/^epoch/ { if ($NF > 0.8) good = 1; lines++ } END { exit !good || lines != 3 }'
