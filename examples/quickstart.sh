#!/bin/sh
# Builds Mica, trains a convolutional network on handwritten digits, and shows what it makes of digits it has never seen.
# Usage: quickstart.sh [MNIST-FOLDER]
#
# Without an argument the digits are those of examples/data. With one they are MNIST's four files (plain or .gz).
# The model stays in the current folder. What the machine lacks is installed first, with sudo only when not root.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
build=$root/build/release
fail() {
    echo "quickstart: $*" >&2
    exit 1
}

# mnist_file NAME: the absolute path of one of MNIST's files, plain or .gz, also where it is called NAME with ".idx".
mnist_file() {
    for name in "$1" "$(echo "$1" | sed 's/-idx/.idx/')"; do
        for file in "$folder/$name.gz" "$folder/$name"; do
            if [ -f "$file" ]; then
                echo "$file"
                return
            fi
        done
    done
    fail "$folder holds no $1, plain or .gz"
}

job=$root/examples/digits.json
model=digits.safetensors
if [ $# -gt 0 ]; then
    [ -d "$1" ] || fail "$1 is not a folder; usage: quickstart.sh [MNIST-FOLDER]"
    folder=$(cd "$1" && pwd)
    job=$root/examples/mnist.json
    model=mnist.safetensors
    train_images=$(mnist_file train-images-idx3-ubyte)
    train_labels=$(mnist_file train-labels-idx1-ubyte)
    test_images=$(mnist_file t10k-images-idx3-ubyte)
    test_labels=$(mnist_file t10k-labels-idx1-ubyte)
    set -- "data.train.images=$train_images" "data.train.labels=$train_labels" \
        "data.test.images=$test_images" "data.test.labels=$test_labels"
fi

sh "$root/cmake/packages.sh" gcc:cc libc6-dev make:make cmake:cmake opencl-headers ocl-icd-opencl-dev libclblast-dev \
    pocl-opencl-icd zlib1g-dev libcjson-dev libxxhash-dev librandom123-dev

echo "Building Mica in $build"
mkdir -p "$build"
[ -w "$build" ] || fail "$build cannot be written"
generator=
if [ ! -f "$build/CMakeCache.txt" ] && command -v ninja >/dev/null 2>&1; then generator="-G Ninja"; fi
# shellcheck disable=SC2086 # a list of arguments
if ! { cmake -S "$root" -B "$build" $generator -DCMAKE_BUILD_TYPE=Release -DMICA_TESTS=OFF &&
    cmake --build "$build" --parallel "$(nproc)" --target mica example_show_digits; } >"$build/quickstart.log" 2>&1; then
    tail -n 40 "$build/quickstart.log" >&2
    fail "the build failed; all of its output is in $build/quickstart.log"
fi

echo
"$build/examples/show_digits"
echo "Its kernels are compiled first, which takes a while; the next time they come from a cache."
echo
if [ $# -eq 0 ]; then
    "$build/mica" train "$job" --out "$model"
else
    "$build/mica" train "$job" --out "$model" --set "$1" --set "$2" --set "$3" --set "$4"
fi
echo
echo "Digits that it has never seen, and its answers:"
echo
"$build/examples/show_digits" "$model" "$job" "$@"
echo "The model is $model. Look inside with: $build/mica inspect $model"
