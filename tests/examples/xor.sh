#!/bin/sh
# xor.sh PROGRAM: each line "a xor b = v" must be within 0.2 of the truth.
set -u
said=$("$1") || exit 1
echo "$said"
echo "$said" | awk '
    $2 == "xor" { truth = $1 != $3; if ($5 - truth > 0.2 || truth - $5 > 0.2) bad = 1; lines++ }
    END { exit bad || lines != 4 }'
