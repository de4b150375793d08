"""train_*.safetensors: ten steps of each optimizer."""
import json

import torch
import torch.nn.functional as F

from common import save, single


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


class Formula(torch.optim.Optimizer):
    """An optimizer of Keras's that PyTorch lacks or defines otherwise: rule(p, g, state, t) gives the new p."""

    def __init__(self, parameters, rule):
        super().__init__(parameters, {"rule": rule})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                state["t"] = state.get("t", 0) + 1
                p.copy_(group["rule"](p, p.grad, state, state["t"]))


def adamax(p, g, s, t, rate=0.01, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
    s["m"] = beta_1 * s.get("m", 0) + (1 - beta_1) * g
    s["u"] = torch.maximum(beta_2 * s.get("u", torch.zeros_like(g)), g.abs())
    return p - rate / (1 - beta_1 ** t) * s["m"] / (s["u"] + epsilon)


def rmsprop_centered(p, g, s, t, rate=0.005, rho=0.9, momentum=0.5, epsilon=1e-7):
    s["v"] = rho * s.get("v", 0) + (1 - rho) * g * g
    s["a"] = rho * s.get("a", 0) + (1 - rho) * g
    s["b"] = momentum * s.get("b", 0) + g / ((s["v"] - s["a"] ** 2).clamp(min=0).sqrt() + epsilon)
    return p - rate * s["b"]


def lion(p, g, s, t, rate=0.002, beta_1=0.9, beta_2=0.99):
    m = s.get("m", torch.zeros_like(g))
    s["m"] = beta_2 * m + (1 - beta_2) * g
    return p - rate * torch.sign(beta_1 * m + (1 - beta_1) * g)


def ftrl(p, g, s, t, rate=0.1, power=-0.6, l1=0.001, l2=0.01, shrinkage=0.02, beta=0.1):
    n, z = s.get("n", torch.full_like(g, 0.2)), s.get("z", torch.zeros_like(g))
    s["n"] = n + g * g
    s["z"] = z + g + 2 * shrinkage * p - (s["n"] ** -power - n ** -power) / rate * p
    return (s["z"].clamp(-l1, l1) - s["z"]) / (s["n"] ** -power / rate + 2 * (l2 + beta / (2 * rate)))


def lamb(p, g, s, t, rate=0.01, beta_1=0.9, beta_2=0.999, epsilon=1e-7, decay=0.0):
    g = g + decay * p
    s["m"] = beta_1 * s.get("m", 0) + (1 - beta_1) * g
    s["v"] = beta_2 * s.get("v", 0) + (1 - beta_2) * g * g
    direction = s["m"] / (1 - beta_1 ** t) / ((s["v"] / (1 - beta_2 ** t)).sqrt() + epsilon)
    return p - rate * (p.norm() / direction.norm() if p.norm() > 0 and direction.norm() > 0 else 1) * direction


def adafactor(p, g, s, t, rate=0.1, decay=-0.8, epsilon_1=1e-30, epsilon_2=1e-3, threshold=1.0):
    beta, square = 1 - t ** decay, g * g + epsilon_1
    if p.dim() >= 2:  # Keras's last two axes, inputs and outputs, are PyTorch's first two, the other way round
        s["r"] = beta * s.get("r", 0) + (1 - beta) * square.mean(1, keepdim=True)
        s["c"] = beta * s.get("c", 0) + (1 - beta) * square.mean(0, keepdim=True)
        v = s["r"] / s["r"].mean(0, keepdim=True) * s["c"]
    else:
        v = s["v"] = beta * s.get("v", 0) + (1 - beta) * square
    u = g / v.sqrt()
    alpha = max(epsilon_2, (p * p).mean().sqrt()) * min(rate, t ** -0.5)
    return p - alpha * u / max(1, (u * u).mean().sqrt() / threshold)


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
    "adamw": ({"type": "adamw", "learning_rate": 0.01, "weight_decay": 0.2},
              lambda p: torch.optim.AdamW(p, 0.01, eps=1e-7, weight_decay=0.2)),
    "adamw_amsgrad": ({"type": "adamw", "learning_rate": 0.01, "beta_2": 0.6, "amsgrad": True},
                      lambda p: torch.optim.AdamW(p, 0.01, (0.9, 0.6), eps=1e-7, weight_decay=0.004, amsgrad=True)),
    "amsgrad": ({"type": "amsgrad", "learning_rate": 0.01, "beta_2": 0.5, "weight_decay": 0.1},
                lambda p: torch.optim.Adam(p, 0.01, (0.9, 0.5), eps=1e-7, weight_decay=0.1, amsgrad=True)),
    "nadam": ({"type": "nadam", "learning_rate": 0.01, "weight_decay": 0.1},
              lambda p: torch.optim.NAdam(p, 0.01, eps=1e-7, weight_decay=0.1)),
    "adamax": ({"type": "adamax", "learning_rate": 0.01}, lambda p: Formula(p, adamax)),
    "rmsprop_centered": ({"type": "rmsprop", "learning_rate": 0.01, "centered": True},
                         lambda p: torch.optim.RMSprop(p, 0.01, 0.9, eps=1e-7, centered=True)),
    "rmsprop_centered_momentum": ({"type": "rmsprop", "learning_rate": 0.005, "centered": True, "momentum": 0.5},
                                  lambda p: Formula(p, rmsprop_centered)),
    "adadelta": ({"type": "adadelta", "learning_rate": 1, "rho": 0.9, "epsilon": 1e-4},
                 lambda p: torch.optim.Adadelta(p, 1, 0.9, eps=1e-4)),
    "lamb": ({"type": "lamb", "learning_rate": 0.01}, lambda p: Formula(p, lamb)),
    "lamb_decay": ({"type": "lamb", "learning_rate": 0.01, "weight_decay": 0.1},
                   lambda p: Formula(p, lambda *a: lamb(*a, decay=0.1))),
    "adafactor": ({"type": "adafactor", "learning_rate": 0.1}, lambda p: Formula(p, adafactor)),
    "adafactor_clipped": ({"type": "adafactor", "learning_rate": 0.5, "clip_threshold": 0.5, "beta_2_decay": -0.6,
                           "epsilon_2": 0.2},
                          lambda p: Formula(p, lambda *a: adafactor(*a, rate=0.5, threshold=0.5, decay=-0.6, epsilon_2=0.2))),
    "lion": ({"type": "lion", "learning_rate": 0.002}, lambda p: Formula(p, lion)),
    "ftrl": ({"type": "ftrl", "learning_rate": 0.1, "learning_rate_power": -0.6, "initial_accumulator_value": 0.2,
              "l1_regularization_strength": 0.001, "l2_regularization_strength": 0.01,
              "l2_shrinkage_regularization_strength": 0.02, "beta": 0.1}, lambda p: Formula(p, ftrl)),
}


# Optimizers as above, and what changes their rate after each step.
SCHEDULED = {
    "cosine": ({"type": "sgd", "momentum": 0.9, "learning_rate": {"type": "cosine_decay", "initial_learning_rate": 0.1,
                                                                  "decay_steps": 9, "alpha": 0.1}},
               lambda p: torch.optim.SGD(p, 0.1, momentum=0.9),
               lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 9, 0.01)),
    "one_cycle": ({"type": "adam", "learning_rate": {"type": "one_cycle", "max_learning_rate": 0.02, "total_steps": 10}},
                  lambda p: torch.optim.Adam(p, 0.02, eps=1e-7),
                  lambda o: torch.optim.lr_scheduler.OneCycleLR(o, 0.02, 10, cycle_momentum=False)),
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
    text, make, *schedule = {**OPTIMIZERS, **SCHEDULED}[optimizer_name]
    initial, losses, optimizer = keep(), [], make(model.parameters())
    schedule = schedule[0](optimizer) if schedule else None
    for at in range(0, samples, batch):
        optimizer.zero_grad()
        value = F.cross_entropy(model(x[at:at + batch]), labels[at:at + batch].long())
        value.backward()
        optimizer.step()
        if schedule and at + batch < samples:
            schedule.step()
        losses.append(value.item())
    tensors = {"x": x, "labels": labels, "losses": torch.tensor(losses)}
    tensors.update({"initial/" + key: value for key, value in initial.items()})
    tensors.update({"final/" + key: value for key, value in keep().items()})
    metadata = {"model": json.dumps({"input_shape": list(model.shape), "layers": model.layers}),
                "optimizer": json.dumps(text), "batch": str(batch)}
    save("train_%s_%s.safetensors" % (model_type.__name__.lower(), optimizer_name), tensors, metadata)


def make():
    for name in [*OPTIMIZERS, *SCHEDULED]:
        make_training(Mlp, name)
    for name in ("momentum", "adam", "rmsprop", "adafactor"):
        make_training(Cnn, name)
