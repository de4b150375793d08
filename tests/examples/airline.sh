#!/bin/sh
# airline.sh PROGRAM: of a made series with trend, seasons and noise the forecast is better than the naive one, which the exit
# status says.
set -u
file=$(mktemp)
trap 'rm -f "$file"' EXIT
awk 'BEGIN { srand(1); print "month,passengers"
             for (t = 0; t < 120; t++)
                 printf "%d-%02d,%.0f\n", 1949 + int(t / 12), t % 12 + 1, 100 * exp(0.01 * t + 0.2 * sin(t * 0.5236) + 0.03 * (rand() - 0.5)) }' >"$file"
"$1" "$file" 20
