"""normalization.safetensors: normalisations. Unit normalisation is Keras's formula, the others are PyTorch's functions."""
import torch
import torch.nn.functional as F

from common import Layers


def over_axes(x, axes, epsilon, centered=True):
    """x less its mean over axes, by the root of its second moment."""
    x = x - x.mean(axes, keepdim=True) if centered else x
    return x / torch.sqrt((x * x).mean(axes, keepdim=True) + epsilon)


def make():
    cases = Layers()
    layer = cases.add

    def affine(*shape):
        return [("m.weight", shape), ("m.bias", shape)]

    text = {"type": "layer_normalization", "name": "m"}
    layer("layer_normalization", (7,), [text], lambda x, w, b: F.layer_norm(x, (7,), w, b, 1e-3), affine(7), 1)
    layer("layer_normalization_rows", (3, 13), [dict(text, epsilon=1e-5)], lambda x, w, b: F.layer_norm(x, (13,), w, b, 1e-5),
          affine(13))
    layer("layer_normalization_image", (3, 1, 5), [dict(text, axis=[-3, -2, -1])],
          lambda x, w, b: F.layer_norm(x, (3, 1, 5), w, b, 1e-3), affine(3, 1, 5), training=True)
    layer("layer_normalization_channels", (5, 2, 3), [dict(text, axis=1)],
          lambda x, w, b: over_axes(x, (1,), 1e-3) * w.reshape(5, 1, 1) + b.reshape(5, 1, 1), affine(5))
    layer("layer_normalization_outer", (3, 2, 5), [dict(text, axis=[3, 1])],
          lambda x, w, b: over_axes(x, (1, 3), 1e-3) * w.reshape(3, 1, 5) + b.reshape(3, 1, 5), affine(3, 5))
    layer("layer_normalization_plain", (11,), [dict(text, center=False, scale=False)], lambda x: F.layer_norm(x, (11,), eps=1e-3))
    layer("layer_normalization_scale", (2, 11), [dict(text, center=False)],
          lambda x, w: F.layer_norm(x, (11,), w, eps=1e-3), [("m.weight", (11,))])
    layer("layer_normalization_center", (2, 11), [dict(text, scale=False)],
          lambda x, b: F.layer_norm(x, (11,), None, b, 1e-3), [("m.bias", (11,))])

    text = {"type": "rms_normalization", "name": "m"}
    layer("rms_normalization", (3, 7), [text], lambda x, w: F.rms_norm(x, (7,), w, 1e-6), [("m.weight", (7,))])
    layer("rms_normalization_axes", (3, 1, 5), [dict(text, axis=[1, 3], epsilon=0.1)],
          lambda x, w: over_axes(x, (1, 3), 0.1, False) * w.reshape(3, 1, 5), [("m.weight", (3, 5))])

    text = {"type": "group_normalization", "name": "m", "groups": 3}
    layer("group_normalization", (6, 5, 2), [text], lambda x, w, b: F.group_norm(x, 3, w, b, 1e-3), affine(6), training=True)
    layer("group_normalization_flat", (6,), [text], lambda x, w, b: F.group_norm(x, 3, w, b, 1e-3), affine(6), 5)
    layer("group_normalization_one", (5, 7), [dict(text, groups=1, center=False)],
          lambda x, w: F.group_norm(x, 1, w, None, 1e-3), [("m.weight", (5,))], 1)
    layer("group_normalization_default", (64, 2), [{"type": "group_normalization", "name": "m"}],
          lambda x, w, b: F.group_norm(x, 32, w, b, 1e-3), affine(64), 2)
    layer("group_normalization_each", (4, 7), [dict(text, groups=-1, epsilon=1e-5)],
          lambda x, w, b: F.instance_norm(x, None, None, w, b, eps=1e-5), affine(4))
    text = {"type": "instance_normalization", "name": "m"}
    layer("instance_normalization", (3, 5, 4), [text], lambda x, w, b: F.instance_norm(x, None, None, w, b, eps=1e-3), affine(3))
    layer("instance_normalization_plain", (2, 13), [dict(text, center=False, scale=False)], lambda x: F.instance_norm(x, eps=1e-3))

    text = {"type": "unit_normalization"}
    layer("unit_normalization", (3, 7), [text], lambda x: F.normalize(x, dim=-1, eps=1e-7))
    layer("unit_normalization_axes", (3, 2, 5), [dict(text, axis=[1, 2])],
          lambda x: x / torch.sqrt((x * x).sum((1, 2), keepdim=True)))

    batch = [("m.bias", (4,)), ("m.running_mean", (4,)), ("m.running_var", (4,))]
    layer("batch_normalization_center", (4, 3), [{"type": "batch_normalization", "name": "m", "scale": False}],
          lambda x, b, m, v: F.batch_norm(x, m.detach(), v.detach(), None, b, False, 0, 1e-3), batch)
    cases.save("normalization.safetensors")
