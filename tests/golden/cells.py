"""cells.safetensors: layers of several cells, by PyTorch's modules, and of the user's own, written out step by step."""
import torch
import torch.nn.functional as F
from torch.func import functional_call

from common import Layers
from recurrent import IN, T, UNITS, gru_cell, lstm_cell, steps, weights


def deep_weights(gates, cells, bias=True):
    out = []
    for k in range(cells):
        sizes = [("weight_ih", (gates * UNITS, UNITS if k else IN)), ("weight_hh", (gates * UNITS, UNITS))]
        sizes += [("bias_ih", (gates * UNITS,)), ("bias_hh", (gates * UNITS,))] if bias else []
        out += [(f"r.{name}_l{k}", size) for name, size in sizes]
    return out


def deep(make, cells, bias=True, take=lambda y, state: y[:, -1]):
    net = make(IN, UNITS, num_layers=cells, batch_first=True, bias=bias)
    names = [name for name, _ in net.named_parameters()]
    return lambda x, *values: take(*functional_call(net, dict(zip(names, values)), (x,)))


def zeros(n, count=1, size=UNITS):
    return [torch.zeros(n, size)] * count


def add_named(cases):
    nets = {"simple_rnn": (torch.nn.RNN, 1), "lstm": (torch.nn.LSTM, 4), "gru": (torch.nn.GRU, 3)}
    for kind, (net, gates) in nets.items():
        cell = {"type": kind + "_cell", "units": UNITS}
        row = {"type": "rnn", "name": "r"}
        cases.add("rnn_" + kind, (T, IN), [dict(row, cell=cell)], deep(net, 1), weights(gates))
        cases.add("rnn_two_" + kind, (T, IN), [dict(row, cell=[cell, cell], return_sequences=True)],
                  deep(net, 2, take=lambda y, state: y), deep_weights(gates, 2))
    lstm = {"type": "lstm_cell", "units": UNITS, "use_bias": False}
    three = {"type": "rnn", "name": "r", "cell": {"type": "stacked_rnn_cells", "cells": [lstm] * 3}, "return_state": True}
    total = {"type": "add", "inputs": ["r:1", "r:2", "r:3", "r:4", "r:5", "r:6"]}
    cases.add("rnn_three_states", (T, IN), [three, total],
              deep(torch.nn.LSTM, 3, False, lambda y, state: state[0].sum(0) + state[1].sum(0)), deep_weights(4, 3, False))


def add_mixed(cases):
    """Cells of two kinds, with states to begin with, backwards, and over padding."""
    cells = [{"type": "gru_cell", "units": UNITS}, {"type": "lstm_cell", "units": UNITS}]
    first = [{"type": "flatten", "name": "flat"}] + [{"type": "dense", "name": name, "units": UNITS, "inputs": ["flat"]}
                                                     for name in "abc"]
    row = {"type": "rnn", "name": "r", "cell": cells, "go_backwards": True, "return_sequences": True,
           "inputs": ["input", "a", "b", "c"]}
    dense = [(f"{name}.{of}", size) for name in "abc" for of, size in (("weight", (UNITS, T * IN)), ("bias", (UNITS,)))]
    own = deep_weights(3, 1) + [(f"r.{name}_l1", size) for name, size in (("weight_ih", (4 * UNITS, UNITS)), ("weight_hh", (4 * UNITS, UNITS)),
                                                                         ("bias_ih", (4 * UNITS,)), ("bias_hh", (4 * UNITS,)))]

    def both(a, states, w):
        lower = gru_cell(a, states[:1], *w[:4])
        return [*lower, *lstm_cell(lower[0], states[1:], *w[4:])]

    def from_states(x, *w):
        flat = x.flatten(1)
        states, out = [F.linear(flat, w[i], w[i + 1]) for i in (0, 2, 4)], []
        for t in reversed(range(T)):
            states = both(x[:, t], states, w[6:])
            out.append(states[1])
        return torch.stack(out, 1)
    cases.add("rnn_mixed", (T, IN), first + [row], from_states, dense + own)
    real = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [0, 0, 1, 0, 0], [0, 1, 0, 1, 0], [0, 0, 0, 0, 0]], dtype=torch.bool)
    plain = dict(row, go_backwards=False, return_sequences=False)
    del plain["inputs"]

    def last(x, *w):
        states = zeros(5, 3)
        for t in range(T):
            new = both(x[:, t], states, w)
            states = [torch.where(real[:, t, None], n, s) for n, s in zip(new, states)]
        return states[1]
    cases.add("rnn_mixed_masked", (T, IN), [{"type": "masking"}, plain], last, own, batch=5, real=real)
    return real


# A cell with a gate and a memory, whose result is neither of its states.
OWN = {"states": [{"name": "h", "shape": [UNITS], "next": "new_h"}, {"name": "m", "shape": [2], "next": "new_m"}],
       "layers": [{"type": "dense", "name": "in", "units": UNITS, "inputs": ["x"]},
                  {"type": "dense", "name": "rec", "units": UNITS, "use_bias": False, "inputs": ["h"]},
                  {"type": "add", "name": "sum", "inputs": ["in", "rec"]},
                  {"type": "tanh", "name": "new_h"},
                  {"type": "dense", "name": "gate", "units": 2, "activation": "sigmoid", "inputs": ["new_h"]},
                  {"type": "multiply", "name": "kept", "inputs": ["gate", "m"]},
                  {"type": "add", "name": "new_m", "inputs": ["kept", "gate"]},
                  {"type": "concatenate", "name": "out", "inputs": ["new_h", "new_m"]}]}


def own_weights(prefix, features=IN, suffix=""):
    sizes = [("in.weight", (UNITS, features)), ("in.bias", (UNITS,)), ("rec.weight", (UNITS, UNITS)), ("gate.weight", (2, UNITS)),
             ("gate.bias", (2,))]
    return [(prefix + name + suffix, size) for name, size in sizes]


def own_cell(x, states, w, b, u, g, c):
    h = torch.tanh(F.linear(x, w, b) + F.linear(states[0], u))
    gate = torch.sigmoid(F.linear(h, g, c))
    return torch.cat((h, gate * states[1] + gate), 1), [h, gate * states[1] + gate]


def own_steps(x, states, cell, real=None, backwards=False):
    out, y = [], None
    for t in reversed(range(x.shape[1])) if backwards else range(x.shape[1]):
        result, new = cell(x[:, t], states)
        if real is not None:
            keep = real[:, t, None]
            result = torch.where(keep, result, torch.zeros_like(result) if y is None else y)
            new = [torch.where(keep, n, s) for n, s in zip(new, states)]
        y, states = result, new
        out.append(y)
    return torch.stack(out, 1), states


def add_own(cases, real):
    row = {"type": "rnn", "name": "r", "cell": OWN}

    def begin(x):
        return [torch.zeros(len(x), UNITS), torch.zeros(len(x), 2)]

    def of(x, *w, **more):
        return own_steps(x, begin(x), lambda a, s: own_cell(a, s, *w), **more)
    cases.add("rnn_own", (T, IN), [row], lambda x, *w: of(x, *w)[0][:, -1], own_weights("r."))
    cases.add("rnn_own_sequences", (T, IN), [dict(row, return_sequences=True)], lambda x, *w: of(x, *w)[0], own_weights("r."))
    cases.add("rnn_own_states", (T, IN), [dict(row, return_state=True), {"type": "concatenate", "inputs": ["r:2", "r", "r:1"]}],
              lambda x, *w: torch.cat(((y := of(x, *w))[1][1], y[0][:, -1], y[1][0]), 1), own_weights("r."))
    cases.add("rnn_own_masked", (T, IN), [{"type": "masking"}, dict(row, return_sequences=True)],
              lambda x, *w: of(x, *w, real=real)[0], own_weights("r."), batch=5, real=real)
    both = {"type": "bidirectional", "name": "r", "layer": {"type": "rnn", "cell": OWN, "return_sequences": True}}
    cases.add("rnn_own_both_ways", (T, IN), [both],
              lambda x, *w: torch.cat((of(x, *w[:5])[0], of(x, *w[5:], backwards=True)[0].flip(1)), 2),
              own_weights("r.") + own_weights("r.", suffix="_reverse"))
    stacked = dict(row, cell=[{"type": "gru_cell", "units": UNITS}, OWN])

    def upon_gru(x, *w):
        return of(steps(x, zeros(len(x)), lambda a, s: gru_cell(a, s, *w[:4])), *w[4:])[0][:, -1]
    cases.add("rnn_own_upon_gru", (T, IN), [stacked], upon_gru, weights(3) + own_weights("r.l1.", UNITS))
    # Used again: with the same variables, on what the first use made.
    square = dict(row, return_sequences=True, cell=dict(OWN, output="new_h"))
    wide = {"type": "dense", "name": "d", "units": UNITS}

    def twice(x, dw, db, *w):
        def run(x):
            return own_steps(x, begin(x), lambda a, s: (lambda y: (y[1][0], y[1]))(own_cell(a, s, *w)))[0]
        return run(run(F.linear(x, dw, db)))
    cases.add("rnn_own_again", (T, IN), [wide, square, {"layer": "r"}], twice,
              [("d.weight", (UNITS, IN)), ("d.bias", (UNITS,))] + own_weights("r.", UNITS))
    # A step that attends to all steps of the input, which stands outside.
    attending = {"states": [{"name": "h", "shape": [IN], "next": "new"}],
                 "layers": [{"type": "reshape", "name": "query", "target_shape": [1, IN], "inputs": ["h"]},
                            {"type": "attention", "name": "seen", "inputs": ["query", "input"]},
                            {"type": "flatten", "name": "flat"},
                            {"type": "add", "name": "sum", "inputs": ["flat", "x"]},
                            {"type": "dense", "name": "new", "units": IN, "activation": "tanh"}]}

    def looking(x, w, b):
        h = torch.zeros(len(x), IN)
        for t in range(T):
            seen = (torch.softmax(h[:, None] @ x.transpose(1, 2), -1) @ x)[:, 0]
            h = torch.tanh(F.linear(seen + x[:, t], w, b))
        return h
    cases.add("rnn_own_attending", (T, IN), [dict(row, cell=attending)], looking, [("r.new.weight", (IN, IN)), ("r.new.bias", (IN,))])
    # The same with products of its own, which is a layer of several heads in each step.
    heads = {"states": attending["states"],
             "layers": [attending["layers"][0], {"type": "multi_head_attention", "name": "m", "num_heads": 2, "key_dim": 2,
                                                 "use_bias": False, "inputs": ["query", "input"]}, *attending["layers"][2:]]}

    def with_heads(x, weight, out, w, b):
        wq, wk, wv = weight.chunk(3)
        k, v = (F.linear(x, y).unflatten(2, (2, 2)).transpose(1, 2) for y in (wk, wv))
        h = torch.zeros(len(x), IN)
        for t in range(T):
            q = F.linear(h, wq).unflatten(1, (2, 1, 2))
            seen = torch.softmax(q @ k.transpose(2, 3) / 2 ** 0.5, -1) @ v
            h = torch.tanh(F.linear(F.linear(seen.flatten(1), out) + x[:, t], w, b))
        return h
    cases.add("rnn_own_heads", (T, IN), [dict(row, cell=heads)], with_heads,
              [("r.m.in_proj_weight", (12, IN)), ("r.m.out_proj.weight", (IN, 4)), ("r.new.weight", (IN, IN)), ("r.new.bias", (IN,))])


def make():
    cases = Layers()
    add_named(cases)
    add_own(cases, add_mixed(cases))
    cases.save("cells.safetensors")
