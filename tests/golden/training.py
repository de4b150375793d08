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
    text, make = OPTIMIZERS[optimizer_name]
    initial, losses, optimizer = keep(), [], make(model.parameters())
    for at in range(0, samples, batch):
        optimizer.zero_grad()
        value = F.cross_entropy(model(x[at:at + batch]), labels[at:at + batch].long())
        value.backward()
        optimizer.step()
        losses.append(value.item())
    tensors = {"x": x, "labels": labels, "losses": torch.tensor(losses)}
    tensors.update({"initial/" + key: value for key, value in initial.items()})
    tensors.update({"final/" + key: value for key, value in keep().items()})
    metadata = {"model": json.dumps({"input_shape": list(model.shape), "layers": model.layers}),
                "optimizer": json.dumps(text), "batch": str(batch)}
    save("train_%s_%s.safetensors" % (model_type.__name__.lower(), optimizer_name), tensors, metadata)


def make():
    for name in OPTIMIZERS:
        make_training(Mlp, name)
    for name in ("momentum", "adam", "rmsprop"):
        make_training(Cnn, name)
