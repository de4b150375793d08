#!/bin/sh
# program.sh SOURCE-FOLDER COMPILER OPENCL-INCLUDE-FOLDER LIBRARY FLAG...: takes the first program out of README.md, which
# has at most 25 lines, builds it with the flags and runs it where examples/data lies. It must learn its digits.
set -eu
root=$1
cc=$2
opencl=$3
library=$4
shift 4

fail() {
    echo "README.md: $*" >&2
    exit 1
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
awk '/^```c$/ { inside = 1; next } /^```/ { if (inside) exit } inside' "$root/README.md" >"$work/program.c"
lines=$(wc -l <"$work/program.c")
[ "$lines" -gt 0 ] || fail "there is no program in C"
[ "$lines" -le 25 ] || fail "the program has $lines lines, at most 25"
"$cc" "$@" -I"$root/include" -isystem "$opencl" "$work/program.c" "$library" \
    -Wl,-rpath,"$(dirname "$library")" -o "$work/program" || fail "the program does not build"

ln -s "$root/examples" "$work/examples"
cd "$work"
said=$(./program) || fail "the program failed"
echo "$said"
echo "$said" | awk '{ right = $1 } END { exit !(right >= 90) }' || fail "fewer than 90 % of the digits are right"
[ -s digits.safetensors ] || fail "the program saved no model"

# Without its data it says so in one line, and fails.
rm examples
if said=$(./program 2>&1); then fail "the program succeeds without data"; fi
echo "$said" | grep -q '^examples/data/digits.csv.gz: No such file' || fail "without data the program says: $said"
