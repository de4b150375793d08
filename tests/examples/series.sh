#!/bin/sh
# series.sh MICA FOLDER: the jobs of series learn made ones, better than a forecast that says what was last, or a year before, and tell
# what comes behind the end.
set -eu
mica=$1
jobs=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
fail() { echo "$1"; exit 1; }
below() { awk "BEGIN { exit !($1 < $2) }"; }

# Passengers of ten years, with trend, seasons and noise; what the seasons of a year before are off in the last two.
awk 'BEGIN { srand(1); print "Month,Passengers"
             for (t = 0; t < 120; t++)
                 printf "%d-%02d,%.0f\n", 1949 + int(t / 12), t % 12 + 1,
                        100 * exp(0.01 * t + 0.2 * sin(t * 0.5236) + 0.03 * (rand() - 0.5)) }' >passengers.csv
naive=$(awk -F, 'NR > 1 { x[n++] = $2 } END { for (t = n - 24; t < n; t++) { d = x[t] - x[t - 12]; sum += d < 0 ? -d : d }; print sum / 24 }' \
        passengers.csv)
sed 's|"airline-passengers.csv"|"passengers.csv"|; s|0.798, 0, 0.202|0.747, 0, 0.253|' "$jobs/airline.json" >airline.json
"$mica" train airline.json --set epochs=20 --out airline.safetensors
"$mica" evaluate airline.safetensors --data airline.json --require "mean_absolute_error<$naive"
"$mica" predict airline.safetensors --input passengers.csv >forecasts
tail -n 1 forecasts | grep -q '^1959-01: [0-9]' || fail "no forecast of 1959-01: $(tail -n 1 forecasts)"
below 200 "$(tail -n 1 forecasts | sed 's/.* //')" || fail "no passengers: $(tail -n 1 forecasts)"
[ "$(wc -l <forecasts)" -eq 96 ] || fail "$(wc -l <forecasts) forecasts of 120 months"

# Three years of daily temperatures that return to their season, and what yesterday's are off.
awk 'BEGIN { srand(2); print "Date,Temp"; days = "31 28 31 30 31 30 31 31 30 31 30 31"; split(days, month, " ")
             for (year = 2001; year < 2004; year++)
                 for (m = 1; m <= 12; m++)
                     for (d = 1; d <= month[m]; d++) {
                         weather = 0.5 * weather + 4 * (rand() + rand() - 1)
                         printf "%d-%02d-%02d,%.1f\n", year, m, d, 11 + 4 * cos(t++ * 0.0172) + weather
                     } }' >daily.csv
sed 's|daily-min-temperatures.csv|daily.csv|' "$jobs/temperatures.json" >temperatures.json
"$mica" train temperatures.json --set epochs=8 --out temperatures.safetensors
yesterday=$(awk -F, 'NR > 1 { x[n++] = $2 } END { first = n - int((n - 28) / 10)
                     for (t = first; t < n; t++) { d = x[t] - x[t - 1]; sum += d < 0 ? -d : d }; print sum / (n - first) }' daily.csv)
"$mica" evaluate temperatures.safetensors --data temperatures.json --require "mean_absolute_error<$yesterday"
"$mica" predict temperatures.safetensors --input daily.csv | tail -n 1 | grep -q '^2004-01-01: ' || fail "no forecast of 2004-01-01"
