"""tied.safetensors: embeddings with rows that are padding, and layers that use an embedding's weight, by PyTorch."""
import torch
import torch.nn.functional as F

from common import Layers

T, ROWS, E = 6, 7, 4


def make():
    cases = Layers()
    table = {"type": "embedding", "name": "e", "input_dim": ROWS, "output_dim": E}
    weight = ("e.weight", (ROWS, E))
    for name, given, rows in (("first", 0, [0]), ("last", -1, [6]), ("middle", 3, [3])):
        cases.add("padding_" + name, (T,), [dict(table, padding_idx=given)], lambda x, w, given=given: F.embedding(x, w, given),
                  [weight], batch=5, integer=ROWS)
    plain = torch.tensor([0.0, 1, 1, 0, 1, 1, 1])
    cases.add("padding_several", (T,), [dict(table, padding_idx=[0, 3])],
              lambda x, w: torch.where(plain[x][..., None] > 0, F.embedding(x, w), F.embedding(x, w).detach()), [weight], batch=5,
              integer=ROWS)
    # Scores of all numbers, with the embedding's own weight.
    scores = {"type": "dense", "name": "s", "units": ROWS, "tied_to": "e"}
    middle = {"type": "dense", "name": "d", "units": E, "activation": "tanh"}
    names = [weight, ("d.weight", (E, E)), ("d.bias", (E,)), ("s.bias", (ROWS,))]

    def tied(x, w, dw, db, b=None, given=None):
        return F.linear(torch.tanh(F.linear(F.embedding(x, w, given), dw, db)), w, b)
    cases.add("tied", (T,), [table, middle, scores], tied, names, batch=5, integer=ROWS)
    cases.add("tied_no_bias", (T,), [table, middle, dict(scores, use_bias=False)], tied, names[:3], batch=5, integer=ROWS)
    cases.add("tied_padding", (T,), [dict(table, padding_idx=0), middle, scores], lambda x, *w: tied(x, *w, given=0), names, batch=5,
              integer=ROWS)
    # In a group that is used again, and a dense layer's weight.
    first = {"type": "dense", "name": "a", "units": E}
    cases.add("tied_dense", (E,), [first, {"type": "relu"}, {"type": "dense", "name": "b", "units": E, "tied_to": "a"}],
              lambda x, w, b, c: F.linear(torch.relu(F.linear(x, w, b)), w, c), [("a.weight", (E, E)), ("a.bias", (E,)), ("b.bias", (E,))])
    inner = {"name": "t", "layers": [dict(first, name="a"), {"type": "dense", "name": "b", "units": E, "tied_to": "a"}]}

    def group(x, w, b, c):
        return F.linear(F.linear(x, w, b), w, c)
    cases.add("tied_in_group", (E,), [inner, {"layer": "t", "name": "u"}], lambda x, *w: group(group(x, *w), *w),
              [("t.a.weight", (E, E)), ("t.a.bias", (E,)), ("t.b.bias", (E,))])
    cases.save("tied.safetensors")
