"""convolution.safetensors: convolutions and poolings in one to three dimensions."""
import torch
import torch.nn.functional as F

from common import Layers, same_pads

CONV = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
TRANSPOSED = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}


def keras_transposed(axes, kernel, stride, dilation, padding, output_padding, groups=1):
    """Keras's output sizes, out of all that windows reach: PyTorch's convolution without padding, cut or filled up."""
    def function(x, w, b):
        y = TRANSPOSED[axes](x, w, None, stride, 0, 0, groups, dilation)
        for i in range(axes):
            places, reach, out = x.shape[2 + i], (kernel[i] - 1) * dilation[i] + 1, output_padding and output_padding[i]
            if padding == "valid":
                size = (places - 1) * stride[i] + (max(reach, stride[i]) if out is None else reach + out)
            else:
                size = places * stride[i] if out is None else (places - 1) * stride[i] + reach % 2 + out
            crop = y.shape[2 + i] - size
            first = max(crop, 0) // 2
            y = y.narrow(2 + i, first, min(size, y.shape[2 + i]))
            filled = torch.zeros(*y.shape[:2 + i], max(-crop, 0), *y.shape[3 + i:])
            y = torch.cat([y, filled], 2 + i)
        return y + b.reshape(1, -1, *[1] * axes)
    return function


def convolutions(layer):
    volume = [("c.weight", (3, 2, 3, 2, 1)), ("c.bias", (3,))]
    text = {"type": "conv3d", "name": "c", "filters": 3, "kernel_size": [3, 2, 1]}
    layer("conv3d", (2, 5, 4, 3), [text], lambda x, w, b: F.conv3d(x, w, b), volume, 2)
    layer("conv3d_relu", (2, 4, 5, 2), [dict(text, activation="relu", padding="same")],
          lambda x, w, b: F.relu(F.conv3d(F.pad(x, same_pads(x, (3, 2, 1), (1, 1, 1), (1, 1, 1))), w, b)), volume, 1)
    layer("conv3d_strides", (2, 5, 7, 3), [dict(text, strides=[2, 3, 2], padding="same")],
          lambda x, w, b: F.conv3d(F.pad(x, same_pads(x, (3, 2, 1), (2, 3, 2), (1, 1, 1))), w, b, (2, 3, 2)), volume, 1)
    layer("conv3d_dilated", (2, 7, 5, 3), [dict(text, dilation_rate=[2, 3, 1], padding=[1, 0, 2])],
          lambda x, w, b: F.conv3d(x, w, b, padding=(1, 0, 2), dilation=(2, 3, 1)), volume, 1)
    layer("conv3d_groups", (4, 3, 3, 3), [{"type": "conv3d", "name": "c", "filters": 6, "kernel_size": 2, "groups": 2}],
          lambda x, w, b: F.conv3d(x, w, b, groups=2), [("c.weight", (6, 2, 2, 2, 2)), ("c.bias", (6,))], 1)
    layer("conv3d_explicit", (1, 1, 2, 3), [dict(text, padding=[1, 0, 0, 1, 2, 1], use_bias=False)],
          lambda x, w: F.conv3d(F.pad(x, (0, 1, 0, 2, 1, 1)), w), [("c.weight", (3, 1, 3, 2, 1))], 2)


def transposed(layer):
    for name, shape, kernel, stride, dilation, padding, beyond in [
            ("conv1d_transpose", (3, 7), (4,), (1,), (1,), "valid", None),
            ("conv1d_transpose_strides", (3, 5), (2,), (3,), (1,), "valid", None),
            ("conv1d_transpose_same", (3, 5), (5,), (2,), (2,), "same", None),
            ("conv1d_transpose_beyond", (3, 5), (4,), (3,), (1,), "same", (2,)),
            ("conv2d_transpose", (3, 4, 3), (3, 2), (2, 1), (1, 1), "valid", None),
            ("conv2d_transpose_same", (3, 4, 3), (3, 4), (2, 3), (1, 1), "same", None),
            ("conv2d_transpose_one", (3, 3, 2), (1, 1), (2, 3), (1, 1), "same", None),
            ("conv2d_transpose_beyond", (3, 1, 3), (3, 4), (2, 3), (1, 1), "same", (0, 1)),
            ("conv2d_transpose_more", (3, 4, 3), (2, 3), (3, 2), (2, 1), "valid", (2, 0)),
            ("conv3d_transpose", (3, 2, 3, 2), (2, 3, 1), (2, 1, 2), (1, 1, 1), "valid", None),
            ("conv3d_transpose_same", (3, 2, 3, 1), (3, 2, 2), (2, 2, 1), (1, 2, 1), "same", None)]:
        axes = len(kernel)
        text = {"type": f"conv{axes}d_transpose", "name": "c", "filters": 2, "kernel_size": list(kernel), "strides": list(stride),
                "dilation_rate": list(dilation), "padding": padding}
        if beyond:
            text["output_padding"] = list(beyond)
        layer(name, shape, [text], keras_transposed(axes, kernel, stride, dilation, padding, beyond),
              [("c.weight", (shape[0], 2, *kernel)), ("c.bias", (2,))], 2 if axes == 1 else 1)
    text = {"type": "conv2d_transpose", "name": "c", "filters": 4, "kernel_size": 3, "strides": 2}
    weights = [("c.weight", (4, 2, 3, 3)), ("c.bias", (4,))]
    layer("conv2d_transpose_explicit", (4, 3, 5), [dict(text, groups=2, padding=1, output_padding=1, activation="tanh")],
          lambda x, w, b: torch.tanh(F.conv_transpose2d(x, w, b, 2, 1, 1, 2)), weights, 1)
    layer("conv3d_transpose_explicit", (2, 2, 2, 3), [{"type": "conv3d_transpose", "name": "c", "filters": 2, "kernel_size": 3,
                                                       "strides": [2, 1, 2], "padding": [1, 0, 2], "use_bias": False}],
          lambda x, w: F.conv_transpose3d(x, w, None, (2, 1, 2), (1, 0, 2)), [("c.weight", (2, 2, 3, 3, 3))], 1)


def by_channel(layer):
    layer("depthwise_conv2d", (5, 6, 4), [{"type": "depthwise_conv2d", "name": "c", "kernel_size": [3, 2]}],
          lambda x, w, b: F.conv2d(x, w, b, groups=5), [("c.weight", (5, 1, 3, 2)), ("c.bias", (5,))], 2)
    layer("depthwise_conv2d_multiplier", (3, 7, 5), [{"type": "depthwise_conv2d", "name": "c", "kernel_size": 3, "strides": 2,
          "padding": "same", "depth_multiplier": 2, "activation": "relu"}],
          lambda x, w, b: F.relu(F.conv2d(F.pad(x, same_pads(x, (3, 3), (2, 2))), w, b, 2, groups=3)),
          [("c.weight", (6, 1, 3, 3)), ("c.bias", (6,))], 2)
    layer("depthwise_conv1d", (3, 9), [{"type": "depthwise_conv1d", "name": "c", "kernel_size": 3, "dilation_rate": 2,
                                        "depth_multiplier": 3, "use_bias": False}],
          lambda x, w: F.conv1d(x, w, dilation=2, groups=3), [("c.weight", (9, 1, 3))], 2)
    weights = [("c.depthwise.weight", (6, 1, 3, 3)), ("c.pointwise.weight", (5, 6, 1, 1)), ("c.bias", (5,))]
    layer("separable_conv2d", (3, 5, 7), [{"type": "separable_conv2d", "name": "c", "filters": 5, "kernel_size": 3,
                                           "depth_multiplier": 2, "strides": 2, "padding": 1, "activation": "tanh"}],
          lambda x, d, p, b: torch.tanh(F.conv2d(F.conv2d(x, d, None, 2, 1, groups=3), p, b)), weights, 2)
    layer("separable_conv1d", (4, 7), [{"type": "separable_conv1d", "name": "c", "filters": 2, "kernel_size": 4}],
          lambda x, d, p, b: F.conv1d(F.conv1d(x, d, groups=4), p, b),
          [("c.depthwise.weight", (4, 1, 4)), ("c.pointwise.weight", (2, 4, 1)), ("c.bias", (2,))], 2)


def average(x, kernel, stride, pads):
    """Padded places do not count."""
    counted = F.avg_pool3d(F.pad(torch.ones_like(x), pads), kernel, stride)
    return F.avg_pool3d(F.pad(x, pads), kernel, stride) / counted


def pools(layer):
    layer("max_pooling3d", (2, 4, 5, 3), [{"type": "max_pooling3d"}], lambda x: F.max_pool3d(x, 2), batch=2)
    layer("max_pooling3d_same", (2, 5, 3, 4), [{"type": "max_pooling3d", "pool_size": [3, 2, 2], "strides": [2, 2, 1],
                                                "padding": "same"}],
          lambda x: F.max_pool3d(F.pad(x, same_pads(x, (3, 2, 2), (2, 2, 1), (1, 1, 1)), value=-1e9), (3, 2, 2), (2, 2, 1)), batch=2)
    layer("average_pooling3d", (2, 4, 5, 3), [{"type": "average_pooling3d", "pool_size": [2, 3, 1]}],
          lambda x: F.avg_pool3d(x, (2, 3, 1)), batch=2)
    layer("average_pooling3d_padded", (1, 5, 4, 3), [{"type": "average_pooling3d", "pool_size": 3, "strides": 2, "padding": 1}],
          lambda x: average(x, 3, 2, (1, 1, 1, 1, 1, 1)), batch=2)
    layer("global_average_pooling3d", (3, 2, 3, 4), [{"type": "global_average_pooling3d", "keepdims": True}],
          lambda x: x.mean((2, 3, 4), keepdim=True))
    layer("global_max_pooling1d", (3, 5), [{"type": "global_max_pooling1d", "keepdims": True}], lambda x: x.amax(2, keepdim=True))
    for name, sizes, out in [("1d", (11,), (4,)), ("1d_alike", (12,), (4,)), ("1d_more", (5,), (7,)), ("2d", (7, 6), (3, 4)),
                             ("2d_one", (5, 3), (2, 1)), ("2d_alike", (6, 4), (3, 2)), ("3d", (5, 3, 7), (2, 2, 3)),
                             ("3d_alike", (4, 2, 3), (2, 1, 3))]:
        for kind, functions in [("average", (F.adaptive_avg_pool1d, F.adaptive_avg_pool2d, F.adaptive_avg_pool3d)),
                                ("max", (F.adaptive_max_pool1d, F.adaptive_max_pool2d, F.adaptive_max_pool3d))]:
            layer(f"adaptive_{kind}_pooling{name}", (2, *sizes),
                  [{"type": f"adaptive_{kind}_pooling{len(sizes)}d", "output_size": list(out)}],
                  lambda x, f=functions[len(sizes) - 1], out=out: f(x, out), batch=2 if len(sizes) == 1 else 1)


def make():
    cases = Layers()
    for family in (convolutions, transposed, by_channel, pools):
        family(cases.add)
    cases.save("convolution.safetensors")
