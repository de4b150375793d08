#!/usr/bin/env python3
"""Writes the golden vectors of tests/golden with PyTorch (torch 2, CPU), in double precision, stored as float32.

    python3 tests/golden/generate.py

Files, each with the model as Mica's JSON in its metadata:
  layers.safetensors   CASE/x, CASE/dy, CASE/y, CASE/dx, CASE/weight/NAME, CASE/gradient/NAME, CASE/after/NAME
  losses.safetensors   CASE/x, CASE/labels, CASE/loss, CASE/dx
  train_*.safetensors  x, labels, losses (one a step), initial/NAME, final/NAME
"""
import json
import os
import struct

import numpy as np
import torch
import torch.nn.functional as F

torch.manual_seed(7)
torch.set_default_dtype(torch.float64)
FOLDER = os.path.dirname(os.path.abspath(__file__))


def save(name, tensors, metadata):
    header, data = {"__metadata__": metadata}, b""
    for key, value in tensors.items():
        value = np.ascontiguousarray(value.detach().numpy() if torch.is_tensor(value) else value)
        value = value.astype("<i4" if value.dtype.kind == "i" else "<f4")
        raw = value.tobytes()
        header[key] = {"dtype": "I32" if value.dtype.kind == "i" else "F32", "shape": list(value.shape),
                       "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(os.path.join(FOLDER, name), "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def single(tensor):
    """A tensor as float32 can hold it, so that both sides start from the same numbers."""
    return tensor.float().double()


# ---- Layers ----

layer_tensors, layer_cases = {}, {}


def layer(name, shape, layers, function, weights=(), batch=3, training=False, integer=None):
    """function(x, *weights) -> y, or (y, {name: value after the step})."""
    x = single(torch.randn(batch, *shape)) if integer is None else torch.randint(0, integer, (batch, *shape))
    values = [single(0.5 * torch.randn(*size) + (1 if key.endswith(".running_var") else 0)).abs()
              if key.endswith(".running_var") else single(0.5 * torch.randn(*size)) for key, size in weights]
    inputs = ([x] if integer is None else []) + values
    for value in inputs:
        value.requires_grad_(True)
    result = function(x, *values)
    y, after = result if isinstance(result, tuple) else (result, {})
    dy = single(torch.randn(*y.shape))
    y.backward(dy)
    out = {"x": x, "dy": dy, "y": y}
    if integer is None:
        out["dx"] = x.grad
    for (key, _), value in zip(weights, values):
        out["weight/" + key] = value
        if value.grad is not None and "running" not in key:
            out["gradient/" + key] = value.grad
    out.update({"after/" + key: value for key, value in after.items()})
    for key, value in out.items():
        layer_tensors[name + "/" + key] = value
    layer_cases[name] = json.dumps({"input_shape": list(shape), "layers": layers, "training": training})


def same_pads(x, kernel, stride, dilation=(1, 1)):
    pads = []
    for size, k, s, d in reversed(list(zip(x.shape[2:], kernel, stride, dilation))):
        total = max((-(-size // s) - 1) * s + (k - 1) * d + 1 - size, 0)
        pads += [total // 2, total - total // 2]
    return pads


def batch_norm(x, gamma, beta, mean, var, training):
    mean_after, var_after = mean.detach().clone(), var.detach().clone()
    y = F.batch_norm(x, mean_after, var_after, gamma, beta, training, 1 - 0.9, 1e-3)
    return y, {"bn.running_mean": mean_after, "bn.running_var": var_after}


def make_layers():
    dense = [("d.weight", (7, 5)), ("d.bias", (7,))]
    layer("dense", (5,), [{"type": "dense", "name": "d", "units": 7}], lambda x, w, b: F.linear(x, w, b), dense)
    layer("dense_rows", (4, 5), [{"type": "dense", "name": "d", "units": 7, "activation": "tanh"}],
          lambda x, w, b: torch.tanh(F.linear(x, w, b)), dense)
    layer("dense_no_bias", (5,), [{"type": "dense", "name": "d", "units": 7, "use_bias": False}],
          lambda x, w: F.linear(x, w), dense[:1])

    conv = [("c.weight", (6, 4, 3, 2)), ("c.bias", (6,))]
    text = {"type": "conv2d", "name": "c", "filters": 6, "kernel_size": [3, 2]}
    layer("conv2d", (4, 7, 8), [text], lambda x, w, b: F.conv2d(x, w, b), conv)
    layer("conv2d_relu", (4, 7, 8), [dict(text, activation="relu")], lambda x, w, b: F.relu(F.conv2d(x, w, b)), conv)
    layer("conv2d_same", (4, 7, 8), [dict(text, padding="same", strides=2)],
          lambda x, w, b: F.conv2d(F.pad(x, same_pads(x, (3, 2), (2, 2))), w, b, stride=2), conv)
    layer("conv2d_explicit", (4, 7, 8), [dict(text, padding=[2, 0, 1, 3], strides=[1, 2])],
          lambda x, w, b: F.conv2d(F.pad(x, (0, 3, 2, 1)), w, b, stride=(1, 2)), conv)
    layer("conv2d_dilated", (4, 9, 8), [dict(text, padding="same", dilation_rate=[2, 3])],
          lambda x, w, b: F.conv2d(F.pad(x, same_pads(x, (3, 2), (1, 1), (2, 3))), w, b, dilation=(2, 3)), conv)
    layer("conv2d_groups", (4, 7, 8), [dict(text, groups=2)], lambda x, w, b: F.conv2d(x, w, b, groups=2),
          [("c.weight", (6, 2, 3, 2)), ("c.bias", (6,))])
    layer("conv2d_depthwise", (4, 6, 6), [{"type": "conv2d", "name": "c", "filters": 4, "kernel_size": 3, "groups": 4}],
          lambda x, w, b: F.conv2d(x, w, b, groups=4), [("c.weight", (4, 1, 3, 3)), ("c.bias", (4,))])
    layer("conv1d", (3, 11), [{"type": "conv1d", "name": "c", "filters": 5, "kernel_size": 4, "strides": 2, "padding": 1}],
          lambda x, w, b: F.conv1d(x, w, b, stride=2, padding=1), [("c.weight", (5, 3, 4)), ("c.bias", (5,))])

    layer("max_pooling2d", (3, 7, 6), [{"type": "max_pooling2d"}], lambda x: F.max_pool2d(x, 2))
    layer("max_pooling2d_same", (3, 7, 6), [{"type": "max_pooling2d", "pool_size": 3, "strides": 2, "padding": "same"}],
          lambda x: F.max_pool2d(F.pad(x, same_pads(x, (3, 3), (2, 2)), value=-1e9), 3, 2))
    layer("average_pooling2d", (3, 7, 6), [{"type": "average_pooling2d", "pool_size": [3, 2], "strides": [2, 1], "padding": 1}],
          lambda x: F.avg_pool2d(F.pad(x, (1, 1, 1, 1)), (3, 2), (2, 1)) /
          F.avg_pool2d(F.pad(torch.ones_like(x), (1, 1, 1, 1)), (3, 2), (2, 1)))
    layer("max_pooling1d", (3, 9), [{"type": "max_pooling1d", "pool_size": 3}], lambda x: F.max_pool1d(x, 3))
    layer("average_pooling1d", (3, 9), [{"type": "average_pooling1d"}], lambda x: F.avg_pool1d(x, 2))
    layer("global_average_pooling", (3, 5, 4), [{"type": "global_average_pooling2d"}], lambda x: x.mean((2, 3)))
    layer("global_max_pooling", (3, 5, 4), [{"type": "global_max_pooling"}], lambda x: x.amax((2, 3)))

    layer("reshape", (3, 4), [{"type": "reshape", "target_shape": [2, -1]}], lambda x: x.reshape(-1, 2, 6))
    layer("permute", (3, 4, 5), [{"type": "permute", "dims": [3, 1, 2]}], lambda x: x.permute(0, 3, 1, 2).contiguous())
    layer("flatten", (3, 4), [{"type": "flatten"}], lambda x: x.flatten(1))
    for name, function in [("relu", F.relu), ("leaky_relu", lambda x: F.leaky_relu(x, 0.2)), ("elu", F.elu),
                           ("sigmoid", torch.sigmoid), ("tanh", torch.tanh), ("softplus", F.softplus), ("silu", F.silu),
                           ("gelu", F.gelu), ("selu", F.selu), ("softmax", lambda x: F.softmax(x, -1)),
                           ("log_softmax", lambda x: F.log_softmax(x, -1))]:
        layer(name, (9,), [{"type": name}], function)

    stats = [("bn.weight", (4,)), ("bn.bias", (4,)), ("bn.running_mean", (4,)), ("bn.running_var", (4,))]
    for name, shape in [("batch_normalization", (4, 5, 3)), ("batch_normalization_flat", (4,))]:
        for training in (False, True):
            layer(name + ("_training" if training else ""), shape,
                  [{"type": "batch_normalization", "name": "bn", "momentum": 0.9}],
                  lambda x, g, b, m, v, t=training: batch_norm(x, g, b, m, v, t), stats, 5, training)
    layer("embedding", (6,), [{"type": "embedding", "name": "e", "input_dim": 10, "output_dim": 3}],
          lambda x, w: F.embedding(x, w), [("e.weight", (10, 3))], integer=10)

    a, b = {"type": "dense", "name": "a", "units": 4}, {"type": "dense", "name": "b", "units": 4, "inputs": ["input"]}
    both = [("a.weight", (4, 5)), ("a.bias", (4,)), ("b.weight", (4, 5)), ("b.bias", (4,))]
    for name, join in [("add", lambda p, q: p + q), ("multiply", lambda p, q: p * q),
                       ("concatenate", lambda p, q: torch.cat([p, q], 1))]:
        layer(name, (5,), [a, b, {"type": name, "inputs": ["a", "b"]}],
              lambda x, w, c, v, d, j=join: j(F.linear(x, w, c), F.linear(x, v, d)), both)
    save("layers.safetensors", layer_tensors, layer_cases)


# ---- Losses ----

def make_losses():
    tensors, cases = {}, {}

    def loss(name, loss_name, layers, labels, function, shape, from_logits=0):
        x = single(2 * torch.randn(7, *shape)).requires_grad_(True)
        value = function(x, labels)
        value.backward()
        tensors.update({name + "/x": x, name + "/labels": labels, name + "/loss": value.reshape(1), name + "/dx": x.grad})
        cases[name] = json.dumps({"input_shape": list(shape), "layers": layers, "loss": loss_name,
                                  "from_logits": from_logits})

    linear = [{"type": "linear"}]
    softmax, sigmoid = [{"type": "softmax"}], [{"type": "sigmoid"}]
    apart = [{"type": "reshape", "target_shape": [-1]}]  # keeps the loss from looking through the activation
    classes = torch.randint(0, 5, (7,), dtype=torch.int32)
    shares = single(torch.softmax(torch.randn(7, 5), 1))
    bits = single(torch.randint(0, 2, (7, 3)).double())
    values = single(torch.randn(7, 3))

    loss("mse", "mean_squared_error", linear, values, F.mse_loss, (3,))
    loss("binary_logits", "binary_crossentropy", linear, bits, F.binary_cross_entropy_with_logits, (3,))
    loss("binary_sigmoid", "binary_crossentropy", sigmoid, bits, F.binary_cross_entropy_with_logits, (3,))
    loss("binary_probabilities", "binary_crossentropy", sigmoid + apart, bits,
         lambda x, t: F.binary_cross_entropy(torch.sigmoid(x), t), (3,))
    loss("binary_classes", "binary_crossentropy", linear, (classes > 2).int(),
         lambda x, t: F.binary_cross_entropy_with_logits(x, t.double().reshape(-1, 1)), (1,))
    loss("categorical_logits", "categorical_crossentropy", linear, shares, F.cross_entropy, (5,))
    loss("categorical_softmax", "categorical_crossentropy", softmax, shares, F.cross_entropy, (5,))
    loss("categorical_probabilities", "categorical_crossentropy", softmax + apart, shares, F.cross_entropy, (5,))
    loss("categorical_classes", "categorical_crossentropy", linear, classes, lambda x, t: F.cross_entropy(x, t.long()), (5,))
    loss("sparse_logits", "sparse_categorical_crossentropy", linear, classes,
         lambda x, t: F.cross_entropy(x, t.long()), (5,))
    loss("sparse_softmax", "sparse_categorical_crossentropy", softmax, classes,
         lambda x, t: F.cross_entropy(x, t.long()), (5,))
    loss("sparse_probabilities", "sparse_categorical_crossentropy", softmax + apart, classes,
         lambda x, t: F.cross_entropy(x, t.long()), (5,))
    save("losses.safetensors", tensors, cases)


# ---- Ten steps of training ----

class Mlp(torch.nn.Module):
    shape, classes = (8,), 4
    layers = [{"type": "dense", "name": "fc1", "units": 16, "activation": "relu"},
              {"type": "dense", "name": "fc2", "units": 12, "activation": "tanh"}, {"type": "dense", "name": "fc3", "units": 4}]

    def __init__(self):
        super().__init__()
        self.fc1, self.fc2, self.fc3 = torch.nn.Linear(8, 16), torch.nn.Linear(16, 12), torch.nn.Linear(12, 4)

    def forward(self, x):
        return self.fc3(torch.tanh(self.fc2(F.relu(self.fc1(x)))))


class Cnn(torch.nn.Module):
    shape, classes = (2, 9, 9), 5
    layers = [{"type": "conv2d", "name": "conv1", "filters": 6, "kernel_size": 3, "use_bias": False},
              {"type": "batch_normalization", "name": "bn1", "momentum": 0.9, "epsilon": 1e-5}, {"type": "relu"},
              {"type": "max_pooling2d"},
              {"type": "conv2d", "name": "conv2", "filters": 8, "kernel_size": 3, "padding": 1, "activation": "relu"},
              {"type": "flatten"}, {"type": "dense", "name": "fc", "units": 5}]

    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = torch.nn.Conv2d(2, 6, 3, bias=False), torch.nn.BatchNorm2d(6)
        self.conv2, self.fc = torch.nn.Conv2d(6, 8, 3, padding=1), torch.nn.Linear(72, 5)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 2)
        return self.fc(F.relu(self.conv2(x)).flatten(1))


OPTIMIZERS = {
    "sgd": ({"type": "sgd", "learning_rate": 0.1}, lambda p: torch.optim.SGD(p, 0.1)),
    "momentum": ({"type": "sgd", "learning_rate": 0.05, "momentum": 0.9, "weight_decay": 0.01},
                 lambda p: torch.optim.SGD(p, 0.05, momentum=0.9, weight_decay=0.01)),
    "nesterov": ({"type": "sgd", "learning_rate": 0.05, "momentum": 0.9, "nesterov": True},
                 lambda p: torch.optim.SGD(p, 0.05, momentum=0.9, nesterov=True)),
    "adam": ({"type": "adam", "learning_rate": 0.01}, lambda p: torch.optim.Adam(p, 0.01, eps=1e-7)),
    "adam_decay": ({"type": "adam", "learning_rate": 0.01, "beta_1": 0.8, "beta_2": 0.99, "weight_decay": 0.1},
                   lambda p: torch.optim.Adam(p, 0.01, (0.8, 0.99), eps=1e-7, weight_decay=0.1)),
    "rmsprop": ({"type": "rmsprop", "learning_rate": 0.01}, lambda p: torch.optim.RMSprop(p, 0.01, 0.9, eps=1e-7)),
    "rmsprop_momentum": ({"type": "rmsprop", "learning_rate": 0.005, "rho": 0.95, "momentum": 0.8},
                         lambda p: torch.optim.RMSprop(p, 0.005, 0.95, eps=1e-7, momentum=0.8)),
    "adagrad": ({"type": "adagrad", "learning_rate": 0.05},
                lambda p: torch.optim.Adagrad(p, 0.05, initial_accumulator_value=0.1, eps=1e-7)),
}


def make_training(model_type, optimizer_name, batch=8, samples=77):  # ten steps, the last of five samples
    torch.manual_seed(11)
    model = model_type()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(single(parameter))
    x = single(torch.randn(samples, *model.shape))
    labels = torch.randint(0, model.classes, (samples,), dtype=torch.int32)
    keep = lambda: {key: value.detach().clone() for key, value in model.state_dict().items() if "num_batches" not in key}
    text, make = OPTIMIZERS[optimizer_name]
    initial, losses, optimizer = keep(), [], make(model.parameters())
    for at in range(0, samples, batch):
        optimizer.zero_grad()
        value = F.cross_entropy(model(x[at:at + batch]), labels[at:at + batch].long())
        value.backward()
        optimizer.step()
        losses.append(value.item())
    tensors = {"x": x, "labels": labels, "losses": torch.tensor(losses)}
    tensors.update({"initial/" + key: value for key, value in initial.items()})
    tensors.update({"final/" + key: value for key, value in keep().items()})
    metadata = {"model": json.dumps({"input_shape": list(model.shape), "layers": model.layers}),
                "optimizer": json.dumps(text), "batch": str(batch)}
    save("train_%s_%s.safetensors" % (model_type.__name__.lower(), optimizer_name), tensors, metadata)


if __name__ == "__main__":
    make_layers()
    make_losses()
    for name in OPTIMIZERS:
        make_training(Mlp, name)
    for name in ("momentum", "adam", "rmsprop"):
        make_training(Cnn, name)
