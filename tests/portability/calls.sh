#!/bin/sh
# calls.sh MICA: POCL's machine code of products, convolutions, chains of maps and a step of training holds none of OpenCL's
# functions: all that kernels use in their loops is inlined, or is kernels/operators.cl's own.
# Other drivers leave no machine code to look at. The test is then skipped (77), and says so.
set -u
mica=$1
if ! "$mica" devices | grep '^chosen' >/dev/null; then
    echo "calls: no device"
    exit 1
fi
if ! "$mica" devices | sed -n '/^\*/,/^[^ ]/p' | grep 'Portable Computing Language' >/dev/null; then
    echo "calls: SKIPPED, the driver is not POCL"
    exit 77
fi
if ! command -v objdump >/dev/null; then
    echo "calls: SKIPPED, there is no objdump (package binutils)"
    exit 77
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export POCL_CACHE_DIR="$folder/cache" MICA_CACHE_DIR="$folder/mica"
mkdir "$POCL_CACHE_DIR" "$MICA_CACHE_DIR"
cat >"$folder/job.json" <<'JOB'
{"model": {"input_shape": [16, 13, 13], "layers": [
    {"type": "conv2d", "filters": 24, "kernel_size": 3, "use_bias": false},
    {"type": "batch_normalization"}, {"type": "activation", "activation": "softsign"},
    {"type": "conv2d", "filters": 24, "kernel_size": 3, "groups": 24, "strides": 2, "activation": "relu6"},
    {"type": "conv2d", "filters": 40, "kernel_size": 1, "activation": "silu"},
    {"type": "average_pooling2d", "pool_size": 3, "strides": 2, "padding": 1}, {"type": "dropout", "rate": 0.25},
    {"type": "flatten"}, {"type": "dense", "units": 70, "activation": "tanh"}, {"type": "dense", "units": 10}]},
 "loss": "sparse_categorical_crossentropy", "optimizer": {"type": "adam"}, "batch_size": 3,
 "data": {"format": "npy", "train": {"inputs": "x.npy", "labels": "y.npy"}}}
JOB

# bench ARGUMENT...: compiles kernels; what they take is nobody's business here.
bench() {
    "$mica" bench "$@" --no-roof --seconds 0.001 >"$folder/log" 2>&1 && return
    echo "calls: mica bench $* failed"
    cat "$folder/log"
    exit 1
}
bench gemm 65 70 300
bench gemm 40 200 90 --transpose tn --batch 3
for pass in forward data weights; do
    bench conv 24 14 14 40 3 1 --pass $pass --batch 2
    bench conv 24 14 14 40 5 2 --pass $pass --batch 2
    bench conv 32 15 15 32 3 1 --groups 32 --pass $pass --batch 2
done
bench model "$folder/job.json" --mode training
bench model "$folder/job.json"

find "$POCL_CACHE_DIR" -name '*.so' -exec objdump -d --no-show-raw-insn '{}' + >"$folder/code"
kernels=$(grep -c '^[0-9a-f]* <_pocl_kernel_[^>]*_workgroup[^>]*>:' "$folder/code")
if [ "$kernels" -eq 0 ]; then
    echo "calls: POCL's cache holds no machine code of a kernel"
    exit 1
fi
grep -oE '<(_Z[0-9]+)?_cl_[^>]*>' "$folder/code" | sort | uniq -c >"$folder/found"
echo "calls: $kernels kernels"
if [ -s "$folder/found" ]; then
    echo "calls: of OpenCL's functions these are called:"
    cat "$folder/found"
    exit 1
fi
