"""parameter_*.safetensors: ten steps with each regularizer and each constraint. The penalty is written out, after Keras's formulas on
Keras's kernels (inputs, units), and the projection is applied after each step."""
import json

import torch
import torch.nn.functional as F

from common import save, single
from training import Formula, lamb

EPSILON = 1e-7


def keras(w):
    """A weight in Keras's layout: the window, inputs, units."""
    return w.permute(*range(2, w.dim()), 1, 0) if w.dim() > 1 else w


def pytorch(w):
    return w.permute(w.dim() - 1, w.dim() - 2, *range(w.dim() - 2)) if w.dim() > 1 else w


def orthogonal(w, factor, mode):
    w = keras(w)
    axis = 1 if mode == "rows" else 0
    w = w / w.square().sum(axis, keepdim=True).sqrt().clamp(min=1e-12)
    product = w @ w.T if mode == "rows" else w.T @ w
    size = product.shape[0]
    return factor * 0.5 * (product * (1 - torch.eye(size))).abs().sum() / (size * (size - 1) / 2)


def norms(w, axes, low, high, rate=1.0):
    w = keras(w)
    norm = w.square().sum(axes, keepdim=True).sqrt()
    return pytorch(w * ((rate * norm.clamp(low, high) + (1 - rate) * norm) / (EPSILON + norm)))


def l1_l2(w, l1, l2):
    return l1 * w.abs().sum() + l2 * w.square().sum()


# What the JSON of a parameter has, beside the penalty or the projection that it means.
PENALTIES = {
    "l1": ("l1", lambda w: l1_l2(w, 0.01, 0)),
    "l2": ({"type": "l2", "l2": 0.05}, lambda w: l1_l2(w, 0, 0.05)),
    "l1_l2": ("l1_l2", lambda w: l1_l2(w, 0.01, 0.01)),
    "orthogonal": ({"type": "orthogonal", "factor": 0.5}, lambda w: orthogonal(w, 0.5, "rows")),
    "orthogonal_columns": ({"type": "orthogonal_regularizer", "mode": "columns"}, lambda w: orthogonal(w, 0.01, "columns")),
}
PROJECTIONS = {
    "max_norm": ({"type": "max_norm", "max_value": 0.7}, lambda w, axes: norms(w, axes, 0, 0.7)),
    "non_neg": ("non_neg", lambda w, axes: w.clamp(min=0)),
    "unit_norm": ("unit_norm", lambda w, axes: norms(w, axes, 1, 1)),
    "min_max_norm": ({"type": "min_max_norm", "min_value": 0.8, "max_value": 0.9, "rate": 0.5},
                     lambda w, axes: norms(w, axes, 0.8, 0.9, 0.5)),
    "max_norm_axis": ({"type": "max_norm", "max_value": 0.4, "axis": -1}, lambda w, axes: norms(w, (w.dim() - 1,), 0, 0.4)),
}


class Net(torch.nn.Module):
    """A convolution, and two dense layers of which the first one's result is penalized."""
    shape, classes = (2, 5, 5), 3

    def __init__(self):
        super().__init__()
        self.conv, self.fc1, self.fc2 = torch.nn.Conv2d(2, 3, 3), torch.nn.Linear(27, 5), torch.nn.Linear(5, 3)

    def forward(self, x):
        self.activity = torch.tanh(self.fc1(F.relu(self.conv(x)).flatten(1)))
        return self.fc2(self.activity)


def describe(more):
    layers = [{"type": "conv2d", "name": "conv", "filters": 3, "kernel_size": 3, "activation": "relu"}, {"type": "flatten"},
              {"type": "dense", "name": "fc1", "units": 5, "activation": "tanh"}, {"type": "dense", "name": "fc2", "units": 3}]
    for layer in layers:
        layer.update(more.get(layer.get("name"), {}))
    return {"input_shape": list(Net.shape), "layers": layers}


def make_training(name, more, penalty=None, project=None, optimizer=None, batch=6, samples=57):  # the last batch has three
    torch.manual_seed(13)
    model = Net()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(single(parameter))
    x, labels = single(torch.randn(samples, *model.shape)), torch.randint(0, model.classes, (samples,), dtype=torch.int32)
    keep = lambda: {key: value.detach().clone() for key, value in model.state_dict().items()}
    text, make = optimizer or ({"type": "sgd", "learning_rate": 0.1}, lambda p: torch.optim.SGD(p, 0.1))
    initial, losses, steps = keep(), [], make(model.parameters())
    for at in range(0, samples, batch):
        steps.zero_grad()
        value = F.cross_entropy(model(x[at:at + batch]), labels[at:at + batch].long())
        if penalty:
            value = value + penalty(model)
        value.backward()
        steps.step()
        if project:
            with torch.no_grad():
                project(model)
        losses.append(value.item())
    tensors = {"x": x, "labels": labels, "losses": torch.tensor(losses)}
    tensors.update({"initial/" + key: value for key, value in initial.items()})
    tensors.update({"final/" + key: value for key, value in keep().items()})
    save("parameter_%s.safetensors" % name, tensors,
         {"model": json.dumps(describe(more)), "optimizer": json.dumps(text), "batch": str(batch)})


ADAM = ({"type": "adam", "learning_rate": 0.01}, lambda p: torch.optim.Adam(p, 0.01, eps=1e-7))


def make_penalty(name):
    given, penalty = PENALTIES[name]
    dense = {"kernel_regularizer": given}
    if name.startswith("orthogonal"):
        make_training(name, {"fc1": dense, "fc2": dense}, lambda m: penalty(m.fc1.weight) + penalty(m.fc2.weight))
    else:
        every = dict(dense, bias_regularizer=given)
        make_training(name, {"conv": every, "fc1": every, "fc2": every}, lambda m: sum(penalty(p) for p in m.parameters()),
                      optimizer=ADAM)


def make_projection(name):
    given, projection = PROJECTIONS[name]

    def project(model):
        for layer in (model.conv, model.fc1):
            layer.weight.copy_(projection(layer.weight, tuple(range(layer.weight.dim() - 1))))
        if name == "max_norm" or name == "non_neg":
            model.fc1.bias.copy_(projection(model.fc1.bias, (0,)))

    bias = {"bias_constraint": given} if name in ("max_norm", "non_neg") else {}
    make_training(name, {"conv": {"kernel_constraint": given}, "fc1": dict(bias, kernel_constraint=given)}, project=project,
                  optimizer=ADAM if name == "min_max_norm" else None)


def make():
    for name in PENALTIES:
        make_penalty(name)
    for name in PROJECTIONS:
        make_projection(name)
    make_training("activity", {"fc1": {"activity_regularizer": {"type": "l1_l2", "l1": 0.02, "l2": 0.1}}},
                  lambda m: l1_l2(m.activity, 0.02, 0.1) / len(m.activity))
    every = {"kernel_regularizer": PENALTIES["l2"][0]}
    make_training("l2_lamb", {"conv": every, "fc1": every, "fc2": every},
                  lambda m: sum(l1_l2(layer.weight, 0, 0.05) for layer in (m.conv, m.fc1, m.fc2)),
                  optimizer=({"type": "lamb", "learning_rate": 0.01}, lambda p: Formula(p, lamb)))
