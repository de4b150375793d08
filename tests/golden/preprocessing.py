"""preprocessing.safetensors: layers that prepare data, with given values, by Keras's formulas."""
import torch
import torch.nn.functional as F

from common import Layers


def fewer(x, depth, mode):
    """Keras's encodings of whole numbers."""
    hot = F.one_hot(x, depth).double()
    if mode == "one_hot":
        return hot.squeeze(-2) if x.shape[-1] == 1 else hot
    return hot.amax(-2) if mode == "multi_hot" else hot.sum(-2)


def splitmix(x, salt, bins):
    mask, golden = 2**64 - 1, 0x9E3779B97F4A7C15

    def one(number):
        a = ((number ^ (salt * golden & mask)) + golden) & mask
        b = (a ^ (a >> 30)) * 0xBF58476D1CE4E5B9 & mask
        c = (b ^ (b >> 27)) * 0x94D049BB133111EB & mask
        return (c ^ (c >> 31)) % bins
    return x.clone().apply_(one)


def make():
    cases = Layers(seed=13)
    layer = cases.add
    layer("rescaling", (3, 5), [{"type": "rescaling", "scale": 0.25, "offset": -1.5}], lambda x: x * 0.25 - 1.5)
    layer("rescaling_plain", (1,), [{"type": "rescaling", "scale": -3}], lambda x: x * -3, batch=1)

    mean, variance = [0.5, -1, 2], [4, 0.25, 0]

    def normalized(name, shape, view, invert=False, **keys):
        m, s = torch.tensor(mean).double().reshape(view), torch.tensor(variance).double().sqrt().clamp(min=1e-7).reshape(view)
        layer(name, shape, [dict(keys, type="normalization", mean=mean, variance=variance, invert=invert)],
              lambda x: x * s + m if invert else (x - m) / s)
    normalized("normalization", (4, 3), (1, 1, 3))
    normalized("normalization_channels", (3, 2, 1), (1, 3, 1, 1), axis=1)
    normalized("normalization_invert", (3,), (1, 3), invert=True)
    layer("normalization_one", (2, 3), [{"type": "normalization", "mean": 1.5, "variance": [4]}], lambda x: (x - 1.5) / 2)

    at = [-1, 0, 0.5]
    for mode in ("int", "one_hot", "multi_hot", "count"):
        for size in (1, 5):
            for shape in ((size,), (3, size)):
                name = f"discretization_{mode}_{len(shape)}_{size}"
                layer(name, shape,
                      [{"type": "discretization", "bin_boundaries": at, "output_mode": mode}],
                      lambda x, mode=mode: (lambda b: b.double() if mode == "int" else fewer(b, 4, mode))(
                          torch.bucketize(x.detach(), torch.tensor(at).double(), right=True)) + 0 * x.sum())
                del cases.tensors[name + "/dx"]  # steps have no gradient
    for mode in ("one_hot", "multi_hot", "count"):
        for size in (1, 7):
            layer(f"category_encoding_{mode}_{size}", (size,),
                  [{"type": "category_encoding", "num_tokens": 5, "output_mode": mode}, {"type": "rescaling", "scale": 1}],
                  lambda x, mode=mode: fewer(x, 5, mode).requires_grad_(), integer=5)
    for salt in (0, 12345):
        layer(f"hashing_{salt}", (13,), [{"type": "hashing", "num_bins": 1000, "salt": salt}],
              lambda x, salt=salt: splitmix(x, salt, 1000).double().requires_grad_(), integer=100000)

    def masked(x, value=0.0):
        return x * (x != value).any(-1, keepdim=True)
    layer("masking_no", (4, 3), [{"type": "masking"}], masked)
    layer("masking_relu", (17, 2), [{"type": "relu"}, {"type": "masking"}], lambda x: masked(F.relu(x)))
    layer("masking_value", (17, 1), [{"type": "relu"}, {"type": "rescaling", "scale": 1, "offset": 2},
                                     {"type": "masking", "mask_value": 2}], lambda x: masked(F.relu(x) + 2, 2.0))
    cases.save("preprocessing.safetensors")
