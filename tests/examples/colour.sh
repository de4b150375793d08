#!/bin/sh
# colour.sh PROGRAM: 64 records of one colour each, red of class 0 and blue of class 1, are told apart.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
plane=$(awk 'BEGIN { for (i = 0; i < 1024; i++) printf "z" }')
dark=$(awk 'BEGIN { for (i = 0; i < 1024; i++) printf "!" }')
for i in $(seq 32); do
    printf '\0%s%s%s' "$plane" "$dark" "$dark"
    printf '\001%s%s%s' "$dark" "$dark" "$plane"
done >"$folder/records.bin"
said=$("$1" "$folder/records.bin" "$folder/records.bin" 5)
echo "$said"
echo "$said" | grep -q '^100.0 % of the test images'
if "$1" "$folder/nowhere.bin" "$folder/records.bin" >/dev/null 2>&1; then exit 1; fi
