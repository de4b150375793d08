"""layers.safetensors: layers whose families have no file of their own."""
import torch
import torch.nn.functional as F

from common import Layers, same_pads


def batch_norm(x, gamma, beta, mean, var, training):
    mean_after, var_after = mean.detach().clone(), var.detach().clone()
    y = F.batch_norm(x, mean_after, var_after, gamma, beta, training, 1 - 0.9, 1e-3)
    return y, {"bn.running_mean": mean_after, "bn.running_var": var_after}


def make():
    cases = Layers()
    layer = cases.add
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
    cases.save("layers.safetensors")
