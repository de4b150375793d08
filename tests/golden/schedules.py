"""schedules.safetensors: the learning rates of forty updates, of PyTorch's schedulers, or by Keras's formula where it has no equal."""
import json
import math

import torch
from torch.optim import lr_scheduler as torch_schedules

from common import save

STEPS = 40


def rates(make, base=1.0):
    """Those of a scheduler of PyTorch's."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], base)
    scheduler, out = make(optimizer), []
    for _ in range(STEPS):
        out.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if scheduler.last_epoch + 1 < STEPS:
            scheduler.step()
    return out


def formula(function):
    return [function(t) for t in range(STEPS)]


def warm(o, schedule, steps, start):
    rise = torch_schedules.LinearLR(o, start, 1.0, steps)
    return torch_schedules.SequentialLR(o, [rise, schedule], [steps])


def cosine_restarts(t, initial, first, t_mul, m_mul, alpha):
    """Keras's CosineDecayRestarts."""
    done = t / first
    i = math.floor(math.log(1 - done * (1 - t_mul)) / math.log(t_mul) + 1e-12)
    done = (done - (1 - t_mul ** i) / (1 - t_mul)) / t_mul ** i
    return initial * ((1 - alpha) * 0.5 * m_mul ** i * (1 + math.cos(math.pi * done)) + alpha)


def polynomial_cycle(t, initial, steps, end, power):
    steps *= math.ceil(t / steps) if t else 1
    return (initial - end) * (1 - t / steps) ** power + end


def keras_cosine(t, initial, steps, alpha, target, warmup):
    if t < warmup:
        return initial + (target - initial) * t / warmup
    return target * ((1 - alpha) * 0.5 * (1 + math.cos(math.pi * min(t - warmup, steps) / steps)) + alpha)


def make():
    s, tensors, cases = torch_schedules, {}, {}

    def add(name, schedule, values):
        cases[name], tensors[name] = schedule, torch.tensor(values)

    add("constant", {"type": "constant", "initial_learning_rate": 0.25}, [0.25] * STEPS)
    add("constant_warm", {"type": "constant", "initial_learning_rate": 0.5, "warmup_steps": 7, "warmup_from": 0.125},
        rates(lambda o: s.LinearLR(o, 0.25, 1.0, 7), 0.5))
    add("piecewise", {"type": "piecewise_constant_decay", "boundaries": [4, 9, 30], "values": [0.5, 0.25, 2, 0.0625]},
        formula(lambda t: 0.5 if t <= 4 else 0.25 if t <= 9 else 2 if t <= 30 else 0.0625))
    add("step", {"type": "step_decay", "initial_learning_rate": 0.5, "step_size": 7, "gamma": 0.5},
        rates(lambda o: s.StepLR(o, 7, 0.5), 0.5))
    add("exponential", {"type": "exponential_decay", "initial_learning_rate": 0.5, "decay_steps": 1, "decay_rate": 0.9},
        rates(lambda o: s.ExponentialLR(o, 0.9), 0.5))
    add("exponential_slow", {"type": "exponential_decay", "initial_learning_rate": 0.5, "decay_steps": 6, "decay_rate": 0.75},
        formula(lambda t: 0.5 * 0.75 ** (t / 6)))
    add("exponential_stairs", {"type": "exponential_decay", "initial_learning_rate": 0.5, "decay_steps": 6, "decay_rate": 0.75,
                               "staircase": True}, formula(lambda t: 0.5 * 0.75 ** (t // 6)))
    add("inverse_time", {"type": "inverse_time_decay", "initial_learning_rate": 0.5, "decay_steps": 3, "decay_rate": 0.5},
        rates(lambda o: s.LambdaLR(o, lambda t: 1 / (1 + 0.5 * t / 3)), 0.5))
    add("inverse_time_stairs", {"type": "inverse_time_decay", "initial_learning_rate": 0.5, "decay_steps": 3, "decay_rate": 0.5,
                                "staircase": True}, formula(lambda t: 0.5 / (1 + 0.5 * (t // 3))))
    add("polynomial", {"type": "polynomial_decay", "initial_learning_rate": 0.5, "decay_steps": 25, "end_learning_rate": 0,
                       "power": 2}, rates(lambda o: s.PolynomialLR(o, 25, 2), 0.5))
    add("polynomial_end", {"type": "polynomial_decay", "initial_learning_rate": 0.5, "decay_steps": 25},
        formula(lambda t: (0.5 - 1e-4) * (1 - min(t, 25) / 25) + 1e-4))
    add("polynomial_cycle", {"type": "polynomial_decay", "initial_learning_rate": 0.5, "decay_steps": 9, "end_learning_rate": 0.0625,
                             "power": 1.5, "cycle": True}, formula(lambda t: polynomial_cycle(t, 0.5, 9, 0.0625, 1.5)))
    add("cosine", {"type": "cosine_decay", "initial_learning_rate": 0.5, "decay_steps": 39, "alpha": 0.25},
        rates(lambda o: s.CosineAnnealingLR(o, 39, 0.125), 0.5))
    add("cosine_warm", {"type": "cosine_decay", "initial_learning_rate": 0.5, "decay_steps": 32, "warmup_steps": 8,
                        "warmup_from": 0.0625}, rates(lambda o: warm(o, s.CosineAnnealingLR(o, 32, 0), 8, 0.125), 0.5))
    add("cosine_target", {"type": "cosine_decay", "initial_learning_rate": 0.125, "decay_steps": 20, "alpha": 0.25,
                          "warmup_target": 0.75, "warmup_steps": 6}, formula(lambda t: keras_cosine(t, 0.125, 20, 0.25, 0.75, 6)))
    add("restarts", {"type": "cosine_decay_restarts", "initial_learning_rate": 0.5, "first_decay_steps": 5, "alpha": 0.125},
        rates(lambda o: s.CosineAnnealingWarmRestarts(o, 5, 2, 0.0625), 0.5))
    add("restarts_even", {"type": "cosine_decay_restarts", "initial_learning_rate": 0.5, "first_decay_steps": 7, "t_mul": 1},
        rates(lambda o: s.CosineAnnealingWarmRestarts(o, 7, 1, 0), 0.5))
    add("restarts_falling", {"type": "cosine_decay_restarts", "initial_learning_rate": 0.5, "first_decay_steps": 4, "t_mul": 1.5,
                             "m_mul": 0.75, "alpha": 0.0625},
        formula(lambda t: cosine_restarts(t, 0.5, 4, 1.5, 0.75, 0.0625)))
    add("one_cycle", {"type": "one_cycle", "max_learning_rate": 0.5, "total_steps": 40},
        rates(lambda o: s.OneCycleLR(o, 0.5, 40)))
    add("one_cycle_odd", {"type": "one_cycle", "max_learning_rate": 0.5, "total_steps": 40, "pct_start": 0.15, "div_factor": 4,
                          "final_div_factor": 8}, rates(lambda o: s.OneCycleLR(o, 0.5, 40, pct_start=0.15, div_factor=4,
                                                                              final_div_factor=8)))
    save("schedules.safetensors", tensors, {"cases": json.dumps(cases)})
