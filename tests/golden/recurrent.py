"""recurrent.safetensors: recurrent layers, by PyTorch's modules; what these do not have is written out step by step."""
import torch
from torch.func import functional_call

from common import Layers

T, IN, UNITS = 5, 3, 4


def weights(gates, bias=True, suffixes=("",)):
    sizes = [("weight_ih_l0", (gates * UNITS, IN)), ("weight_hh_l0", (gates * UNITS, UNITS))]
    sizes += [("bias_ih_l0", (gates * UNITS,)), ("bias_hh_l0", (gates * UNITS,))] if bias else []
    return [("r." + name + suffix, size) for suffix in suffixes for name, size in sizes]


def module(make, bias=True, take=lambda y, state: y, both=False, **keys):
    """A function of x and the weights, in the order in which PyTorch lists them."""
    net = make(IN, UNITS, batch_first=True, bias=bias, bidirectional=both, **keys)
    names = [name for name, _ in net.named_parameters()]

    def of(x, *values):
        return take(*functional_call(net, dict(zip(names, values)), (x,)))
    return of


def steps(x, states, cell, backwards=False, sequences=True):
    """The cell step by step: cell(x of a step, states) -> the next states."""
    out = []
    for t in reversed(range(x.shape[1])) if backwards else range(x.shape[1]):
        states = cell(x[:, t], states)
        out.append(states[0])
    return torch.stack(out, 1) if sequences else out[-1]


def masked(x, real, states, cell, backwards=False, sequences=True):
    """The same, where padded steps leave the states as they are."""
    t = iter(reversed(range(x.shape[1])) if backwards else range(x.shape[1]))

    def held(a, before):
        keep = real[:, next(t)].unsqueeze(1)
        return [torch.where(keep, new, old) for new, old in zip(cell(a, before), before)]
    return steps(x, states, held, backwards, sequences)


def gru_cell(x, states, w, u, b, c):
    (ar, az, an), (hr, hz, hn) = (x @ w.T + b).chunk(3, 1), (states[0] @ u.T + c).chunk(3, 1)
    z, n = torch.sigmoid(az + hz), torch.tanh(an + torch.sigmoid(ar + hr) * hn)
    return [(1 - z) * n + z * states[0]]


def gru_before(x, states, w, u, b, c):
    a, h, n = x @ w.T + b, states[0], UNITS
    r = torch.sigmoid(a[:, :n] + h @ u[:n].T + c[:n])
    z = torch.sigmoid(a[:, n:2 * n] + h @ u[n:2 * n].T + c[n:2 * n])
    new = torch.tanh(a[:, 2 * n:] + (r * h) @ u[2 * n:].T + c[2 * n:])
    return [(1 - z) * new + z * h]


def lstm_cell(x, states, w, u, b, c, activation=torch.tanh, gate=torch.sigmoid):
    i, f, g, o = (x @ w.T + b + states[0] @ u.T + c).chunk(4, 1)
    cell = gate(f) * states[1] + gate(i) * activation(g)
    return [gate(o) * activation(cell), cell]


def make():
    cases = Layers()
    nets = {"simple_rnn": (torch.nn.RNN, 1), "lstm": (torch.nn.LSTM, 4), "gru": (torch.nn.GRU, 3)}
    for kind, (net, gates) in nets.items():
        row = {"type": kind, "name": "r", "units": UNITS}
        cases.add(kind, (T, IN), [row], module(net, take=lambda y, state: y[:, -1]), weights(gates))
        cases.add(kind + "_sequences", (T, IN), [dict(row, return_sequences=True)], module(net), weights(gates))
        cases.add(kind + "_no_bias", (T, IN), [dict(row, use_bias=False)], module(net, False, lambda y, state: y[:, -1]),
                  weights(gates, False))
        cases.add(kind + "_backwards", (T, IN), [dict(row, go_backwards=True, return_sequences=True)],
                  lambda x, *w, of=module(net): of(x.flip(1), *w), weights(gates))
        cases.add(kind + "_one_step", (1, IN), [dict(row, return_sequences=True)], module(net), weights(gates))
        both = {"type": "bidirectional", "name": "r", "layer": {"type": kind, "units": UNITS, "return_sequences": True}}
        cases.add(kind + "_bidirectional", (T, IN), [both], module(net, both=True), weights(gates, suffixes=("", "_reverse")))
        last = {"type": "bidirectional", "name": "r", "layer": {"type": kind, "units": UNITS}, "merge_mode": "sum"}
        cases.add(kind + "_bidirectional_sum", (T, IN), [last],
                  module(net, both=True, take=lambda y, state: y[:, -1, :UNITS] + y[:, 0, UNITS:]),
                  weights(gates, suffixes=("", "_reverse")))
        cases.add(kind + "_long", (67, IN), [dict(row, return_sequences=True)], module(net), weights(gates), batch=2)
    cases.add("simple_rnn_relu", (T, IN), [{"type": "simple_rnn", "name": "r", "units": UNITS, "activation": "relu"}],
              module(torch.nn.RNN, nonlinearity="relu", take=lambda y, state: y[:, -1]), weights(1))
    cases.add("gru_before", (T, IN), [{"type": "gru", "name": "r", "units": UNITS, "reset_after": False, "return_sequences": True}],
              lambda x, *w: steps(x, [torch.zeros(len(x), UNITS)], lambda a, s: gru_before(a, s, *w)), weights(3))
    other = {"type": "lstm", "name": "r", "units": UNITS, "activation": "softplus", "recurrent_activation": "hard_sigmoid"}
    hard = lambda x: torch.clamp(x / 6 + 0.5, 0, 1)
    cases.add("lstm_activations", (T, IN), [other],
              lambda x, *w: steps(x, [torch.zeros(len(x), UNITS)] * 2,
                                  lambda a, s: lstm_cell(a, s, *w, torch.nn.functional.softplus, hard), sequences=False), weights(4))
    first = [{"type": "flatten", "name": "flat"}, {"type": "dense", "name": "h", "units": UNITS, "inputs": ["flat"]},
             {"type": "dense", "name": "c", "units": UNITS, "inputs": ["flat"]}]
    begun = first + [{"type": "lstm", "name": "r", "units": UNITS, "return_state": True, "inputs": ["input", "h", "c"]},
                     {"type": "multiply", "inputs": ["r:1", "r:2"]}]
    dense = [("h.weight", (UNITS, T * IN)), ("h.bias", (UNITS,)), ("c.weight", (UNITS, T * IN)), ("c.bias", (UNITS,))]

    def from_states(x, hw, hb, cw, cb, *w):
        states = [torch.nn.functional.linear(x.flatten(1), hw, hb), torch.nn.functional.linear(x.flatten(1), cw, cb)]
        for t in range(T):
            states = lstm_cell(x[:, t], states, *w)
        return states[0] * states[1]
    cases.add("lstm_states", (T, IN), begun, from_states, dense + weights(4))
    stacked = [{"type": "lstm", "name": "r", "units": UNITS, "return_sequences": True},
               {"type": "gru", "name": "s", "units": UNITS}, {"type": "dense", "name": "d", "units": 2}]
    lower = module(torch.nn.LSTM)
    upper = torch.nn.GRU(UNITS, UNITS, batch_first=True)
    names = [name for name, _ in upper.named_parameters()]

    def deep(x, *w):
        y = functional_call(upper, dict(zip(names, w[4:8])), (lower(x, *w[:4]),))[0][:, -1]
        return torch.nn.functional.linear(y, w[8], w[9])
    more = [("s.weight_ih_l0", (12, 4)), ("s.weight_hh_l0", (12, 4)), ("s.bias_ih_l0", (12,)), ("s.bias_hh_l0", (12,)),
            ("d.weight", (2, 4)), ("d.bias", (2,))]
    cases.add("stacked", (T, IN), stacked, deep, weights(4) + more)
    films = {"type": "time_distributed", "name": "t", "layer": {"type": "conv2d", "filters": 4, "kernel_size": 3, "activation": "tanh"}}
    pooled = {"type": "time_distributed", "name": "p", "layer": {"type": "global_average_pooling"}}

    def film(x, w, b, *others):
        y = torch.tanh(torch.nn.functional.conv2d(x.flatten(0, 1), w, b)).mean((2, 3)).unflatten(0, (-1, T))
        return steps(y, [torch.zeros(len(x), UNITS)], lambda a, s: gru_cell(a, s, *others), sequences=False)
    cases.add("time_distributed", (T, 2, 6, 7), [films, pooled, {"type": "gru", "name": "r", "units": UNITS}], film,
              [("t.weight", (4, 2, 3, 3)), ("t.bias", (4,)), ("r.weight_ih_l0", (12, 4))] + weights(3)[1:])
    cases.add("time_distributed_flatten", (T, 2, 3), [{"type": "time_distributed", "layer": {"type": "flatten"}},
                                                      {"type": "gru", "name": "r", "units": UNITS}],
              lambda x, *w: steps(x.flatten(2), [torch.zeros(len(x), UNITS)], lambda a, s: gru_cell(a, s, *w), sequences=False),
              [("r.weight_ih_l0", (12, 6))] + weights(3)[1:])
    real = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [0, 0, 1, 0, 0], [0, 1, 0, 1, 0], [0, 0, 0, 0, 0]], dtype=torch.bool)
    masking = {"type": "masking"}
    for kind, cell, gates, states in (("lstm", lstm_cell, 4, 2), ("gru", gru_cell, 3, 1)):
        for sequences in (False, True):
            row = {"type": kind, "name": "r", "units": UNITS, "return_sequences": sequences}
            cases.add(kind + "_masked" + "_sequences" * sequences, (T, IN), [masking, row],
                      lambda x, *w, cell=cell, states=states, sequences=sequences:
                          masked(x, real, [torch.zeros(5, UNITS)] * states, lambda a, s: cell(a, s, *w), sequences=sequences),
                      weights(gates), batch=5, real=real)
    both = {"type": "bidirectional", "name": "r", "layer": {"type": "gru", "units": UNITS}}
    upper = [masking, {"type": "dense", "name": "d", "units": IN, "activation": "tanh"}, {"type": "dropout", "rate": 0.5}, both]

    def both_ways(x, w, b, *others):
        y, first = torch.tanh(torch.nn.functional.linear(x, w, b)), [torch.zeros(5, UNITS)]
        return torch.cat([masked(y, real, first, lambda a, s: gru_cell(a, s, *others[:4]), sequences=False),
                          masked(y, real, first, lambda a, s: gru_cell(a, s, *others[4:]), True, False)], 1)
    cases.add("bidirectional_masked", (T, IN), upper, both_ways,
              [("d.weight", (IN, IN)), ("d.bias", (IN,))] + weights(3, suffixes=("", "_reverse")), batch=5, real=real)
    ids = {"type": "embedding", "name": "e", "input_dim": 7, "output_dim": IN, "mask_zero": True}
    cases.add("embedding_masked", (T,), [ids, {"type": "lstm", "name": "r", "units": UNITS}],
              lambda x, e, *w: masked(e[x], x != 0, [torch.zeros(5, UNITS)] * 2, lambda a, s: lstm_cell(a, s, *w), sequences=False),
              [("e.weight", (7, IN))] + weights(4), batch=5, integer=7, real=real)
    cases.save("recurrent.safetensors")
