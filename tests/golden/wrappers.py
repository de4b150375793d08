"""wrappers.safetensors: weights that are normalised, by PyTorch's own reparameterisations; train_normalized_*: ten steps of them."""
import torch
import torch.nn.functional as F
from torch.nn.utils import parametrizations

from common import Layers, single
from training import make_training


def spectral(function, training, iterations=1):
    """function(x, weight, *others) of a weight that is normalised with u and v, and what a training step leaves in these."""
    def of(x, w, u, v, *others):
        norm = parametrizations._SpectralNorm(w.detach(), iterations)
        norm._u, norm._v = u.detach().clone(), v.detach().clone()
        norm.train(training)
        return function(x, norm(w), *others), {"m.weight_u": norm._u, "m.weight_v": norm._v}
    return of


def weight(function, dim=0):
    return lambda x, g, v, *others: function(x, torch._weight_norm(v, g, dim), *others)


class Normalized(torch.nn.Module):
    shape, classes = (2, 5, 5), 4
    layers = [{"type": "spectral_normalization", "name": "conv", "layer": {"type": "conv2d", "filters": 6, "kernel_size": 3}},
              {"type": "tanh"}, {"type": "flatten"},
              {"type": "weight_normalization", "name": "fc", "layer": {"type": "dense", "units": 8, "activation": "tanh"}},
              {"type": "spectral_normalization", "name": "out", "power_iterations": 2, "layer": {"type": "dense", "units": 4}}]
    names = {"parametrizations.weight.original0": "weight_g", "parametrizations.weight.original1": "weight_v",
             "parametrizations.weight.original": "weight", "parametrizations.weight.0._u": "weight_u",
             "parametrizations.weight.0._v": "weight_v"}

    def __init__(self):
        super().__init__()
        self.conv = parametrizations.spectral_norm(torch.nn.Conv2d(2, 6, 3))
        self.fc = parametrizations.weight_norm(torch.nn.Linear(54, 8))
        self.out = parametrizations.spectral_norm(torch.nn.Linear(8, 4), n_power_iterations=2)
        for vector in self.buffers():
            vector.copy_(single(vector))

    def forward(self, x):
        return self.out(torch.tanh(self.fc(torch.tanh(self.conv(x)).flatten(1))))

    def state_dict(self):
        apart = [(*key.split(".", 1), value) for key, value in super().state_dict().items()]
        return {layer + "." + self.names.get(name, name): value for layer, name, value in apart}


def make():
    make_training(Normalized, "momentum")
    cases = Layers()

    def add_spectral(name, shape, within, function, size, others=(), iterations=None, **more):
        layer = {"type": "spectral_normalization", "name": "m", "layer": within}
        if iterations:
            layer["power_iterations"] = iterations
        rest = torch.Size(size[1:]).numel()
        weights = [("m.weight", size), ("m.weight_u", size[:1]), ("m.weight_v", (rest,)), *others]
        for mode, training in (("", False), ("_training", True)):
            cases.add("spectral_" + name + mode, shape, [layer], spectral(function, training, iterations or 1), weights,
                      training=training, **more)

    def add_weight(name, shape, within, function, size, others=(), axis=None, **more):
        layer = {"type": "weight_normalization", "name": "m", "layer": within}
        if axis is not None:
            layer["axis"] = axis
        at = (axis or 0) % len(size)
        scales = tuple(n if i == at else 1 for i, n in enumerate(size))
        cases.add("weight_" + name, shape, [layer], weight(function, at), [("m.weight_g", scales), ("m.weight_v", size), *others],
                  **more)

    bias = [("m.bias", (5,))]
    dense, conv = {"type": "dense", "units": 5}, {"type": "conv2d", "filters": 5, "kernel_size": [2, 1], "use_bias": False}
    transposed = {"type": "conv1d_transpose", "filters": 5, "kernel_size": 3, "strides": 2}
    depthwise = {"type": "depthwise_conv1d", "kernel_size": 2, "depth_multiplier": 2, "use_bias": False}
    einsum = {"type": "einsum_dense", "equation": "abc,cde->abde", "output_shape": [-1, 3, 2]}
    table = {"type": "embedding", "input_dim": 7, "output_dim": 3}

    for add in (add_spectral, add_weight):
        add("dense", (7,), dense, F.linear, (5, 7), bias)
        add("dense_row", (7,), {"type": "dense", "units": 1}, F.linear, (1, 7), [("m.bias", (1,))], batch=1)
        add("conv2d", (3, 4, 5), conv, F.conv2d, (5, 3, 2, 1), batch=1)
        add("conv1d_transpose", (2, 5), transposed, lambda x, w, b: F.conv_transpose1d(x, w, b, stride=2), (2, 5, 3), bias)
        add("depthwise_conv1d", (3, 5), depthwise, lambda x, w: F.conv1d(x, w, groups=3), (6, 1, 2))
        add("einsum_dense", (2, 4), einsum, lambda x, w: torch.einsum("abc,cde->abde", x, w), (4, 3, 2))
        add("embedding", (5,), table, F.embedding, (7, 3), integer=7)
    add_spectral("dense_thrice", (2, 7), dense, F.linear, (5, 7), bias, iterations=3)
    add_weight("dense_inputs", (7,), dense, F.linear, (5, 7), bias, axis=1)
    add_weight("conv2d_last", (3, 4, 5), conv, F.conv2d, (5, 3, 2, 1), axis=-2)
    add_weight("embedding_last", (5,), table, F.embedding, (7, 3), axis=-1, integer=7)

    twice = [{"type": "spectral_normalization", "name": "m", "layer": {"type": "dense", "units": 5}}, {"layer": "m"}]
    cases.add("spectral_twice_training", (5,), twice, spectral(lambda x, w, b: F.linear(F.linear(x, w, b), w, b), True),
              [("m.weight", (5, 5)), ("m.weight_u", (5,)), ("m.weight_v", (5,)), *bias], training=True)
    cases.save("wrappers.safetensors")
