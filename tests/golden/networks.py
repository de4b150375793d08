"""networks.safetensors: random recurrent and attention networks, their outputs, gradients and ten steps of an optimizer.

    python3 tests/golden/networks.py PROGRAM [--seed S] [--count N]

makes N networks (200) of the seeds from S (1) on, and has PROGRAM, test_train_golden_networks of a build, compare each. The file
holds those of STORED. Sequences are of floats or of tokens; a masking, an embedding's mask_zero or lengths hide steps, or nothing
does. Tensors of a case:

  CASE/x, CASE/lengths, CASE/labels     ten batches of samples
  CASE/initial/NAME, CASE/y, CASE/gradient/NAME, CASE/gradient/input    of the first batch
  CASE/losses, CASE/counts              the mean loss up to each step, and of how many samples or places each step's is
  CASE/final/NAME                       what ten steps make of the parameters

An element may be off by 1e-5 of its tensor's largest. `bounds` of a case has the tensors that PyTorch in float32 does not hold
to a fifth of that: five times what it is off. Where that is above 1e-4 the tensor is left out."""
import argparse
import json
import math
import os
import random
import subprocess
import tempfile

import torch
import torch.nn.functional as F
from torch.func import functional_call
from torch.nn.attention import SDPBackend, sdpa_kernel

from attention import alibi, block_weights, by_name, causal, heads_weights, rotary, split, waves
from common import save, single
from recurrent import gru_cell, lstm_cell, masked, steps

STEPS, CLASSES, HIDDEN = 10, 3, -1e30  # what Mica adds to the scores of steps that are padding

CELLS = {"simple_rnn": (1, 1, torch.nn.RNN), "lstm": (4, 2, torch.nn.LSTM), "gru": (3, 1, torch.nn.GRU)}  # gates, states

# A large epsilon, so that a gradient of nearly nothing does not decide the sign of a whole step.
OPTIMIZERS = [
    ({"type": "sgd", "learning_rate": 0.1}, lambda p: torch.optim.SGD(p, 0.1)),
    ({"type": "sgd", "learning_rate": 0.05, "momentum": 0.9, "nesterov": True},
     lambda p: torch.optim.SGD(p, 0.05, momentum=0.9, nesterov=True)),
    ({"type": "adam", "learning_rate": 0.01, "epsilon": 0.01}, lambda p: torch.optim.Adam(p, 0.01, eps=0.01)),
    ({"type": "adamw", "learning_rate": 0.01, "epsilon": 0.01, "weight_decay": 0.1},
     lambda p: torch.optim.AdamW(p, 0.01, eps=0.01, weight_decay=0.1)),
    ({"type": "rmsprop", "learning_rate": 0.005, "epsilon": 0.01}, lambda p: torch.optim.RMSprop(p, 0.005, 0.9, eps=0.01)),
]


def rnn_cell(x, states, w, u, b, c, activation=torch.tanh):
    return [activation(x @ w.T + b + states[0] @ u.T + c)]


def gru_before(x, states, w, u, b, c):
    h, (ar, az, an) = states[0], (x @ w.T + b).chunk(3, 1)
    (ur, uz, un), (cr, cz, cn) = u.chunk(3), c.chunk(3)
    r, z = torch.sigmoid(ar + h @ ur.T + cr), torch.sigmoid(az + h @ uz.T + cz)
    return [(1 - z) * torch.tanh(an + (r * h) @ un.T + cn) + z * h]


def hidden(real):
    """(n, 1, steps) what is added to scores."""
    return torch.zeros(real.shape).masked_fill(~real, HIDDEN)[:, None]


class Network:
    """Layers as jobs have them, and what each does: of parameters, x and which steps are real it gives the last two."""

    def __init__(self, seed):
        self.draw = random.Random(seed)
        torch.manual_seed(seed)
        self.layers, self.does, self.parameters = [], [], {}
        self.steps, self.features = self.draw.choice([1, 2, 3, 5, 7, 8, 12, 17]), self.draw.choice([1, 2, 3, 4, 6, 8])
        self.batch = self.draw.choice([1, 2, 3, 5, 8])
        self.samples = self.batch * (STEPS - 1) + self.draw.randint(1, self.batch)  # the last batch may be smaller
        self.begin()
        kinds = [self.recurrent, self.recurrent, self.both_ways, self.heads, self.block, self.block, self.grouped]
        for _ in range(self.draw.randint(1, 2)):
            self.draw.choice([self.dense, self.normalization, self.places] + kinds + kinds)()
        if self.draw.random() < 0.3:
            self.draw.choice([self.heads, self.block])()
        self.end()
        self.optimizer, self.make_optimizer = self.draw.choice(OPTIMIZERS)

    # ---- Building ----

    def add(self, row, function):
        self.layers.append(row)
        self.does.append(function)

    def name(self):
        return f"l{len(self.layers)}"

    def parameter(self, name, *size):
        scale = 1 / math.sqrt(size[-1]) if len(size) > 1 else 0.3
        base = 1 if ".norm" in name and name.endswith("weight") else 0
        self.parameters[name] = single(base + scale * torch.randn(size))
        return name

    def all_of(self, weights):
        return [self.parameter(name, *size) for name, size in weights]

    # ---- What goes in ----

    def patterns(self):
        """(samples, steps) which steps are real: all, the first ones, one alone, or any; of lengths, the first ones."""
        n, t, kind = self.samples, self.steps, self.draw.choice(["all", "first", "first", "one", "any"])
        place, first = torch.arange(t).expand(n, t), torch.randint(1, t + 1, (n, 1))
        if kind == "all":
            return place >= 0
        if self.hides == "lengths":
            return place < (1 if kind == "one" else first)
        one = place == first - 1
        return {"first": place < first, "one": one, "any": one | (torch.rand(n, t) < 0.5)}[kind]

    def begin(self):
        self.tokens = self.draw.random() < 0.4
        self.hides = self.draw.choice([None, "lengths", "layer", "layer"])
        self.real = real = self.patterns() if self.hides else None
        if self.tokens:
            rows = self.draw.choice([4, 9])
            x = torch.randint(1, rows, (self.samples, self.steps))
            self.x = (x if real is None else torch.where(real, x, 0)).double()
            row = {"type": "embedding", "name": self.name(), "input_dim": rows, "output_dim": self.features}
            self.parameter(row["name"] + ".weight", rows, self.features)
            if self.hides == "layer":
                row["mask_zero"] = True
            self.add(row, lambda p, x, m, k=row["name"] + ".weight": (F.embedding(x.long(), p[k]), m))
            return
        self.x = single(torch.randn(self.samples, self.steps, self.features))
        if real is not None:
            self.x = self.x * real[..., None]
        if self.hides == "layer":
            self.add({"type": "masking", "name": self.name()}, lambda p, x, m: (x * m[..., None], m))

    # ---- Layers of each step ----

    def dense(self):
        name, units, activation = self.name(), self.draw.choice([3, 5, 8]), self.draw.choice(["tanh", "relu", "linear"])
        keys = self.all_of([(name + ".weight", (units, self.features)), (name + ".bias", (units,))])
        of = {"tanh": torch.tanh, "relu": F.relu, "linear": lambda x: x}[activation]
        self.features = units
        self.add({"type": "dense", "name": name, "units": units, "activation": activation},
                 lambda p, x, m: (of(F.linear(x, *(p[k] for k in keys))), m))

    def widen(self):
        """What is normalised over one or two features is always the same, and its gradient what rounding leaves."""
        while self.features < 3:
            self.dense()

    def normalization(self):
        self.widen()
        name = self.name()
        keys = self.all_of([(name + ".weight", (self.features,)), (name + ".bias", (self.features,))])
        self.parameters[keys[0]] += 1
        self.add({"type": "layer_normalization", "name": name, "epsilon": 0.01},
                 lambda p, x, m: (F.layer_norm(x, x.shape[-1:], p[keys[0]], p[keys[1]], 0.01), m))

    def places(self):
        before, name = self.layers[-1]["name"] if self.layers else "input", self.name()
        if self.draw.random() < 0.5:
            key = self.parameter(name + ".weight", self.steps + self.draw.choice([0, 3]), self.features)
            row = {"type": "position_embedding", "name": name, "sequence_length": len(self.parameters[key])}
            self.add(row, lambda p, x, m: (x + p[key][:x.shape[1]], m))
        else:
            self.add({"type": "sine_position_encoding", "name": name}, lambda p, x, m: (x + waves(*x.shape[1:]), m))
        self.add({"type": "add", "name": self.name(), "inputs": [before, name]}, lambda p, x, m: (x, m))

    # ---- Recurrent layers ----

    def cell(self):
        """A recurrent layer's keys, its weights, its states, the cell, and PyTorch's module where that has it."""
        kind, units, bias = self.draw.choice(list(CELLS)), self.draw.choice([1, 2, 3, 4, 5, 8, 9]), self.draw.random() < 0.85
        gates, states, module = CELLS[kind]
        row, cell, more = {"type": kind, "units": units}, {"simple_rnn": rnn_cell, "lstm": lstm_cell, "gru": gru_cell}[kind], {}
        if kind == "simple_rnn" and self.draw.random() < 0.3:
            row["activation"], more = "relu", {"nonlinearity": "relu"}
            cell = lambda x, s, *w: rnn_cell(x, s, *w, activation=F.relu)
        if kind == "gru" and self.draw.random() < 0.4:
            row["reset_after"], cell, module = False, gru_before, None
        weights = [("weight_ih_l0", (gates * units, self.features)), ("weight_hh_l0", (gates * units, units)),
                   ("bias_ih_l0", (gates * units,)), ("bias_hh_l0", (gates * units,))]
        if not bias:
            row["use_bias"], weights, with_bias = False, weights[:2], cell
            cell = lambda x, s, *w: with_bias(x, s, *w, *[torch.zeros(gates * units)] * 2)
        return row, weights, states, cell, module and module(self.features, units, batch_first=True, bias=bias, **more)

    @staticmethod
    def run(x, real, values, states, cell, module, units, backwards):
        """(n, steps, units) in the order in which the steps are read."""
        if real is None and module:
            names = [name for name, _ in module.named_parameters()]
            return functional_call(module, dict(zip(names, values)), (x.flip(1) if backwards else x,))[0]
        first = [torch.zeros(len(x), units)] * states
        if real is None:
            return steps(x, first, lambda a, s: cell(a, s, *values), backwards)
        return masked(x, real, first, lambda a, s: cell(a, s, *values), backwards)

    def recurrent(self, sequences=True):
        row, weights, states, cell, module = self.cell()
        name, units, backwards = self.name(), row["units"], self.draw.random() < 0.2
        keys = self.all_of([(f"{name}.{key}", size) for key, size in weights])
        self.features = units

        def of(p, x, m):
            y = self.run(x, m, [p[k] for k in keys], states, cell, module, units, backwards)
            return (y, m.flip(1) if m is not None and backwards else m) if sequences else (y[:, -1], None)
        self.add(dict(row, name=name, return_sequences=sequences, **({"go_backwards": True} if backwards else {})), of)

    def both_ways(self, sequences=True):
        row, weights, states, cell, module = self.cell()
        name, units, mode = self.name(), row["units"], self.draw.choice(["concat", "sum", "mul", "ave"])
        keys = [self.all_of([(f"{name}.{key}{way}", size) for key, size in weights]) for way in ("", "_reverse")]
        merge = {"concat": lambda a, b: torch.cat((a, b), -1), "sum": torch.add, "mul": torch.mul, "ave": lambda a, b: (a + b) / 2}
        self.features = units * (2 if mode == "concat" else 1)

        def of(p, x, m):
            a, b = (self.run(x, m, [p[k] for k in keys[i]], states, cell, module, units, bool(i)) for i in range(2))
            return (merge[mode](a, b.flip(1)), m) if sequences else (merge[mode](a[:, -1], b[:, -1]), None)
        self.add({"type": "bidirectional", "name": name, "merge_mode": mode, "layer": dict(row, return_sequences=sequences)}, of)

    # ---- Attention ----

    def scoring(self, e, heads):
        """Keys of a layer that attends, and what they add to the scores (heads, steps, steps)."""
        row, t = {}, self.steps
        added = torch.zeros(heads, t, t)
        if self.draw.random() < 0.4:
            row["use_causal_mask"], added = True, added + causal(t, t)
        if self.draw.random() < 0.3:
            row["alibi"], added = True, added + alibi(heads, t, t)
        if self.draw.random() < 0.3 and e % 2 == 0:
            row["rotary"] = True
        return row, added

    @staticmethod
    def attend(q, k, v, heads, groups, added, real, turned):
        q, k, v = split(q, heads), split(k, groups), split(v, groups)
        if turned:
            q, k = rotary(q, 2), rotary(k, 2)
        k, v = (a.repeat_interleave(heads // groups, 1) for a in (k, v))
        bias = added.to(q.dtype).expand(len(q), -1, -1, -1)
        if real is not None:
            bias = bias + hidden(real)[:, None]
        return F.scaled_dot_product_attention(q, k, v, attn_mask=bias).transpose(1, 2).flatten(2)

    def heads(self):
        name, heads, dim, e = self.name(), self.draw.choice([1, 2, 3]), self.draw.choice([1, 2, 4, 5]), self.features
        row, added = self.scoring(dim, heads)
        keys = self.all_of(heads_weights(name + ".", e, 3 * heads * dim, out=heads * dim))

        def of(p, x, m):
            weight, bias, out, out_bias = (p[k] for k in keys)
            y = self.attend(*F.linear(x, weight, bias).chunk(3, -1), heads, heads, added, m, "rotary" in row)
            return F.linear(y, out, out_bias), m
        self.add({"type": "multi_head_attention", "name": name, "num_heads": heads, "key_dim": dim, **row}, of)

    def grouped(self):
        name, dim, e, groups = self.name(), self.draw.choice([2, 3]), self.features, self.draw.choice([1, 2])
        heads = groups * self.draw.choice([1, 2, 3])
        row, added = self.scoring(dim, heads)
        keys = {}
        for what, rows, columns in (("q", heads * dim, e), ("k", groups * dim, e), ("v", groups * dim, e), ("o", e, heads * dim)):
            keys[what] = self.all_of([(f"{name}.{what}_proj.weight", (rows, columns)), (f"{name}.{what}_proj.bias", (rows,))])

        def of(p, x, m):
            linear = lambda what, x: F.linear(x, *(p[k] for k in keys[what]))
            y = self.attend(linear("q", x), linear("k", x), linear("v", x), heads, groups, added, m, "rotary" in row)
            return linear("o", y), m
        self.add({"type": "grouped_query_attention", "name": name, "head_dim": dim, "num_query_heads": heads,
                  "num_key_value_heads": groups, **row}, of)

    def block(self):
        self.widen()
        e, name, wide = self.features, self.name(), self.draw.choice([3, 8, 10])
        heads = self.draw.choice([h for h in (1, 2, 3) if e % h == 0])
        activation, first, hides = self.draw.choice(["relu", "gelu"]), self.draw.random() < 0.5, self.draw.random() < 0.4
        module = torch.nn.TransformerEncoderLayer(e, heads, wide, 0.0, activation, 0.01, batch_first=True, norm_first=first)
        module.train()  # the fast path of inference is another computation
        weights = block_weights(name, e, wide)
        keys = self.all_of(weights)

        def of(p, x, m):
            added = causal(self.steps, self.steps) if hides else torch.zeros(self.steps, self.steps)
            if m is not None:
                added = (added + hidden(m)).repeat_interleave(heads, 0)
            return functional_call(module, by_name(name + ".", weights, [p[k] for k in keys]), (x,), {"src_mask": added}), m
        self.add({"type": "transformer_decoder" if hides else "transformer_encoder", "name": name, "intermediate_dim": wide,
                  "num_heads": heads, "activation": activation, "normalize_first": first, "layer_norm_epsilon": 0.01}, of)

    # ---- What comes out ----

    def end(self):
        kind = self.draw.choice(["last", "last", "average", "most", "flatten", "places"])
        self.is_places = kind == "places"
        last = {"data_format": "channels_last", "name": self.name()}
        if kind == "last":
            self.draw.choice([self.recurrent, self.both_ways])(sequences=False)
        elif kind == "flatten":
            self.features *= self.steps
            self.add({"type": "flatten", "name": self.name()}, lambda p, x, m: (x.flatten(1), None))
        elif kind == "average":
            self.add(dict(last, type="global_average_pooling"), lambda p, x, m: (x.mean(1) if m is None else
                     (x * m[..., None]).sum(1) / m.sum(1, keepdim=True), None))
        elif kind == "most":
            self.add(dict(last, type="global_max_pooling"), lambda p, x, m: (
                (x if m is None else x.masked_fill(~m[..., None], -math.inf)).amax(1), None))
        name = self.name()
        keys = self.all_of([(name + ".weight", (CLASSES, self.features)), (name + ".bias", (CLASSES,))])
        self.add({"type": "dense", "name": name, "units": CLASSES}, lambda p, x, m: (F.linear(x, *(p[k] for k in keys)), m))
        self.labels = torch.randint(0, CLASSES, (self.samples, self.steps) if self.is_places else (self.samples,))

    # ---- Running ----

    def forward(self, p, x, real):
        for does in self.does:
            x, real = does(p, x, real)
        return x, real

    def loss(self, p, x, at):
        """The mean loss of the samples from `at` on, and of how many it is."""
        part = slice(at, at + self.batch)
        y, real = self.forward(p, x, None if self.real is None else self.real[part])
        labels = self.labels[part]
        if self.is_places and real is not None:
            return y, F.cross_entropy(y[real], labels[real]), int(real.sum())
        return y, F.cross_entropy(y.flatten(0, -2), labels.flatten()), labels.numel()

    @sdpa_kernel(SDPBackend.MATH)  # the other one's gradient keeps max + log(sum), in which sums are lost beside HIDDEN
    def results(self, type):
        """All tensors that are compared, computed in a type."""
        torch.set_default_dtype(type)
        p = {key: value.to(type).clone().requires_grad_() for key, value in self.parameters.items()}
        x = self.x.to(type).clone()
        optimizer, out, total, seen, losses, counts = self.make_optimizer(p.values()), {}, 0, 0, [], []
        for at in range(0, self.samples, self.batch):
            now = x[at:at + self.batch].clone().requires_grad_(not self.tokens)
            optimizer.zero_grad()
            y, loss, count = self.loss(p, now, at)
            loss.backward()
            if at == 0:
                out["y"] = y.detach()
                out.update({"gradient/" + key: value.grad.clone() for key, value in p.items()})
                out.update({} if self.tokens else {"gradient/input": now.grad})
            optimizer.step()
            total, seen = total + loss.item() * count, seen + count
            losses.append(total / seen)
            counts.append(count)
        out["losses"], self.counts = torch.tensor(losses), counts
        out.update({"final/" + key: value.detach() for key, value in p.items()})
        torch.set_default_dtype(torch.float64)
        return {key: value.double() for key, value in out.items()}

    def describe(self, bounds):
        varies = self.hides == "lengths"
        shape = [None if varies else self.steps, *self.x.shape[2:]]
        model = {"input_shape": shape, "layers": self.layers, **({"max_length": self.steps} if varies else {})}
        return json.dumps({"model": model, "optimizer": self.optimizer, "batch": self.batch, "places": self.is_places,
                           "bounds": bounds})


def is_nothing(key, value):
    """A key's bias adds the same to all scores of a row, which changes no weight: its gradient is what rounding leaves of 0."""
    return key.startswith("gradient/") and value.abs().max() < 1e-12


def bound(value, rough):
    largest = value.abs().max().item()
    return max(5 * (value - rough).abs().max().item() / largest if largest else 0, 1e-5)


def draw_case(seed, tensors, metadata):
    network = Network(seed)
    fine, rough = network.results(torch.float64), network.results(torch.float32)
    bounds = {key: bound(value, rough[key]) for key, value in fine.items() if not is_nothing(key, value)}
    out = {key: fine[key] for key, off in bounds.items() if off <= 1e-4}
    compared = len(out)
    out.update({"x": network.x, "labels": network.labels.int(), "counts": torch.tensor(network.counts).int()})
    if network.hides == "lengths":
        out["lengths"] = network.real.sum(1).int()
    out.update({"initial/" + key: value for key, value in network.parameters.items()})
    case = f"network_{seed}"
    tensors.update({f"{case}/{key}": value for key, value in out.items()})
    metadata[case] = network.describe({key: off for key, off in bounds.items() if 1e-5 < off <= 1e-4})
    return compared, len(fine) - compared


STORED = [502, 2309]


def write(path, seeds):
    """Returns how many tensors there are to compare, and how many of them are left out."""
    tensors, metadata, told = {}, {}, [0, 0]
    for seed in seeds:
        told = [a + b for a, b in zip(told, draw_case(seed, tensors, metadata))]
    save(path, tensors, metadata)
    return told


def make():
    write("networks.safetensors", STORED)


def compare(program, seeds):
    """How many networks differ; each has a process of its own, so that one that differs hides no other."""
    failed, told = 0, [0, 0]
    with tempfile.TemporaryDirectory() as folder:
        for seed in seeds:
            path = os.path.join(folder, "network.safetensors")
            told = [a + b for a, b in zip(told, write(path, [seed]))]
            done = subprocess.run([program, path], capture_output=True, text=True)
            if done.returncode:
                failed += 1
                print(f"network {seed} differs\n{done.stdout}{done.stderr}", flush=True)
    print(f"{len(seeds)} networks, {failed} differ; {told[0]} tensors, {told[1]} left out")
    return failed


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("program", type=os.path.abspath)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=200)
    asked = parser.parse_args()
    raise SystemExit(compare(asked.program, range(asked.seed, asked.seed + asked.count)) > 0)
