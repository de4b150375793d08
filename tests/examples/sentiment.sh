#!/bin/sh
# sentiment.sh MICA JOB: the job, with fewer units, learns that "not" turns what a sentence says, and answers to raw sentences.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
for thing in film plot cast story ending music pace title; do
    for very in "" "very " "quite " "really "; do
        printf '%s\t1\n' "the $thing is ${very}good" "a $thing that is ${very}fine , all in all" "the $thing is not ${very}bad"
        printf '%s\t0\n' "the $thing is ${very}bad" "a $thing that is ${very}dull , all in all" "the $thing is not ${very}good"
    done
done >train.tsv
cp "$2" sentiment.json
"$1" train sentiment.json --set model.layers.0.output_dim=16 --set model.layers.1.rate=0.1 --set model.layers.2.layer.units=16 \
    --set batch_size=16 --set optimizer.learning_rate=0.01 --set epochs=15 --out sentiment.safetensors
printf '%s\n' "the music , I think , is not very good" "a story that is really fine" >new.txt
"$1" predict sentiment.safetensors --input new.txt >answers
grep -q '^0: 0' answers && grep -q '^1: 1' answers || { cat answers; exit 1; }
echo '{"format": "csv", "path": "train.tsv", "inputs": 0, "targets": 1}' >data.json
"$1" evaluate sentiment.safetensors --data data.json --require 'accuracy>0.95'
