"""places.safetensors: attention that knows where steps stand, by rotary and alibi, written out step by step."""
import torch
import torch.nn.functional as F

from attention import alibi, attend, block_weights, causal, heads_weights, part, rotary, split
from common import Layers

T, E, WIDE = 5, 8, 10


def heads_of(x, memory, weights, heads, turn, bias=None):
    """Multi-head attention of x to memory; weights in the order of torch.nn.MultiheadAttention."""
    weight, b, out, out_bias = weights
    q, k, v = (split(F.linear(y, w, c), heads) for y, w, c in zip((x, memory, memory), weight.chunk(3), b.chunk(3)))
    return F.linear(attend(turn(q), turn(k), v, bias), out, out_bias)


def plain(x):
    return x


def turned(longest=10000.0, slower=1.0):
    return lambda x: rotary(x, 2, longest, slower)


def block(x, weights, heads, turn, bias=None, first=False, memory=None):
    """torch.nn.TransformerEncoderLayer, or with a memory TransformerDecoderLayer."""
    weights = list(weights)
    own, cross = weights[:4], weights[4:8] if memory is not None else None
    w1, b1, w2, b2, *norms = weights[8 if cross else 4:]
    parts = [lambda y: heads_of(y, y, own, heads, turn, bias)]
    parts += [lambda y: heads_of(y, memory, cross, heads, plain)] if cross else []
    parts += [lambda y: F.linear(torch.relu(F.linear(y, w1, b1)), w2, b2)]
    for i, of in enumerate(parts):
        norm = lambda y, i=i: F.layer_norm(y, (E,), norms[2 * i], norms[2 * i + 1])
        x = x + of(norm(x)) if first else norm(x + of(x))
    return x


def make():
    cases = Layers()
    memory, of_memory = part("memory", 1, 0, 3)
    row = {"type": "multi_head_attention", "name": "m", "num_heads": 2, "key_dim": 4}
    slow = {"rotary": True, "max_wavelength": 50, "scaling_factor": 2.5}
    cases.add("heads_rotary", (T, E), [dict(row, rotary=True)], lambda x, *w: heads_of(x, x, w, 2, turned()), heads_weights("m.", E))
    cases.add("heads_rotary_causal", (7, E), [dict(row, use_causal_mask=True, **slow)],
              lambda x, *w: heads_of(x, x, w, 2, turned(50, 2.5), causal(7, 7)), heads_weights("m.", E))
    cases.add("heads_rotary_cross", (T, E), [memory, dict(row, inputs=["input", "memory"], **slow)],
              lambda x, *w: heads_of(x, of_memory(x), w, 2, turned(50, 2.5)), heads_weights("m.", E))
    cases.add("heads_rotary_alibi", (T, E), [dict(row, num_heads=4, key_dim=2, rotary=True, alibi=True)],
              lambda x, *w: heads_of(x, x, w, 4, turned(), alibi(4, T, T)), heads_weights("m.", E))
    for name, keys, turn, bias in (("rotary", {"rotary": True, "use_causal_mask": True}, turned(), causal(T, T)),
                                   ("alibi", {"alibi": True}, plain, alibi(4, T, T))):
        weights = []
        for what, rows, columns in (("q", 16, E), ("k", 8, E), ("v", 8, E), ("o", E, 16)):
            weights += [(f"m.{what}_proj.weight", (rows, columns)), (f"m.{what}_proj.bias", (rows,))]

        def of(x, wq, bq, wk, bk, wv, bv, wo, bo, turn=turn, bias=bias):
            q, k, v = split(F.linear(x, wq, bq), 4), split(F.linear(x, wk, bk), 2), split(F.linear(x, wv, bv), 2)
            return F.linear(attend(turn(q), turn(k).repeat_interleave(2, 1), v.repeat_interleave(2, 1), bias), wo, bo)
        grouped = {"type": "grouped_query_attention", "name": "m", "head_dim": 4, "num_query_heads": 4, "num_key_value_heads": 2}
        cases.add("grouped_" + name, (T, E), [dict(grouped, **keys)], of, weights)
        if turn is plain:  # a key's bias adds the same to all scores of a row: its gradient is what rounding leaves of 0
            cases.tensors.pop(f"grouped_{name}/gradient/m.k_proj.bias")
    keys = {"name": "b", "intermediate_dim": WIDE, "num_heads": 2}
    encoder, decoder = dict(keys, type="transformer_encoder"), dict(keys, type="transformer_decoder")
    cases.add("encoder_rotary", (T, E), [dict(encoder, rotary=True)], lambda x, *w: block(x, w, 2, turned()),
              block_weights("b", E, WIDE))
    cases.add("encoder_alibi", (T, E), [dict(encoder, alibi=True, normalize_first=True)],
              lambda x, *w: block(x, w, 2, plain, alibi(2, T, T), True), block_weights("b", E, WIDE))
    cases.add("decoder_rotary", (T, E), [dict(decoder, normalize_first=True, **slow)],
              lambda x, *w: block(x, w, 2, turned(50, 2.5), causal(T, T), True), block_weights("b", E, WIDE))
    both = dict(decoder, rotary=True, alibi=True, inputs=["input", "memory"])
    cases.add("decoder_memory", (T, E), [memory, both],
              lambda x, *w: block(x, w, 2, turned(), alibi(2, T, T) + causal(T, T), False, of_memory(x)), block_weights("b", E, WIDE, True))
    cases.save("places.safetensors")
