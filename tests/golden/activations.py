"""activations.safetensors: activations, layers that join branches, and products by an equation."""
import torch
import torch.nn.functional as F

from common import Layers


def relu(x, max_value=None, slope=0.0, threshold=0.0):
    """Keras's formula."""
    y = torch.where(x > threshold, x, slope * (x - threshold))
    return y if max_value is None else torch.where(x > max_value, torch.full_like(x, max_value), y)


def sparsemax(x, axis):
    """By sorting, as Martins and Astudillo 2016 have it."""
    z, _ = x.sort(axis, descending=True)
    sums = z.cumsum(axis) - 1
    shape = [-1 if i == axis % x.dim() else 1 for i in range(x.dim())]
    k = torch.arange(1, x.shape[axis] + 1).reshape(shape)
    size = (k * z > sums).sum(axis, keepdim=True)
    return torch.clamp(x - sums.gather(axis, size - 1) / size, min=0)


def sparse_plus(x):
    return torch.where(x <= -1, torch.zeros_like(x), torch.where(x >= 1, x, (x + 1) ** 2 / 4))


def squareplus(x, b=4):
    return (x + torch.sqrt(x * x + b)) / 2


PLAIN = {
    "relu6": F.relu6, "celu": F.celu, "hard_sigmoid": F.hardsigmoid, "sparse_sigmoid": lambda x: torch.clamp(x / 2 + 0.5, 0, 1),
    "log_sigmoid": F.logsigmoid, "hard_tanh": F.hardtanh, "sparse_plus": sparse_plus, "squareplus": squareplus,
    "softsign": F.softsign, "hard_silu": F.hardswish, "mish": F.mish, "soft_shrink": F.softshrink,
    "hard_shrink": F.hardshrink, "tanh_shrink": F.tanhshrink, "exponential": torch.exp, "swish": F.silu, "hard_swish": F.hardswish,
    "linear": lambda x: 1 * x,
}

# name, shape, keys, function
WITH_KEYS = [
    ("relu", (7,), {"max_value": 0.5}, lambda x: relu(x, 0.5)),
    ("relu", (7,), {"negative_slope": 0.25}, lambda x: F.leaky_relu(x, 0.25)),
    ("relu", (3, 5), {"max_value": 1, "negative_slope": 0.125, "threshold": 0.25}, lambda x: relu(x, 1.0, 0.125, 0.25)),
    ("relu", (7,), {"threshold": -0.5}, lambda x: relu(x, threshold=-0.5)),
    ("leaky_relu", (7,), {"negative_slope": 0.375}, lambda x: F.leaky_relu(x, 0.375)),
    ("thresholded_relu", (7,), {"theta": 0.25}, lambda x: F.threshold(x, 0.25, 0)),
    ("elu", (7,), {"alpha": 0.5}, lambda x: F.elu(x, 0.5)),
    ("celu", (7,), {"alpha": 2}, lambda x: F.celu(x, 2)),
    ("squareplus", (7,), {"b": 0.5}, lambda x: squareplus(x, 0.5)),
    ("soft_shrink", (7,), {"threshold": 0.25}, lambda x: F.softshrink(x, 0.25)),
    ("hard_shrink", (7,), {"threshold": 0.25}, lambda x: F.hardshrink(x, 0.25)),
    ("hard_tanh", (7,), {"min_value": -0.25, "max_value": 0.5}, lambda x: F.hardtanh(x, -0.25, 0.5)),
    ("threshold", (7,), {"threshold": 0.25, "default_value": -1}, lambda x: F.threshold(x, 0.25, -1)),
    ("gelu", (7,), {"approximate": True}, lambda x: F.gelu(x, approximate="tanh")),
    ("softmax", (3, 5, 2), {"axis": 1}, lambda x: F.softmax(x, 1)),
    ("log_softmax", (3, 5, 2), {"axis": -2}, lambda x: F.log_softmax(x, -2)),
    ("sparsemax", (11,), {}, lambda x: sparsemax(x, -1)),
    ("sparsemax", (5, 3), {"axis": 1}, lambda x: sparsemax(x, 1)),
    ("sparsemax", (1,), {}, lambda x: sparsemax(x, -1)),
    ("glu", (6,), {}, F.glu),
    ("glu", (4, 3, 5), {"axis": 1}, lambda x: F.glu(x, 1)),
]


def prelu(x, weight):
    return torch.where(x < 0, weight * x, x)


def activations(layer):
    for name, function in PLAIN.items():
        layer(name, (7,), [{"type": name}], function)
    layer("step", (7,), [{"type": "step", "name": "s"}, {"type": "add", "inputs": ["s", "input"]}],
          lambda x: (x > 0).double() + x) # it has no gradient of its own
    for number, (name, shape, keys, function) in enumerate(WITH_KEYS):
        layer(f"{name}_{number}", shape, [dict(keys, type=name)], function)
    for name, shape, keys, size, beside in [("channels", (3, 4, 5), {"shared_axes": [2, 3]}, (3,), (3, 1, 1)),
                                            ("places", (3, 4, 1), {}, (3, 4), (3, 4, 1)),
                                            ("height", (3, 4, 5), {"shared_axes": [1, 3]}, (1, 4), (1, 4, 1)),
                                            ("one", (5,), {"shared_axes": [1]}, (1,), (1,)), ("flat", (5,), {}, (5,), (5,))]:
        layer("prelu_" + name, shape, [dict(keys, type="prelu", name="p")], lambda x, w, b=beside: prelu(x, w.reshape(b)),
              [("p.weight", size)])
    dense = [("d.weight", (6, 5)), ("d.bias", (6,))]
    layer("dense_glu", (5,), [{"type": "dense", "name": "d", "units": 6, "activation": "glu"}],
          lambda x, w, b: F.glu(F.linear(x, w, b), -1), dense)
    layer("conv2d_sparsemax", (2, 3, 4),
          [{"type": "conv2d", "name": "c", "filters": 5, "kernel_size": 2, "activation": "sparsemax"}],
          lambda x, w, b: sparsemax(F.conv2d(x, w, b), 1), [("c.weight", (5, 2, 2, 2)), ("c.bias", (5,))])


def joining(layer):
    three = [{"type": "dense", "name": name, "units": 4, "inputs": ["input"]} for name in "abc"]
    weights = [(f"{name}.{of}", size) for name in "abc" for of, size in (("weight", (4, 5)), ("bias", (4,)))]
    for name, count, join in [("subtract", 2, lambda v: v[0] - v[1]), ("average", 3, lambda v: sum(v) / 3),
                              ("maximum", 3, lambda v: torch.stack(v).amax(0)), ("minimum", 3, lambda v: torch.stack(v).amin(0))]:
        layer(name, (5,), three[:count] + [{"type": name, "inputs": ["a", "b", "c"][:count]}],
              lambda x, *w, j=join: j([F.linear(x, w[i], w[i + 1]) for i in range(0, len(w), 2)]), weights[:2 * count])
    layer("subtract_broadcast", (3, 5),
          [{"type": "dense", "name": "a", "units": 1}, {"type": "subtract", "inputs": ["input", "a"]}],
          lambda x, w, b: x - F.linear(x, w, b), [("a.weight", (1, 5)), ("a.bias", (1,))])


def dot(a, b, axes, normalize=False):
    """Keras's, of two tensors with a batch."""
    if normalize:
        a, b = (v / v.norm(dim=i, keepdim=True).clamp(min=1e-7) for v, i in zip((a, b), axes))
    y = torch.stack([torch.tensordot(p, q, ([axes[0] - 1], [axes[1] - 1])) for p, q in zip(a, b)])
    return y.reshape(len(a), 1) if y.dim() == 1 else y


def products(layer):
    weights = [("a.weight", (4, 5)), ("a.bias", (4,))]
    dense = {"type": "dense", "name": "a", "units": 4}
    for number, (keys, axes, normalize) in enumerate([({"axes": [1, 1]}, (1, 1), False), ({"axes": 1}, (1, 1), False),
                                                      ({"axes": 1, "normalize": True}, (1, 1), True)]):
        layer(f"dot_rows_{number}", (3, 5), [dense, dict(keys, type="dot", inputs=["input", "a"])],
              lambda x, w, b, a=axes, n=normalize: dot(x, F.linear(x, w, b), a, n), weights)
    square = [("a.weight", (5, 5)), ("a.bias", (5,))]
    layer("dot_one", (5,), [dict(dense, units=5), {"type": "dot", "axes": -1, "inputs": ["input", "a"]}],
          lambda x, w, b: dot(x, F.linear(x, w, b), (1, 1)), square)
    layer("dot_crossed", (3, 5), [dict(dense, units=3), {"type": "dot", "axes": [1, 2], "inputs": ["input", "a"]}],
          lambda x, w, b: dot(x, F.linear(x, w, b), (1, 2)), [("a.weight", (3, 5)), ("a.bias", (3,))])
    layer("dot_last", (2, 3, 5), [dict(dense, units=5), {"type": "dot", "inputs": ["input", "a"]}],
          lambda x, w, b: dot(x, F.linear(x, w, b), (3, 3)), square)
    for number, (shape, equation, output, axes, kernel, bias, beside) in enumerate([
            ((5,), "ab,bc->ac", [7], "c", (5, 7), (7,), (7,)),
            ((3, 5), "abc,cd->abd", [-1, 4], "d", (5, 4), (4,), (4,)),
            ((3, 5), "abc,cde->abde", [3, 2, 4], "de", (5, 2, 4), (2, 4), (2, 4)),
            ((3, 2, 5), "btnh,nhd->btd", [0, 7], "d", (2, 5, 7), (7,), (7,)),
            ((3, 5), "abc,bd->adc", [2, 5], "d", (3, 2), (2,), (2, 1)),
            ((3, 5), "abc,cb->abc", [0, 0], None, (5, 3), None, None),
            ((3, 5), "...x,xy->...y", [4], "y", (5, 4), (4,), (4,)),
            ((5, 3, 2), "ab...,bc->ac...", [4], "c", (5, 4), (4,), (4, 1, 1))]):
        keys = {"type": "einsum_dense", "name": "e", "equation": equation, "output_shape": output}
        if axes:
            layer(f"einsum_dense_{number}", shape, [dict(keys, bias_axes=axes, activation="tanh")],
                  lambda x, w, b, e=equation, s=beside: torch.tanh(torch.einsum(e, x, w) + b.reshape(s)),
                  [("e.weight", kernel), ("e.bias", bias)])
        else:
            layer(f"einsum_dense_{number}", shape, [keys], lambda x, w, e=equation: torch.einsum(e, x, w), [("e.weight", kernel)])


def make():
    cases = Layers()
    activations(cases.add)
    joining(cases.add)
    products(cases.add)
    cases.save("activations.safetensors")
