"""The other libraries of compare.py, each in a process of its own.

A peer is started as `python3 peers.py KIND`, reads one request a line from standard input (JSON), times it, and answers with
one line: {"ms": MEDIAN} or {"error": TEXT}. Between requests it sleeps, so that it takes no time from the others.
"""
import json
import os
import sys
import tempfile
import time


def median(values):
    values = sorted(values)
    return (values[(len(values) - 1) // 2] + values[len(values) // 2]) / 2


def time_queue(work, wait, seconds):
    """Milliseconds of one call within a row of at least ten, waited for once; the median over rows."""
    work()
    wait()
    began = time.perf_counter()
    work()
    wait()
    once = max(time.perf_counter() - began, 1e-7)
    times = max(1, min(2000, max(min(10, int(seconds / 2 / once)), int(0.05 * seconds / once))))
    runs, ends = [], time.perf_counter() + seconds
    while len(runs) < 3 or time.perf_counter() < ends:
        began = time.perf_counter()
        for _ in range(times):
            work()
        wait()
        runs.append((time.perf_counter() - began) * 1e3 / times)
    return median(runs)


def time_steps(step, seconds, warm_up=3):
    """Milliseconds of a step, each timed and waited for by itself."""
    for _ in range(warm_up):
        step()
    runs, ends = [], time.perf_counter() + seconds
    while len(runs) < 5 or time.perf_counter() < ends:
        began = time.perf_counter()
        step()
        runs.append((time.perf_counter() - began) * 1e3)
    return median(runs)


# ---- OpenBLAS, through NumPy ----


class Blas:
    def __init__(self, threads):
        import numpy

        self.numpy = numpy

    def gemm(self, m, n, k, transpose, seconds, **_):
        numpy = self.numpy
        random = numpy.random.default_rng(1)

        def operand(rows, columns, transposed):
            shape = (columns, rows) if transposed else (rows, columns)
            values = random.random(shape, dtype=numpy.float32) * 2 - 1
            return values.T if transposed else values

        a, b = operand(m, k, transpose[0] == "t"), operand(k, n, transpose[1] == "t")
        out = numpy.empty((m, n), dtype=numpy.float32)
        return {"ms": time_queue(lambda: numpy.matmul(a, b, out=out), lambda: None, seconds)}


# ---- PyTorch ----


def torch_net(torch, path):
    """The network of a job file as a module: the same layers, so that a ratio compares the same work."""
    nn = torch.nn
    with open(path, encoding="utf-8") as file:
        model = json.load(file)["model"]
    activations = {"relu": nn.ReLU, "relu6": nn.ReLU6}

    class Recurrent(nn.Module):
        def __init__(self, layer, features):
            super().__init__()
            kinds = {"lstm": nn.LSTM, "gru": nn.GRU, "simple_rnn": nn.RNN}
            self.cell, self.all = kinds[layer["type"]](features, layer["units"], batch_first=True), layer.get("return_sequences")

        def forward(self, x):
            y = self.cell(x)[0]
            return y if self.all else y[:, -1]

    class Mean(nn.Module):
        def forward(self, x):
            return x.mean(1)

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.parts, self.steps = nn.ModuleList(), []
            shapes, last = {"input": tuple(model["input_shape"])}, "input"
            for layer in model["layers"]:
                names = layer.get("inputs", [last])
                last = layer["name"]
                part, shapes[last] = self.make(layer, [shapes[name] for name in names])
                self.parts.append(part if part else nn.Identity())
                self.steps.append((layer["type"], names, last))

        @staticmethod
        def convolution(layer, shape):
            """Its module, and the shape of what it makes of a sample."""
            kind, axes, channels = layer["type"], len(shape) - 1, shape[0]
            window = layer["kernel_size"], layer.get("strides", 1), layer.get("padding", 0)
            conv, bias = getattr(nn, f"Conv{axes}d"), layer.get("use_bias", True)
            if kind.endswith("_transpose"):
                part = getattr(nn, f"ConvTranspose{axes}d")(channels, layer["filters"], *window, bias=bias)
            elif kind.startswith("depthwise"):
                part = conv(channels, channels, *window, groups=channels, bias=bias)
            elif kind.startswith("separable"):
                part = nn.Sequential(conv(channels, channels, *window, groups=channels, bias=False),
                                     conv(channels, layer["filters"], 1, bias=bias))
            else:
                part = conv(channels, layer["filters"], *window, groups=layer.get("groups", 1), bias=bias)
            with torch.no_grad():
                return part, tuple(part(torch.zeros(1, *shape)).shape[1:])

        @staticmethod
        def window(size, layer, kernel):
            pad, stride = layer.get("padding", 0), layer.get("strides", kernel if "pool_size" in layer else 1)
            return (size + 2 * pad - kernel) // stride + 1, pad, stride

        def make(self, layer, shapes):
            kind, shape = layer["type"], shapes[0]
            has_activation = "activation" in layer and kind != "transformer_encoder"
            then = [activations[layer["activation"]](inplace=True)] if has_activation else []
            if "conv" in kind:
                part, out = self.convolution(layer, shape)
                return nn.Sequential(part, *then), out
            if kind == "dense":
                return nn.Sequential(nn.Linear(shape[0], layer["units"]), *then), (layer["units"],)
            if kind in ("lstm", "gru", "simple_rnn"):
                return Recurrent(layer, shape[1]), (*shape[:1], layer["units"]) if layer.get("return_sequences") else (layer["units"],)
            if kind == "transformer_encoder":
                return nn.TransformerEncoderLayer(shape[1], layer["num_heads"], layer["intermediate_dim"], layer.get("dropout", 0),
                                                  layer.get("activation", "relu"), batch_first=True,
                                                  norm_first=layer.get("normalize_first", False)), shape
            if kind == "op" and layer["op"] == "ReduceMean" and layer["attributes"] == {"axes": [1], "keepdims": 0}:
                return Mean(), shape[1:]
            if kind == "batch_normalization":
                return nn.BatchNorm2d(shape[0], layer["epsilon"], 1 - layer["momentum"]), shape
            if kind == "group_normalization":
                return nn.GroupNorm(layer["groups"], shape[0], layer.get("epsilon", 1e-3)), shape
            if kind == "layer_normalization":
                return nn.LayerNorm(shape[-1], layer.get("epsilon", 1e-3)), shape
            if kind == "max_pooling2d":
                side, pad, stride = self.window(shape[1], layer, layer["pool_size"])
                return nn.MaxPool2d(layer["pool_size"], stride, pad), (shape[0], side, side)
            if kind == "global_average_pooling":
                return nn.Sequential(getattr(nn, f"AdaptiveAvgPool{len(shape) - 1}d")(1), nn.Flatten()), shape[:1]
            if kind == "flatten":
                count = 1
                for size in shape:
                    count *= size
                return nn.Flatten(), (count,)
            if kind == "dropout":
                return nn.Dropout(layer["rate"]), shape
            if kind in activations:
                return activations[kind](inplace=True), shape
            if kind == "add":
                return None, shape
            raise ValueError(f"{path}: layer {kind} has no counterpart here")

        def forward(self, x):
            values = {"input": x}
            for part, (kind, names, last) in zip(self.parts, self.steps):
                first = values[names[0]]
                x = values[last] = first + values[names[1]] if kind == "add" else part(first)
            return x

    return Net(), tuple(model["input_shape"]), model["layers"][-1]["units"]


def torch_decoder(torch, path):
    """A job file's decoder over tokens, one at a time: with room for all keys and values, in which a step writes a row in place,
    and PyTorch's fused attention over the rows that are there."""
    nn, functional = torch.nn, torch.nn.functional
    with open(path, encoding="utf-8") as file:
        layers = json.load(file)["model"]["layers"]
    table, places = (next(layer for layer in layers if layer["type"] == kind) for kind in ("embedding", "position_embedding"))
    blocks = [layer for layer in layers if layer["type"] == "transformer_decoder"]
    width, rows, words = table["output_dim"], places["sequence_length"], table["input_dim"]

    class Block(nn.Module):
        def __init__(self, layer):
            super().__init__()
            self.heads, wide = layer["num_heads"], layer["intermediate_dim"]
            self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
            self.inward, self.outward = nn.Linear(width, 3 * width), nn.Linear(width, width)
            self.linear1, self.linear2 = nn.Linear(width, wide), nn.Linear(wide, width)

        def forward(self, x, place, kept):
            q, k, v = self.inward(self.norm1(x)).view(3, 1, self.heads, 1, width // self.heads)
            kept[0][:, :, place:place + 1], kept[1][:, :, place:place + 1] = k, v
            y = functional.scaled_dot_product_attention(q, kept[0][:, :, :place + 1], kept[1][:, :, :place + 1])
            x = x + self.outward(y.reshape(1, width))
            return x + self.linear2(functional.gelu(self.linear1(self.norm2(x))))

    class Decoder(nn.Module):
        def __init__(self):
            super().__init__()
            self.tokens, self.places = nn.Embedding(words, width), nn.Embedding(rows, width)
            self.blocks = nn.ModuleList(Block(layer) for layer in blocks)
            self.norm, self.scores = nn.LayerNorm(width), nn.Linear(width, layers[-2]["units"])

        def cache(self, device):
            return [[torch.zeros(1, block.heads, rows, width // block.heads, device=device) for _ in range(2)] for block in self.blocks]

        def forward(self, token, place, cache):
            x = self.tokens(token) + self.places.weight[place]
            for block, kept in zip(self.blocks, cache):
                x = block(x, place, kept)
            return self.scores(self.norm(x))

    return Decoder(), rows, words


class Torch:
    def __init__(self, threads):
        import torch

        self.torch = torch
        torch.set_num_threads(threads)
        torch.manual_seed(0)
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False
        self.device = os.environ.get("MICA_COMPARE_TORCH_DEVICE", "cpu")

    def wait(self):
        if self.device != "cpu":
            self.torch.cuda.synchronize()

    def gemm(self, m, n, k, transpose, seconds, **_):
        torch = self.torch
        a = torch.rand(*((k, m) if transpose[0] == "t" else (m, k)), device=self.device)
        b = torch.rand(*((n, k) if transpose[1] == "t" else (k, n)), device=self.device)
        a, b, out = a.T if transpose[0] == "t" else a, b.T if transpose[1] == "t" else b, torch.empty(m, n, device=self.device)
        return {"ms": time_queue(lambda: torch.mm(a, b, out=out), self.wait, seconds)}

    def conv(self, c, h, w, filters, kernel, stride, groups, padding, batch, which, layout, seconds, **_):
        torch = self.torch
        lay = torch.channels_last if layout == "channels-last" else torch.contiguous_format
        x = torch.rand(batch, c, h, w, device=self.device).to(memory_format=lay)
        weight = torch.rand(filters, c // groups, kernel, kernel, device=self.device).to(memory_format=lay)
        with torch.no_grad():
            if which == "forward":
                return {"ms": time_queue(
                    lambda: torch.nn.functional.conv2d(x, weight, None, stride, padding, 1, groups), self.wait, seconds)}
            dy = torch.ones_like(torch.nn.functional.conv2d(x, weight, None, stride, padding, 1, groups))
            mask = [which == "data", which == "weights", False]
            return {"ms": time_queue(
                lambda: torch.ops.aten.convolution_backward(dy, x, weight, None, [stride] * 2, [padding] * 2, [1, 1], False,
                                                            [0, 0], groups, mask), self.wait, seconds)}

    def attention(self, steps, heads, size, causal, which, seconds, **_):
        torch = self.torch
        attend = torch.nn.functional.scaled_dot_product_attention
        q, k, v = (torch.randn(1, steps, heads, size, device=self.device).transpose(1, 2) for _ in range(3))
        if which == "forward":
            with torch.no_grad():
                return {"ms": time_queue(lambda: attend(q, k, v, is_causal=causal), self.wait, seconds)}
        dy = torch.randn_like(q)
        for x in (q, k, v):
            x.requires_grad_()
        return {"ms": time_queue(lambda: torch.autograd.grad(attend(q, k, v, is_causal=causal), (q, k, v), dy), self.wait, seconds)}

    def prepare(self, path, batch, layout, compiled):
        torch = self.torch
        net, shape, classes = torch_net(torch, path)
        x, y = torch.randn(batch, *shape), torch.randint(0, classes, (batch,))
        if layout == "channels-last":
            last = torch.channels_last_3d if x.dim() == 5 else torch.channels_last
            net, x = net.to(memory_format=last), x.contiguous(memory_format=last)
        net, x, y = net.to(self.device), x.to(self.device), y.to(self.device)
        return net, torch.compile(net) if compiled else net, x, y

    def inference(self, path, batch, layout, seconds, compiled=False, **_):
        net, run, x, _ = self.prepare(path, batch, layout, compiled)
        net.eval()

        def step():
            with self.torch.inference_mode():
                run(x)
            self.wait()

        return {"ms": time_steps(step, seconds)}

    def prepare_training(self, path, batch, layout, compiled):
        torch = self.torch
        net, run, x, y = self.prepare(path, batch, layout, compiled)
        net.train()
        adam = torch.optim.Adam(net.parameters(), 1e-3, fused=True)

        def step():
            adam.zero_grad(set_to_none=True)
            torch.nn.functional.cross_entropy(run(x), y).backward()
            adam.step()
            self.wait()

        return step

    def training(self, path, batch, layout, seconds, compiled=False, **_):
        return {"ms": time_steps(self.prepare_training(path, batch, layout, compiled), seconds)}

    def memory(self, path, batch, layout, compiled=False, **_):
        """The most bytes that PyTorch's allocator has given out at once, from before the network is made to the end of its
        third step: parameters, the optimizer's state, gradients, samples, activations and what its kernels work in."""
        torch = self.torch
        if self.device != "cpu":
            torch.cuda.reset_peak_memory_stats()
            before = torch.cuda.memory_allocated()
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
            step = self.prepare_training(path, batch, layout, compiled)
            for _ in range(3):
                step()
        if self.device != "cpu":
            return {"peak_bytes": torch.cuda.max_memory_allocated() - before}
        live, peak = 0, 0
        events = [event for event in profile.profiler.kineto_results.events() if event.name() == "[memory]"]
        for event in sorted(events, key=lambda event: event.start_ns()):
            live += event.nbytes()
            peak = max(peak, live)
        return {"peak_bytes": peak}

    def generation(self, path, seconds, **_):
        """Milliseconds of a token: a step with the keys and values of those before, and the scores in host memory."""
        torch = self.torch
        net, places, words = torch_decoder(torch, path)
        net = net.to(self.device).eval()
        state = {"cache": net.cache(self.device), "place": 0}

        def step():
            with torch.inference_mode():
                place = state["place"]
                token = torch.full((1,), place % words, dtype=torch.int64, device=self.device)
                net(token, place, state["cache"]).to("cpu")
            state["place"] = (place + 1) % places

        return {"ms": time_steps(step, seconds, places)}

    def epoch(self, path, batch, mnist, **_):
        """Milliseconds of an epoch over MNIST's training images, all of them tensors in memory; the first one warms up."""
        torch = self.torch
        net, run, _, _ = self.prepare(path, 1, "plain", False)
        x, y = (torch.from_numpy(values) for values in read_mnist(mnist))
        x = x.to(torch.float32).div_(255).unsqueeze_(1)
        y = y.to(torch.int64)
        adam = torch.optim.Adam(net.parameters(), 1e-3, fused=True)
        for _ in range(2):
            began = time.perf_counter()
            for at in torch.randperm(len(x)).split(batch):
                adam.zero_grad(set_to_none=True)
                torch.nn.functional.cross_entropy(run(x[at]), y[at]).backward()
                adam.step()
            ms = (time.perf_counter() - began) * 1e3
        return {"ms": ms}


def read_mnist(folder):
    import gzip

    import numpy

    with gzip.open(os.path.join(folder, "train-images-idx3-ubyte.gz")) as file:
        images = numpy.frombuffer(file.read(), dtype=numpy.uint8, offset=16).reshape(-1, 28, 28).copy()
    with gzip.open(os.path.join(folder, "train-labels-idx1-ubyte.gz")) as file:
        labels = numpy.frombuffer(file.read(), dtype=numpy.uint8, offset=8).copy()
    return images, labels


# ---- ONNX Runtime ----


class OnnxRuntime:
    def __init__(self, threads):
        import onnxruntime
        import torch

        self.onnxruntime, self.torch, self.threads = onnxruntime, torch, threads
        onnxruntime.set_default_logger_severity(3)

    def inference(self, path, batch, seconds, **_):
        net, shape, _ = torch_net(self.torch, path)
        x = self.torch.randn(batch, *shape)
        options = self.onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        with tempfile.TemporaryDirectory() as folder:
            name = os.path.join(folder, "net.onnx")
            self.torch.onnx.export(net.eval(), (x,), name, dynamo=False, opset_version=17)
            session = self.onnxruntime.InferenceSession(name, options, providers=["CPUExecutionProvider"])
        values = {session.get_inputs()[0].name: x.numpy()}
        return {"ms": time_steps(lambda: session.run(None, values), seconds)}


KINDS = {"openblas": Blas, "torch": Torch, "onnxruntime": OnnxRuntime}


def main():
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints is no answer
    try:
        peer = KINDS[sys.argv[1]](int(sys.argv[2]))
    except ImportError as error:
        print(json.dumps({"error": str(error)}), file=answers, flush=True)
        return
    print(json.dumps({"ready": True}), file=answers, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = getattr(peer, request.pop("what"))(**request)
        except Exception as error:  # a peer that fails at something is said so, and the others go on
            answer = {"error": f"{type(error).__name__}: {error}".split("\n", maxsplit=1)[0]}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
