"""conv_lstm.safetensors: recurrent convolutions step by step, as Keras's ConvLSTM1D to 3D are; PyTorch has none."""
import torch
import torch.nn.functional as F

from common import Layers, same_pads

T, FILTERS = 4, 3
CONV = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}


def conv_lstm(x, states, w, u, b=None, strides=1, padding="valid", dilation=1, activation=torch.tanh, gate=torch.sigmoid,
              backwards=False):
    """All h, in the order of the steps, and the last states; states None: zeros. x (N, T, channels, ...)."""
    axes = x.dim() - 3
    conv, kernel = CONV[axes], u.shape[2:]
    strides, dilation = [strides] * axes, [dilation] * axes
    around = [p for k in reversed(kernel) for p in ((k - 1) // 2, k - 1 - (k - 1) // 2)]
    out = [None] * x.shape[1]
    for t in reversed(range(x.shape[1])) if backwards else range(x.shape[1]):
        a = x[:, t]
        a = F.pad(a, same_pads(a, kernel, strides, dilation)) if padding == "same" else a
        a = conv(a, w, b, strides, 0, dilation)
        if states is None:
            states = [torch.zeros(len(x), FILTERS, *a.shape[2:])] * 2
        i, f, g, o = (a + conv(F.pad(states[0], around), u)).chunk(4, 1)
        c = gate(f) * states[1] + gate(i) * activation(g)
        states = [gate(o) * activation(c), c]
        out[t] = states[0]
    return torch.stack(out, 1), states


def weights(channels, kernel, bias=True, suffixes=("",), rows=4 * FILTERS):
    sizes = [("weight_ih_l0", (rows, channels, *kernel)), ("weight_hh_l0", (rows, FILTERS, *kernel))]
    return [("r." + name + s, size) for s in suffixes for name, size in sizes + ([("bias_ih_l0", (rows,))] if bias else [])]


def make():
    cases = Layers()

    def add(name, shape, kernel, keys=None, take=lambda y, states: states[0], bias=True, batch=3, **how):
        axes = len(shape) - 2
        row = {"type": f"conv_lstm{axes}d", "name": "r", "filters": FILTERS, "kernel_size": kernel, **(keys or {})}
        cases.add(name, shape, [row], lambda x, *w: take(*conv_lstm(x, None, *w, **how)),
                  weights(shape[1], kernel if isinstance(kernel, list) else [kernel] * axes, bias), batch=batch)

    def all_steps(y, states):
        return y
    every = {"return_sequences": True}
    for axes, shape in ((1, (T, 2, 9)), (2, (T, 2, 6, 7)), (3, (T, 2, 4, 5, 4))):
        name = f"conv_lstm{axes}d"
        add(name, shape, 3)
        add(name + "_sequences", shape, 3, every, all_steps)
        add(name + "_same", shape, 2, {"padding": "same", **every}, all_steps, padding="same")
        add(name + "_strides", shape, 3, {"padding": "same", "strides": 2, **every}, all_steps, padding="same", strides=2)
    image = (T, 2, 6, 7)
    add("conv_lstm2d_window", image, [3, 2], every, all_steps)
    add("conv_lstm2d_one", image, 1, every, all_steps)
    add("conv_lstm2d_dilation", image, 2, {"dilation_rate": 2, **every}, all_steps, dilation=2)
    add("conv_lstm2d_no_bias", image, 3, {"use_bias": False}, bias=False)
    add("conv_lstm2d_one_step", (1, 2, 5, 5), 3)
    add("conv_lstm2d_activations", image, 3, {"activation": "softplus", "recurrent_activation": "hard_sigmoid"},
        activation=F.softplus, gate=lambda x: torch.clamp(x / 6 + 0.5, 0, 1))
    add("conv_lstm2d_channels", image, 3, {"recurrent_activation": "softmax"}, gate=lambda x: torch.softmax(x, 1))
    add("conv_lstm2d_backwards", image, 3, {"go_backwards": True, **every}, lambda y, states: y.flip(1), backwards=True)
    add("conv_lstm1d_long", (40, 2, 6), 3, {"padding": "same", **every}, all_steps, padding="same", batch=2)
    add("conv_lstm2d_wide", (2, 16, 12, 12), 3, {"padding": "same"}, padding="same", batch=2)
    # The states of one are what the next begins with.
    first = {"type": "conv_lstm2d", "name": "r", "filters": FILTERS, "kernel_size": 3, "padding": "same", "return_state": True}
    second = dict(first, name="s", inputs=["input", "r:1", "r:2"], return_state=False, return_sequences=True)
    names = weights(2, [3, 3])

    def in_turn(x, *w):
        return conv_lstm(x, conv_lstm(x, None, *w[:3], padding="same")[1], *w[3:], padding="same")[0]
    cases.add("conv_lstm2d_states", image, [first, second], in_turn, names + [(key.replace("r.", "s.", 1), size) for key, size in names])
    both = {"type": "bidirectional", "name": "r",
            "layer": {"type": "conv_lstm2d", "filters": FILTERS, "kernel_size": 3, "return_sequences": True}}
    cases.add("conv_lstm2d_both_ways", image, [both],
              lambda x, *w: torch.cat((conv_lstm(x, None, *w[:3])[0], conv_lstm(x, None, *w[3:], backwards=True)[0]), 2),
              weights(2, [3, 3], suffixes=("", "_reverse")))
    cases.add("conv_lstm2d_deep", image, [dict(first, return_state=False, return_sequences=True),
                                          {"type": "conv_lstm2d", "name": "s", "filters": FILTERS, "kernel_size": 3}],
              lambda x, *w: conv_lstm(conv_lstm(x, None, *w[:3], padding="same")[0], None, *w[3:])[1][0],
              names + [("s.weight_ih_l0", (12, FILTERS, 3, 3)), ("s.weight_hh_l0", (12, FILTERS, 3, 3)), ("s.bias_ih_l0", (12,))])
    # Padding: a mask that goes on to the images that rows are made of.
    real = torch.tensor([[1, 1, 1, 1], [1, 0, 0, 1], [0, 0, 1, 0]], dtype=torch.bool)
    rows = [{"type": "masking"}, {"type": "time_distributed", "layer": {"type": "reshape", "target_shape": [2, 3, 4]}},
            {"type": "conv_lstm2d", "name": "r", "filters": FILTERS, "kernel_size": 2}]

    def padded(x, *w):
        x, states = x.unflatten(2, (2, 3, 4)), [torch.zeros(3, FILTERS, 2, 3)] * 2
        for t in range(T):
            new = conv_lstm(x[:, t:t + 1], states, *w)[1]
            states = [torch.where(real[:, t, None, None, None], n, s) for n, s in zip(new, states)]
        return states[0]
    cases.add("conv_lstm2d_masked", (T, 24), rows, padded, weights(2, [2, 2]), real=real)
    cases.save("conv_lstm.safetensors")
