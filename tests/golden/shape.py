"""shape.safetensors: layers that repeat, pad, crop and enlarge."""
import torch
import torch.nn.functional as F

from common import Layers


def make():
    layer = Layers(seed=11).add
    cases = layer.__self__
    for n in (1, 3):
        layer(f"repeat_vector_{n}", (5,), [{"type": "repeat_vector", "n": n}], lambda x, n=n: x[:, None].expand(-1, n, -1))

    def zero_padding(name, shape, padding, pads):
        keys = {} if padding is None else {"padding": padding}
        layer(name, shape, [dict(type=f"zero_padding{len(shape) - 1}d", **keys)], lambda x: F.pad(x, pads))
    zero_padding("zero_padding1d", (3, 5), None, (1, 1))
    zero_padding("zero_padding1d_pair", (3, 5), [2, 0], (2, 0))
    zero_padding("zero_padding1d_listed", (1, 1), [[0, 3]], (0, 3))
    zero_padding("zero_padding2d", (2, 3, 5), 2, (2, 2, 2, 2))
    zero_padding("zero_padding2d_axes", (2, 3, 1), [0, 3], (3, 3, 0, 0))
    zero_padding("zero_padding2d_pairs", (2, 3, 5), [[1, 0], [2, 3]], (2, 3, 1, 0))
    zero_padding("zero_padding3d", (2, 3, 1, 2), [[1, 0], 2, [0, 1]], (0, 1, 2, 2, 1, 0))

    def cropping(name, shape, cropping, pads):
        keys = {} if cropping is None else {"cropping": cropping}
        layer(name, shape, [dict(type=f"cropping{len(shape) - 1}d", **keys)], lambda x: F.pad(x, [-pad for pad in pads]))
    cropping("cropping1d", (3, 5), None, (1, 1))
    cropping("cropping1d_pair", (3, 7), [4, 0], (4, 0))
    cropping("cropping2d_nothing", (2, 3, 5), None, (0, 0, 0, 0))
    cropping("cropping2d", (2, 7, 5), [3, 1], (1, 1, 3, 3))
    cropping("cropping2d_pairs", (2, 7, 5), [[0, 2], [4, 0]], (4, 0, 0, 2))
    cropping("cropping3d", (2, 3, 3, 5), None, (1,) * 6)

    def up_sampling(name, shape, size, factors, mode="nearest", batch=3, **keys):
        keys = keys if size is None else dict(keys, size=size)
        how = {} if mode == "nearest" else {"align_corners": False}
        layer(name, shape, [dict(type=f"up_sampling{len(shape) - 1}d", **keys)],
              lambda x: F.interpolate(x, scale_factor=factors, mode=mode, **how), batch=batch)
    up_sampling("up_sampling1d", (3, 5), None, (2,))
    up_sampling("up_sampling1d_3", (1, 1), 3, (3,), batch=1)
    up_sampling("up_sampling2d", (2, 3, 5), [3, 2], (3, 2))
    up_sampling("up_sampling2d_one", (2, 3, 5), [1, 4], (1, 4), interpolation="nearest")
    up_sampling("up_sampling3d", (2, 3, 1, 2), 2, (2, 2, 2))
    for mode in ("bilinear", "bicubic"):
        up_sampling(f"up_sampling2d_{mode}", (2, 3, 5), None, (2, 2), mode, interpolation=mode)
        up_sampling(f"up_sampling2d_{mode}_odd", (1, 7, 2), [3, 5], (3, 5), mode, batch=1, interpolation=mode)
        up_sampling(f"up_sampling2d_{mode}_point", (2, 1, 1), [4, 1], (4, 1), mode, interpolation=mode)
    cases.save("shape.safetensors")
