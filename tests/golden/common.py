"""What the generators of golden vectors share. All compute in double precision with PyTorch; files hold float32."""
import json
import os
import struct

import numpy as np
import torch

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


class Layers:
    """Cases of layers, for one file: each with its values, gradients and what a step leaves in the statistics."""

    def __init__(self, seed=7):
        torch.manual_seed(seed)
        self.tensors, self.cases = {}, {}

    def add(self, name, shape, layers, function, weights=(), batch=3, training=False, integer=None, real=None):
        """function(x, *weights) -> y, or (y, {name: value after the step}); where `real` (batch, steps) is False, x is 0."""
        x = single(torch.randn(batch, *shape)) if integer is None else torch.randint(0, integer, (batch, *shape))
        x = x if real is None else x * real.reshape(*real.shape, *[1] * (x.dim() - real.dim()))
        values = [single(0.5 * torch.randn(size) + (1 if key.endswith(".running_var") else 0)).abs()
                  if key.endswith(".running_var") else single(0.5 * torch.randn(size)) for key, size in weights]
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
            self.tensors[name + "/" + key] = value
        self.cases[name] = json.dumps({"input_shape": list(shape), "layers": layers, "training": training})

    def save(self, file):
        save(file, self.tensors, self.cases)


def same_pads(x, kernel, stride, dilation=(1, 1)):
    pads = []
    for size, k, s, d in reversed(list(zip(x.shape[2:], kernel, stride, dilation))):
        total = max((-(-size // s) - 1) * s + (k - 1) * d + 1 - size, 0)
        pads += [total // 2, total - total // 2]
    return pads
