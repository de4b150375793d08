"""attention.safetensors: attention, by PyTorch's modules; what PyTorch does not have is written out."""
import math

import torch
import torch.nn.functional as F
from torch.func import functional_call

from common import Layers

T, E = 5, 6


# ---- Inputs: parts of the one that a case has ----

def part(name, axis, start, end):
    """A layer that takes a part of the input along an axis, and what it does."""
    row = {"type": "op", "name": name, "inputs": ["input"], "op": "Slice",
           "attributes": {"starts": [start], "ends": [end], "axes": [axis]}}
    return row, lambda x: x.narrow(axis, start, end - start)


def causal(t, s):
    return torch.full((t, s), -math.inf).triu(1)


# ---- Parameters ----

def heads_weights(prefix, e, rows=None, bias=True, out=None):
    """Those of torch.nn.MultiheadAttention over e features; rows: how many there are of Q, K and V together."""
    sizes = [("in_proj_weight", (rows or 3 * e, e))] + ([("in_proj_bias", (rows or 3 * e,))] if bias else [])
    sizes += [("out_proj.weight", (e, out or e))] + ([("out_proj.bias", (e,))] if bias else [])
    return [(prefix + name, size) for name, size in sizes]


def block_weights(name, e, wide, cross=False):
    sizes = heads_weights(name + ".self_attn.", e) + (heads_weights(name + ".multihead_attn.", e) if cross else [])
    sizes += [(name + ".linear1.weight", (wide, e)), (name + ".linear1.bias", (wide,)),
              (name + ".linear2.weight", (e, wide)), (name + ".linear2.bias", (e,))]
    return sizes + [(f"{name}.norm{i}.{which}", (e,)) for i in range(1, 4 if cross else 3) for which in ("weight", "bias")]


def by_name(prefix, weights, values):
    """The values of a module's parameters, by its own names."""
    return {key[len(prefix):]: value for (key, _), value in zip(weights, values)}


# ---- What the layers compute ----

def multi_head(net, weights, take=lambda x: (x, x, x), mask=None):
    """torch.nn.MultiheadAttention of what `take` makes of x: query, key and value."""
    def of(x, *values):
        query, key, value = take(x)
        m = mask(query.shape[1], key.shape[1]) if mask else None
        return functional_call(net, by_name("m.", weights, values), (query, key, value), {"attn_mask": m, "need_weights": False},
                               strict=True)[0]
    return of


def split(x, heads):
    return x.reshape(x.shape[0], x.shape[1], heads, -1).transpose(1, 2)


def attend(q, k, v, bias=None, scale=None):
    """softmax(scale q k^T + bias) v of (N, heads, T, d), joined again."""
    scores = q @ k.transpose(2, 3) * (1 / math.sqrt(q.shape[3]) if scale is None else scale)
    y = torch.softmax(scores if bias is None else scores + bias, -1) @ v
    return y.transpose(1, 2).flatten(2)


def grouped(heads, groups, take=lambda x: (x, x, x), mask=None):
    def of(x, wq, bq, wk, bk, wv, bv, wo, bo):
        query, key, value = take(x)
        q = split(F.linear(query, wq, bq), heads)
        k = split(F.linear(key, wk, bk), groups).repeat_interleave(heads // groups, 1)
        v = split(F.linear(value, wv, bv), groups).repeat_interleave(heads // groups, 1)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=mask is not None)
        return F.linear(y.transpose(1, 2).flatten(2), wo, bo)
    return of


def slopes(heads):
    """Those of the ALiBi paper's code."""
    if math.log2(heads).is_integer():
        start = 2 ** (-2 ** -(math.log2(heads) - 3))
        return [start * start ** i for i in range(heads)]
    closest = 2 ** math.floor(math.log2(heads))
    return slopes(closest) + slopes(2 * closest)[0::2][:heads - closest]


def alibi(heads, t, s):
    distance = -(torch.arange(t)[:, None] - torch.arange(s)[None, :]).abs()
    return torch.tensor(slopes(heads))[:, None, None] * distance


def waves(t, e, longest=10000.0):
    feature = torch.arange(e)
    angle = torch.arange(t)[:, None] * longest ** (-2 * (feature // 2) / e)
    return torch.where(feature % 2 == 0, angle.sin(), angle.cos())


def rotary(x, axis=1, longest=10000.0, slower=1.0):
    """As Keras hub's RotaryEmbedding."""
    x = x.movedim(axis, -2)
    t, e = x.shape[-2:]
    frequency = torch.outer(torch.arange(t) / slower, longest ** (-torch.arange(0, e, 2) / e))
    angle = torch.cat((frequency, frequency), -1)
    a, b = x.chunk(2, -1)
    return (x * angle.cos() + torch.cat((-b, a), -1) * angle.sin()).movedim(-2, axis)


# ---- Cases ----

def add_multi_head(cases):
    memory, of_memory = part("memory", 1, 0, 3)
    long = part("short", 1, 1, 4)
    other, of_other = part("other", 1, 2, 5)

    def add(name, heads, keys=None, shape=(T, E), layers=(), inputs=None, take=lambda x: (x, x, x), mask=None, bias=True, **more):
        e = shape[1]
        row = {"type": "multi_head_attention", "name": "m", "num_heads": heads, "key_dim": e // heads, **(keys or {})}
        if inputs:
            row["inputs"] = inputs
        weights = heads_weights("m.", e, bias=bias)
        net = torch.nn.MultiheadAttention(e, heads, bias=bias, batch_first=True)
        cases.add("multi_head_" + name, shape, [*layers, row], multi_head(net, weights, take, mask), weights, **more)

    add("two", 2)
    add("one", 1)
    add("six", 6)
    add("one_step", 2, shape=(1, E))
    add("odd", 5, shape=(7, 35), batch=2)
    add("long", 4, shape=(67, 16), batch=2)
    add("no_bias", 3, {"use_bias": False}, bias=False)
    add("causal", 2, {"use_causal_mask": True}, mask=causal)
    add("causal_one_step", 2, {"use_causal_mask": True}, shape=(1, E), mask=causal)
    add("cross", 2, layers=[memory], inputs=["input", "memory"], take=lambda x: (x, of_memory(x), of_memory(x)))
    add("cross_longer", 2, layers=[long[0]], inputs=["short", "input"], take=lambda x: (long[1](x), x, x))
    add("cross_causal", 2, {"use_causal_mask": True}, layers=[memory], inputs=["input", "memory"],
        take=lambda x: (x, of_memory(x), of_memory(x)), mask=causal)
    add("cross_causal_longer", 2, {"use_causal_mask": True}, layers=[long[0]], inputs=["short", "input"],
        take=lambda x: (long[1](x), x, x), mask=causal)
    add("three", 2, layers=[memory, other], inputs=["input", "memory", "other"],
        take=lambda x: (x, of_other(x), of_memory(x)))
    for heads in (2, 6):
        add(f"alibi_{heads}", heads, {"alibi": True}, mask=lambda t, s, h=heads: alibi(h, t, s).repeat(3, 1, 1))
        add(f"alibi_causal_{heads}", heads, {"alibi": True, "use_causal_mask": True},
            mask=lambda t, s, h=heads: (alibi(h, t, s) + causal(t, s)).repeat(3, 1, 1))
    # Query, key and value of different features: PyTorch's kdim and vdim.
    keys, of_keys = part("keys", 2, 0, 4)
    values, of_values = part("values", 2, 3, 6)
    net = torch.nn.MultiheadAttention(E, 2, kdim=4, vdim=3, batch_first=True)
    weights = [("m.q_proj_weight", (E, E)), ("m.k_proj_weight", (E, 4)), ("m.v_proj_weight", (E, 3)), ("m.in_proj_bias", (3 * E,)),
               ("m.out_proj.weight", (E, E)), ("m.out_proj.bias", (E,))]
    row = {"type": "multi_head_attention", "name": "m", "num_heads": 2, "key_dim": 3, "inputs": ["input", "values", "keys"]}
    cases.add("multi_head_features", (T, E), [keys, values, row],
              multi_head(net, weights, lambda x: (x, of_keys(x), of_values(x))), weights)
    # Heads of other sizes than PyTorch has.
    sizes = {"type": "multi_head_attention", "name": "m", "num_heads": 3, "key_dim": 4, "value_dim": 5}

    def other_sizes(x, weight, bias, out, out_bias):
        q, k, v = (split(y, 3) for y in F.linear(x, weight, bias).split((12, 12, 15), -1))
        return F.linear(attend(q, k, v), out, out_bias)
    cases.add("multi_head_sizes", (T, E), [sizes], other_sizes, heads_weights("m.", E, 39, out=15))


def add_grouped(cases):
    memory, of_memory = part("memory", 1, 0, 3)

    def add(name, heads, groups, dim, keys=None, layers=(), shape=(T, E), **more):
        e = shape[1]
        row = {"type": "grouped_query_attention", "name": "m", "head_dim": dim, "num_query_heads": heads,
               "num_key_value_heads": groups, **(keys or {})}
        weights = []
        for what, rows, columns in (("q", heads * dim, e), ("k", groups * dim, e), ("v", groups * dim, e), ("o", e, heads * dim)):
            weights += [(f"m.{what}_proj.weight", (rows, columns)), (f"m.{what}_proj.bias", (rows,))]
        cases.add("grouped_query_" + name, shape, [*layers, row], grouped(heads, groups, **more), weights)
        # A key's bias adds the same to all scores of a row, which changes no weight: its gradient is what rounding leaves of 0.
        cases.tensors.pop(f"grouped_query_{name}/gradient/m.k_proj.bias")

    add("four_two", 4, 2, 3)
    add("three_one", 3, 1, 2)
    add("all", 2, 2, 3)
    add("causal", 6, 2, 4, {"use_causal_mask": True}, mask=causal)
    add("cross", 4, 2, 3, {"inputs": ["input", "memory"]}, [memory], take=lambda x: (x, of_memory(x), of_memory(x)))
    add("one_step", 4, 2, 3, shape=(1, E))


def add_plain(cases):
    memory, of_memory = part("memory", 1, 0, 3)
    other, of_other = part("other", 1, 2, 5)
    few, of_few = part("few", 2, 1, 4)

    def one_head(x):
        return x[:, None]

    def dot(x, scale=None, mask=None, take=lambda x: (x, x, x)):
        q, k, v = take(x)
        bias = causal(q.shape[1], k.shape[1]) if mask else None
        return attend(one_head(q), one_head(k), one_head(v), bias, 1 if scale is None else scale)

    def summed(x, score, take=lambda x: (x, x, x), mask=False):
        q, k, v = take(x)
        scores = score(q[:, :, None] + k[:, None])
        return torch.softmax(scores + causal(q.shape[1], k.shape[1]) if mask else scores, -1) @ v

    def both(x):
        return x, of_memory(x), of_memory(x)

    def three(x):
        return x, of_other(x), of_memory(x)
    row = {"type": "attention", "name": "m"}
    cross = dict(row, inputs=["input", "memory"])
    cases.add("attention_self", (T, E), [dict(row, inputs=["input", "input"])], dot)
    cases.add("attention_cross", (T, E), [memory, cross], lambda x: dot(x, take=both))
    cases.add("attention_causal", (T, E), [dict(row, use_causal_mask=True)], lambda x: dot(x, mask=True))
    cases.add("attention_scale", (T, E), [memory, other, dict(row, use_scale=True, inputs=["input", "memory", "other"])],
              lambda x, scale: dot(x, scale, take=three), [("m.scale", ())])
    cases.add("attention_features", (T, E), [few, dict(row, inputs=["input", "few", "input"])],
              lambda x: dot(x, take=lambda x: (x, x, of_few(x))))
    cases.add("attention_concat", (T, E), [memory, dict(cross, score_mode="concat")],
              lambda x, w: summed(x, lambda s: w * s.tanh().sum(-1), both), [("m.concat_score_weight", ())])
    cases.add("attention_concat_scale", (T, E), [dict(row, score_mode="concat", use_scale=True, use_causal_mask=True)],
              lambda x, scale, w: summed(x, lambda s: w * (scale * s).tanh().sum(-1), mask=True),
              [("m.scale", ()), ("m.concat_score_weight", ())])
    add = {"type": "additive_attention", "name": "m"}
    cases.add("additive_self", (T, E), [add], lambda x, scale: summed(x, lambda s: (scale * s.tanh()).sum(-1)), [("m.scale", (E,))])
    cases.add("additive_cross", (T, E), [memory, dict(add, inputs=["input", "memory"])],
              lambda x, scale: summed(x, lambda s: (scale * s.tanh()).sum(-1), both), [("m.scale", (E,))])
    cases.add("additive_no_scale", (T, E), [memory, other, dict(add, use_scale=False, inputs=["input", "memory", "other"])],
              lambda x: summed(x, lambda s: s.tanh().sum(-1), three))


def add_positions(cases):
    joined = {"type": "add", "inputs": ["input", "p"]}
    learnt = {"type": "position_embedding", "name": "p", "sequence_length": T}
    cases.add("position_embedding", (T, E), [learnt, joined], lambda x, w: x + w, [("p.weight", (T, E))])
    cases.add("position_embedding_part", (T, E), [dict(learnt, sequence_length=9), joined], lambda x, w: x + w[:T],
              [("p.weight", (9, E))])
    sine = {"type": "sine_position_encoding", "name": "p"}
    cases.add("sine_position_encoding", (T, E), [sine, joined], lambda x: x + waves(T, E))
    cases.add("sine_position_encoding_odd", (9, 7), [dict(sine, max_wavelength=50), joined], lambda x: x + waves(9, 7, 50))
    turn = {"type": "rotary_embedding", "name": "p"}
    cases.add("rotary_embedding", (T, E), [turn], rotary)
    cases.add("rotary_embedding_heads", (7, 3, 4), [dict(turn, max_wavelength=100, scaling_factor=2.5)],
              lambda x: rotary(x, 1, 100, 2.5))
    cases.add("rotary_embedding_axis", (3, 7, 4), [dict(turn, sequence_axis=2)], lambda x: rotary(x, 2))


def add_blocks(cases):
    memory, of_memory = part("memory", 1, 0, 3)
    wide = 10

    def keys_of(kind, name, heads, activation, first, **more):
        row = {"type": kind, "name": name, "intermediate_dim": wide, "num_heads": heads, **more}
        row.update({"activation": activation} if activation != "relu" else {})
        return dict(row, normalize_first=True) if first else row

    def encoder(name, heads, activation, first, shape=(T, E), masked=False, **more):
        e = shape[1]
        net = torch.nn.TransformerEncoderLayer(e, heads, wide, 0.0, activation, more.get("layer_norm_epsilon", 1e-5),
                                               batch_first=True, norm_first=first)
        kind = "transformer_decoder" if masked else "transformer_encoder"
        weights = block_weights("b", e, wide)

        def of(x, *values):
            mask = causal(x.shape[1], x.shape[1]) if masked else None
            return functional_call(net, by_name("b.", weights, values), (x,), {"src_mask": mask}, strict=True)
        cases.add(f"{kind}_{name}", shape, [keys_of(kind, "b", heads, activation, first, **more)], of, weights)

    def decoder(name, heads, activation, first, masked=True):
        net = torch.nn.TransformerDecoderLayer(E, heads, wide, 0.0, activation, batch_first=True, norm_first=first)
        weights = block_weights("b", E, wide, True)
        row = keys_of("transformer_decoder", "b", heads, activation, first, inputs=["input", "memory"])

        def of(x, *values):
            mask = causal(x.shape[1], x.shape[1]) if masked else None
            return functional_call(net, by_name("b.", weights, values), (x, of_memory(x)), {"tgt_mask": mask}, strict=True)
        cases.add(f"transformer_decoder_{name}", (T, E), [memory, row if masked else dict(row, use_causal_mask=False)], of, weights)

    for first in (False, True):
        order = "first" if first else "behind"
        for activation in ("relu", "gelu"):
            encoder(f"{order}_{activation}", 2, activation, first)
        decoder(f"{order}", 2, "gelu" if first else "relu", first)
    encoder("one_head_one_step", 1, "relu", True, (1, E))
    encoder("odd", 3, "gelu", True, (7, 9), layer_norm_epsilon=0.01)
    encoder("alone", 2, "gelu", True, masked=True)
    encoder("alone_behind", 3, "relu", False, masked=True)
    decoder("sees_all", 3, "relu", True, False)
    # Two in a row, as torch.nn.TransformerEncoder has them.
    layer = torch.nn.TransformerEncoderLayer(E, 2, wide, 0.0, "gelu", batch_first=True, norm_first=True)
    net = torch.nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
    weights = block_weights("layers.0", E, wide) + block_weights("layers.1", E, wide)
    rows = [keys_of("transformer_encoder", f"layers.{i}", 2, "gelu", True) for i in range(2)]
    cases.add("transformer_stacked", (T, E), rows,
              lambda x, *values: functional_call(net, by_name("", weights, values), (x,), strict=True), weights)


def add_masked(cases):
    """Steps that are padding: PyTorch's key_padding_mask."""
    real = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [0, 0, 1, 0, 1]], dtype=torch.bool)
    masking = {"type": "masking", "name": "mask"}
    bias = torch.zeros(3, 5).masked_fill(~real, -math.inf)[:, None, None]
    net = torch.nn.MultiheadAttention(E, 2, batch_first=True)
    weights = heads_weights("m.", E)
    row = {"type": "multi_head_attention", "name": "m", "num_heads": 2, "key_dim": 3}

    def heads(x, *values):
        x = x * real[..., None]
        return functional_call(net, by_name("m.", weights, values), (x, x, x), {"key_padding_mask": ~real}, strict=True)[0]
    cases.add("multi_head_masked", (T, E), [masking, row], heads, weights, real=real)
    first = {"type": "dense", "name": "d", "units": E, "inputs": ["input"]}
    cross = {"type": "attention", "inputs": ["d", "mask"]}

    def plain(x, w, b):
        k = x * real[..., None]
        return attend(F.linear(x, w, b)[:, None], k[:, None], k[:, None], bias, 1)
    cases.add("attention_masked_cross", (T, E), [masking, first, cross], plain, [("d.weight", (E, E)), ("d.bias", (E,))], real=real)
    additive = {"type": "additive_attention", "name": "m"}

    def summed(x, scale):
        x = x * real[..., None]
        scores = (scale * (x[:, :, None] + x[:, None]).tanh()).sum(-1) + bias[:, 0]
        return torch.softmax(scores, -1) @ x
    cases.add("additive_masked", (T, E), [masking, additive], summed, [("m.scale", (E,))], real=real)
    few = torch.tensor([[1, 1, 0, 0, 1], [1, 0, 0, 0, 0], [1, 0, 1, 1, 1]], dtype=torch.bool)
    layer = torch.nn.TransformerEncoderLayer(E, 2, 10, 0.0, "gelu", batch_first=True, norm_first=True)
    blocks = block_weights("b", E, 10) + block_weights("c", E, 10)
    keys = {"intermediate_dim": 10, "num_heads": 2, "activation": "gelu", "normalize_first": True}
    rows = [dict(keys, type="transformer_encoder", name="b"), dict(keys, type="transformer_decoder", name="c")]

    def stacked(x, *values):
        """The second hides later steps; the mask goes on to it from the first."""
        half = len(values) // 2
        y = x * few[..., None]
        for name, mask, own in (("b.", None, slice(0, half)), ("c.", causal(T, T), slice(half, None))):
            masks = {"src_mask": mask, "src_key_padding_mask": torch.zeros(3, T).masked_fill(~few, -math.inf)}
            y = functional_call(layer, by_name(name, blocks[own], values[own]), (y,), masks, strict=True)
        return y
    cases.add("transformer_masked", (T, E), [masking, *rows], stacked, blocks, real=few)
    memory = torch.nn.TransformerDecoderLayer(E, 2, 10, 0.0, "relu", batch_first=True)
    weights = block_weights("b", E, 10, True)
    decoder = {"type": "transformer_decoder", "name": "b", "intermediate_dim": 10, "num_heads": 2, "inputs": ["input", "mask"]}

    def decoded(x, *values):
        return functional_call(memory, by_name("b.", weights, values), (x, x * real[..., None]),
                               {"tgt_mask": causal(T, T), "memory_key_padding_mask": ~real}, strict=True)
    cases.add("transformer_decoder_masked", (T, E), [masking, decoder], decoded, weights, real=real)


def make():
    cases = Layers()
    add_multi_head(cases)
    add_grouped(cases)
    add_plain(cases)
    add_positions(cases)
    add_blocks(cases)
    add_masked(cases)
    cases.save("attention.safetensors")
