"""masks.safetensors: layers that use a mask of steps, or hand it on, written out."""
import torch
import torch.nn.functional as F

from common import Layers

STEPS, FEATURES = 5, 3


def make():
    cases = Layers()
    real = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [0, 0, 1, 0, 0], [0, 1, 0, 1, 0], [0, 0, 0, 0, 0]], dtype=torch.bool)
    masking, last = {"type": "masking"}, {"data_format": "channels_last"}

    def mean(x):
        return (x * real[..., None]).sum(1) / real.sum(1, keepdim=True).clamp(min=1)

    def most(x):
        return torch.where(real.any(1, keepdim=True), torch.where(real[..., None], x, -torch.inf).amax(1), 0)

    def add(name, layers, function, weights=(), shape=(STEPS, FEATURES)):
        cases.add(name, shape, layers, function, weights, batch=5, real=real)

    add("average", [masking, dict(last, type="global_average_pooling1d")], mean)
    add("average_kept", [masking, dict(last, type="global_average_pooling1d", keepdims=True)], lambda x: mean(x)[:, None])
    add("most", [masking, dict(last, type="global_max_pooling1d")], most)
    add("plain", [dict(last, type="global_average_pooling1d")], lambda x: x.mean(1))
    add("image", [dict(last, type="global_max_pooling2d")], lambda x: x.amax((1, 2)), shape=(STEPS, 2, FEATURES))
    add("wrapped", [masking, {"type": "weight_normalization", "name": "w", "layer": {"type": "dense", "units": 4}},
                    dict(last, type="global_average_pooling1d")],
        lambda x, g, v, b: mean(F.linear(x, g * v / v.norm(dim=1, keepdim=True), b)),
        [("w.weight_g", (4, 1)), ("w.weight_v", (4, FEATURES)), ("w.bias", (4,))])
    cases.save("masks.safetensors")
