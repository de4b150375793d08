#!/usr/bin/env python3
"""Times Mica beside the libraries that are installed here, and prints one table of ratios.

    python3 tests/bench/compare.py [--rows gemm,conv,attention,inference,layers,training,generation,epochs,start] [--only TEXT]
                                   [--quick]

Each row is measured in pairs, Mica and the peer in turn, so that both see the same machine: the ratio is the median over the
pairs of the peer's time divided by Mica's; above 1 Mica is the faster one. A peer with several ways (layouts, core types)
is tried in each of them first, and then runs in its best.

  gemm       matrix products, all transposes, against OpenBLAS (through NumPy) with the core type that suits it best
  conv       the convolutions of ResNet-50 and MobileNetV2, forward and both gradients, against PyTorch in its better layout
  attention  heads of attention, of 128 to 4096 steps, forward and with all gradients, against PyTorch's
             scaled_dot_product_attention
  inference  whole networks, against ONNX Runtime and PyTorch
  layers     kinds of layers that those networks have not, in networks of one such layer, a pool and a dense one: inference and
             training, against PyTorch
  training   whole steps with Adam, against PyTorch (in its better layout, fused Adam; --compile: torch.compile too), and the
             most memory at once: parameters, the optimizer's state, gradients, samples, activations and scratch on both sides
  generation a token of a text, batch 1, with a cache of keys and values, against PyTorch with one of its own
  epochs     MNIST with data loading, against a PyTorch loop over tensors in memory; needs --mnist FOLDER
  start      seconds to the first result with empty caches, and again (no peer)

With --peer-device D the peer of the first five is Mica itself on another device, such as another OpenCL implementation for the
same processor (--device pocl --peer-device intel).

Peers use as many threads as there are cores for this process, or --threads. What is not installed is said so and left out.
Run it alone on the machine. The networks are those of examples/models.
"""
import argparse
import json
import math
import os
import re
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
MODELS = os.path.join(ROOT, "examples", "models")
SQUARES = (128, 256, 512, 1024, 2048)
TRANSPOSES = ("nn", "nt", "tn", "tt")
SMALL_NETS = {"mlp": (32, 128), "lenet": (32, 128)}
# The input's shape, the batch, and the layer.
LAYERS = {
    "conv3d 16x16x32x32 32 3x3x3": ([16, 16, 32, 32], 2, {"type": "conv3d", "filters": 32, "kernel_size": 3, "padding": 1}),
    "conv2d_transpose 64x28x28 32 4x4/2": ([64, 28, 28], 8, {"type": "conv2d_transpose", "filters": 32, "kernel_size": 4, "strides": 2,
                                                             "padding": 1}),
    "conv3d_transpose 32x8x16x16 16 2x2x2/2": ([32, 8, 16, 16], 2, {"type": "conv3d_transpose", "filters": 16, "kernel_size": 2,
                                                                    "strides": 2}),
    "depthwise_conv2d 64x56x56 3x3": ([64, 56, 56], 8, {"type": "depthwise_conv2d", "kernel_size": 3, "padding": 1}),
    "separable_conv2d 64x56x56 128 3x3": ([64, 56, 56], 8, {"type": "separable_conv2d", "filters": 128, "kernel_size": 3,
                                                            "padding": 1}),
    "batch_normalization 64x56x56": ([64, 56, 56], 8, {"type": "batch_normalization", "epsilon": 1e-3, "momentum": 0.99}),
    "group_normalization 64x56x56 32": ([64, 56, 56], 8, {"type": "group_normalization", "groups": 32}),
    "layer_normalization 256x768": ([256, 768], 8, {"type": "layer_normalization"}),
}
SEQUENCE_NETS = {"lstm": (32, 128), "transformer": (32, 128)}
LARGE_NETS = {"resnet18": (8,), "resnet50": (8,), "mobilenet_v2": (8,), "vgg16": (8,)}


class Peer:
    """A process of peers.py; `name` is what the table calls it."""

    def __init__(self, name, kind, threads, environment=None):
        self.name = name
        variables = {**os.environ, "OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads), **(environment or {})}
        self.process = subprocess.Popen([sys.executable, os.path.join(HERE, "peers.py"), kind, str(threads)], env=variables,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.missing = self.read().get("error")

    def read(self):
        line = self.process.stdout.readline()
        return json.loads(line) if line else {"error": "it ended"}

    def ask(self, request):
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
        except OSError:
            return {"error": "it ended"}
        return self.read()

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


class Mica:
    def __init__(self, arguments):
        self.program, self.device = arguments.mica, arguments.device
        self.environment = {**os.environ}
        if arguments.threads:
            self.environment["POCL_MAX_PTHREAD_COUNT"] = str(arguments.threads)

    def run(self, words):
        words = [self.program] + words + ["--json"] + (["--device", self.device] if self.device else [])
        done = subprocess.run(words, env=self.environment, capture_output=True, text=True, check=False)
        if done.returncode:
            return {"error": (done.stderr.strip().splitlines() or ["it failed"])[-1]}
        return json.loads(done.stdout)

    def bench(self, words, seconds):
        found = self.run(["bench"] + words + ["--seconds", str(seconds), "--no-roof"])
        return {**found["results"][0], "ms": found["results"][0]["median_ms"]} if "results" in found else found


class Itself:
    """Mica on another device, as a peer."""

    def __init__(self, arguments):
        self.name, self.missing, self.mica = "", None, Mica(arguments)
        self.mica.device = arguments.peer_device

    def ask(self, request):
        return self.mica.bench(request["words"], request["seconds"])


def median(values):
    values = sorted(values)
    return (values[(len(values) - 1) // 2] + values[len(values) // 2]) / 2 if values else math.nan


# ---- What is compared ----


def row(group, name, words, ways, **more):
    """words: of `mica bench`; ways: (peer's kind, what the table calls the way, request)."""
    return {"group": group, "name": name, "words": words, "ways": ways, **more}


def gemm_rows(arguments):
    shapes = [("square", (size, size, size)) for size in SQUARES]
    shapes += [("resnet18", shape) for shape in ((64, 12544, 147), (64, 3136, 576), (128, 784, 1152), (256, 196, 2304),
                                                 (512, 49, 4608), (128, 784, 64), (256, 196, 128), (512, 49, 256))]
    shapes += [("mlp", (batch, n, k)) for batch in (32, 128, 256) for n, k in ((512, 784), (512, 512), (10, 512))]
    shapes += [("transformer", (128, n * width, k * width)) for width in (256, 512, 768) for n, k in ((3, 1), (4, 1), (1, 4))]
    transposes = TRANSPOSES
    if arguments.quick:
        shapes, transposes = [shape for shape in shapes if max(shape[1]) <= 1152][::3], ("nn", "nt")
    for of, (m, n, k) in shapes:
        for transpose in transposes:
            request = {"what": "gemm", "m": m, "n": n, "k": k, "transpose": transpose}
            ways = [("torch", "PyTorch", request)] if arguments.torch_device != "cpu" else [("openblas", "OpenBLAS", request)]
            yield row("gemm", f"{m}x{n}x{k} {transpose} ({of})", ["gemm", str(m), str(n), str(k), "--transpose", transpose], ways,
                      mflop=2e-6 * m * n * k)


def convolutions(net):
    """The different convolutions of a network, as (channels, height, filters, kernel, stride, groups, padding)."""
    with open(os.path.join(MODELS, net + ".json"), encoding="utf-8") as file:
        model = json.load(file)["model"]
    shapes, last, found = {"input": model["input_shape"]}, "input", []
    for layer in model["layers"]:
        shape = shapes[layer.get("inputs", [last])[0]]
        last = layer["name"]
        if layer["type"] in ("conv2d", "max_pooling2d"):
            kernel = layer.get("kernel_size", layer.get("pool_size"))
            stride, padding = layer.get("strides", 1), layer.get("padding", 0)
            side = (shape[1] + 2 * padding - kernel) // stride + 1
            if layer["type"] == "conv2d":
                conv = (shape[0], shape[1], layer["filters"], kernel, stride, layer.get("groups", 1), padding)
                found += [conv] if conv not in found else []
            shape = [layer.get("filters", shape[0]), side, side]
        shapes[last] = shape
    return found


def conv_rows(arguments):
    for net in ("resnet50", "mobilenet_v2"):
        shapes = convolutions(net)
        for c, side, filters, kernel, stride, groups, padding in shapes[1::6] if arguments.quick else shapes:
            for batch in (1,) if arguments.quick else (1, 8):
                for which in ("forward", "data", "weights"):
                    words = ["conv", *map(str, (c, side, side, filters, kernel, stride)), "--groups", str(groups), "--padding",
                             str(padding), "--batch", str(batch), "--pass", which]
                    request = {"what": "conv", "c": c, "h": side, "w": side, "filters": filters, "kernel": kernel,
                               "stride": stride, "groups": groups, "padding": padding, "batch": batch, "which": which}
                    ways = [("torch", f"PyTorch {layout}", {**request, "layout": layout}) for layout in ("plain", "channels-last")]
                    name = f"{c}x{side}x{side} {filters} {kernel}x{kernel}/{stride} g{groups} b{batch} {which} ({net})"
                    yield row("conv", name, words, ways)


def attention_rows(arguments):
    """8 heads of 64 in one sample, against scaled_dot_product_attention."""
    for steps in (128, 1024) if arguments.quick else (128, 512, 1024, 2048, 4096):
        for causal in (0, 1):
            for which in ("forward", "both"):
                words = ["op", "Attention", *[f"1x{steps}x512"] * 3, "--attribute", "q_num_heads=8", "--attribute", f"is_causal={causal}"]
                request = {"what": "attention", "steps": steps, "heads": 8, "size": 64, "causal": bool(causal), "which": which}
                name = f"8 x 64, {steps} steps{', causal' if causal else ''}, {'forward and backward' if which == 'both' else which}"
                yield row("attention", name, words + (["--gradient"] if which == "both" else []), [("torch", "PyTorch", request)])


def nets_of(arguments):
    return ["mlp", "lenet", "mobilenet_v2", "lstm"] if arguments.quick else [*SMALL_NETS, *SEQUENCE_NETS, *LARGE_NETS]


def layouts_of(net):
    """Those that images have."""
    return ("plain",) if net in SEQUENCE_NETS else ("plain", "channels-last")


def inference_rows(arguments):
    for net in nets_of(arguments):
        path = os.path.join(MODELS, net + ".json")
        for batch in (1, 8):
            request = {"what": "inference", "path": path, "batch": batch}
            ways = [("onnxruntime", "ONNX Runtime", request)] if arguments.torch_device == "cpu" else []
            ways += [("torch", f"PyTorch {layout}", {**request, "layout": layout}) for layout in layouts_of(net)]
            yield row("inference", f"{net} b{batch}", ["model", path, "--batch", str(batch)], ways)


def layer_rows(arguments):
    with open(os.path.join(MODELS, "lenet.json"), encoding="utf-8") as file:
        job = json.load(file)
    for number, (name, (shape, batch, layer)) in enumerate(LAYERS.items()):
        rest = [{"type": "global_average_pooling", "name": "pool"}, {"type": "dense", "name": "scores", "units": 10}]
        path = os.path.join(tempfile.gettempdir(), f"mica-compare-{number}.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump({**job, "model": {"input_shape": shape, "layers": [{**layer, "name": "layer"}, *rest]}}, file)
        for what in ("inference",) if arguments.quick else ("inference", "training"):
            request = {"what": what, "path": path, "batch": batch}
            layouts = ("plain", "channels-last") if len(shape) > 2 else ("plain",) # which images have
            ways = [("torch", f"PyTorch {layout}", {**request, "layout": layout}) for layout in layouts]
            yield row("layers", f"{name} b{batch} {what}", ["model", path, "--batch", str(batch), "--mode", what], ways)


def training_rows(arguments):
    for net in nets_of(arguments):
        path = os.path.join(MODELS, net + ".json")
        for batch in {**SMALL_NETS, **SEQUENCE_NETS, **LARGE_NETS}[net]:
            request = {"what": "training", "path": path, "batch": batch}
            ways = [("torch", f"PyTorch {layout}", {**request, "layout": layout}) for layout in layouts_of(net)]
            if arguments.compile:
                ways.append(("torch", "PyTorch compiled", {**request, "layout": layouts_of(net)[-1], "compiled": True}))
            yield row("training", f"{net} b{batch}", ["model", path, "--batch", str(batch), "--mode", "training"], ways)


def generation_rows(arguments):
    path = os.path.join(MODELS, "gpt.json")
    words = ["model", path, "--mode", "generation"]
    yield row("generation", "gpt b1", words, [("torch", "PyTorch", {"what": "generation", "path": path})])


def epoch_rows(arguments):
    if not arguments.mnist:
        print("epochs: left out, --mnist FOLDER is not given")
        return
    folder = os.path.abspath(arguments.mnist)
    files = {"train.images": "train-images-idx3-ubyte.gz", "train.labels": "train-labels-idx1-ubyte.gz",
             "test.images": "t10k-images-idx3-ubyte.gz", "test.labels": "t10k-labels-idx1-ubyte.gz"}
    sets = [f"data.{key}={os.path.join(folder, name)}" for key, name in files.items()]
    for net, batches in SMALL_NETS.items():
        path = os.path.join(MODELS, net + ".json")
        for batch in batches[1:] if arguments.quick else batches:
            words = ["train", path, "--out", os.path.join(tempfile.gettempdir(), "mica-compare.safetensors")]
            for text in [*sets, f"batch_size={batch}", "epochs=2"]:
                words += ["--set", text]
            yield row("epochs", f"{net} MNIST b{batch}", words, [("torch", "PyTorch", {"what": "epoch", "path": path,
                                                                                  "batch": batch, "mnist": folder})])


def start_rows(arguments):
    for net in ("mlp",) if arguments.quick else ("lenet", "resnet18"):
        yield row("start", net, ["model", os.path.join(MODELS, net + ".json"), "--start"], [])


GROUPS = {"gemm": gemm_rows, "conv": conv_rows, "attention": attention_rows, "inference": inference_rows, "layers": layer_rows,
          "training": training_rows, "generation": generation_rows, "epochs": epoch_rows, "start": start_rows}


# ---- Measuring ----


class Comparison:
    def __init__(self, arguments):
        self.arguments, self.mica, self.peers, self.said = arguments, Mica(arguments), {}, set()
        self.threads = arguments.threads or len(os.sched_getaffinity(0))
        self.seconds = 0.1 if arguments.quick else arguments.seconds

    def start_peers(self, kind):
        """The processes of a kind; OpenBLAS has one for each core type that this processor may like."""
        if kind == "itself":
            return [Itself(self.arguments)]
        if kind not in self.peers:
            environment, cores = {"MICA_COMPARE_TORCH_DEVICE": self.arguments.torch_device}, [""]
            if kind == "openblas":
                with open("/proc/cpuinfo", encoding="utf-8") as file:
                    flags = file.read()
                cores += [core for core, flag in (("Haswell", "avx2"), ("Zen", "avx2"), ("SkylakeX", "avx512f")) if flag in flags]
            self.peers[kind] = [Peer(core, kind, self.threads, {**environment, **({"OPENBLAS_CORETYPE": core} if core else {})})
                                for core in cores]
            missing = self.peers[kind][0].missing
            if missing:
                self.say(f"{kind}: left out, {missing}")
        return [peer for peer in self.peers[kind] if not peer.missing]

    def stop_peers(self, kind):
        for peer in self.peers.pop(kind, []):
            peer.close()

    def say(self, text):
        if text not in self.said:
            print(text, flush=True)
        self.said.add(text)

    def measure_mica(self, what):
        time.sleep(0.1)  # threads of a peer that still spin
        if what["group"] != "epochs":
            return self.mica.bench(what["words"], self.seconds)
        found = self.mica.run(what["words"])
        return found if "error" in found else {"ms": found["epochs"][-1]["seconds"] * 1e3, "error": None}

    def measure_peer(self, peer, request):
        time.sleep(0.05)
        return peer.ask({**request, "seconds": self.seconds})

    def best_way(self, what):
        """(peer, label, request) of the fastest way; None where there is none."""
        best = None
        if len(what["ways"]) == 1:
            kind, label, request = what["ways"][0]
            peers = self.start_peers(kind)
            if len(peers) == 1:
                return peers[0], label, request
        for kind, label, request in what["ways"]:
            for peer in self.start_peers(kind):
                found = self.measure_peer(peer, request)
                if "ms" not in found:
                    self.say(f"{label}, {what['name']}: {found['error']}")
                elif not best or found["ms"] < best[0]:
                    best = found["ms"], peer, f"{label} {peer.name}".strip(), request
        return best[1:] if best else None

    def compare(self, what):
        """A row of the table; None where Mica failed."""
        if what["group"] == "start":
            return self.measure_start(what)
        if self.arguments.peer_device:
            request = {"what": "itself", "words": what["words"]}
            what = {**what, "ways": [("itself", f"Mica on {self.arguments.peer_device}", request)]}
        way, pairs, other = self.best_way(what), [], {}
        for _ in range(self.arguments.pairs):
            own = self.measure_mica(what)
            if not own.get("ms"):
                self.say(f"Mica, {what['name']}: {own['error']}")
                return None
            other = self.measure_peer(way[0], way[2]) if way else {}
            pairs.append((own["ms"], other.get("ms") or math.nan))
        if way and way[2]["what"] == "training":
            other = self.measure_peer(way[0], {**way[2], "what": "memory"})
        return {**what, "own": own, "peer": way[1] if way else "-", "peer_peak": other.get("peak_bytes"),
                "ms": median([pair[0] for pair in pairs]), "peer_ms": median([pair[1] for pair in pairs]),
                "ratios": sorted(pair[1] / pair[0] for pair in pairs)}

    def measure_start(self, what):
        own = self.mica.bench(what["words"], 0.05)
        if "cold_seconds" not in own:
            self.say(f"Mica, {what['name']}: {own['error']}")
            return None
        return {**what, "cold": own["cold_seconds"], "warm": own["warm_seconds"]}


# ---- Table ----


def print_row(found):
    if found["group"] == "start":
        print(f"| start {found['name']} | cold {found['cold']:.2f} s | warm {found['warm']:.2f} s | | | |", flush=True)
        return
    own, ratios = found["own"], found["ratios"]
    note = f"{own['engine']} {own['gflops']:.0f} GFLOP/s" if own.get("gflops") else ""
    if found["group"] == "generation":
        note = f"{1e3 / found['ms']:.0f} tokens a second against {1e3 / found['peer_ms']:.0f}, {own['launches']} launches a token"
    if found["peer_peak"]:
        note += f", {own['peak_bytes'] / 2**20:.0f} MiB against {found['peer_peak'] / 2**20:.0f}"
    print(f"| {found['group']} {found['name']} | {found['ms']:.4g} | {found['peer_ms']:.4g} | {found['peer']} | "
          f"{median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f}) | {note.strip()} |", flush=True)


def print_means(table):
    """Geometric means; small products apart, where a launch decides."""
    print()
    for group in GROUPS:
        ratios = [median(found["ratios"]) for found in table if found["group"] == group and "ratios" in found]
        ratios = [ratio for ratio in ratios if ratio > 0]
        if ratios:
            mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
            print(f"{group}: geometric mean {mean:.2f} x over {len(ratios)} rows, least {min(ratios):.2f} x")
    large = [median(found["ratios"]) for found in table if found["group"] == "gemm" and found["mflop"] > 1]
    if large and large != [ratio for ratio in large if not ratio > 0]:
        print(f"gemm above 1 MFLOP: least {min(large):.2f} x")


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mica", default=os.path.join(ROOT, "build", "release", "mica"), help="the program")
    parser.add_argument("--rows", default="gemm,conv,inference,training", help="groups, with commas between")
    parser.add_argument("--only", default="", help="a regular expression that a row's name must contain")
    parser.add_argument("--quick", action="store_true", help="few rows, short")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.5, help="for each measurement")
    parser.add_argument("--threads", type=int, default=0, help="of the peers, and of POCL")
    parser.add_argument("--device", default="", help="of Mica")
    parser.add_argument("--peer-device", default="", help="Mica on this device is the peer")
    parser.add_argument("--torch-device", default="cpu", help="cuda: PyTorch on a GPU, without TF32")
    parser.add_argument("--compile", action="store_true", help="torch.compile too")
    parser.add_argument("--mnist", default="", help="a folder with MNIST's training files")
    parser.add_argument("--json", default="", help="writes the rows to this file too")
    arguments = parser.parse_args()
    arguments.pairs = 3 if arguments.quick and arguments.pairs == 5 else max(1, arguments.pairs)
    wrong = [name for name in arguments.rows.split(",") if name not in GROUPS]
    if wrong:
        parser.error(f"there are no rows \"{wrong[0]}\", but {', '.join(GROUPS)}")
    if not os.access(arguments.mica, os.X_OK):
        parser.error(f"{arguments.mica} is no program; build Mica, or name it with --mica")
    return arguments


def main():
    arguments = read_arguments()
    comparison, table = Comparison(arguments), []
    print(f"{comparison.threads} threads, median of {arguments.pairs} pairs\n\n"
          "| work | Mica, ms | peer, ms | peer | ratio (least to most) | Mica's engine and memory |\n|---|---|---|---|---|---|")
    for group in arguments.rows.split(","):
        for what in GROUPS[group](arguments):
            if not re.search(arguments.only, f"{group} {what['name']}"):
                continue
            found = comparison.compare(what)
            if found:
                table.append(found)
                print_row(found)
    print_means(table)
    for kind in list(comparison.peers):
        comparison.stop_peers(kind)
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump([{key: value for key, value in found.items() if key != "ways"} for found in table], file, indent=1)


if __name__ == "__main__":
    main()
