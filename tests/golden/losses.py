"""losses.safetensors: losses of outputs, and their gradients."""
import json

import torch
import torch.nn.functional as F

from common import save, single


def make():
    torch.manual_seed(8)
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
