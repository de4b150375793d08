"""ctc.safetensors: the loss of sequences of labels, and its gradients, by torch.nn.functional.ctc_loss."""
import json

import torch
import torch.nn.functional as F

from common import save, single


def make():
    torch.manual_seed(11)
    tensors, cases = {}, {}
    steps, classes = 7, 5
    rows = [[1, 2, 3], [2, 2], [], [4, 4, 4], [3], [1, 2, 1], [4, 3]]

    def add(name, spec, layers, lengths=None, blank=0, texts=rows, zero_infinity=True, reduction="none", pad=-1, size=None):
        n, length = len(texts), max(map(len, texts))
        x = single(2 * torch.randn(n, steps, classes))
        lengths = torch.tensor(lengths or [steps] * n)
        real = torch.arange(steps) < lengths[:, None]
        x = (x * real[..., None]).requires_grad_(True)
        labels = torch.full((n, size or length), float(pad))
        for i, text in enumerate(texts):
            labels[i, :len(text)] = torch.tensor(text, dtype=torch.float64)
        flat = torch.tensor([c for text in texts for c in text])
        each = F.ctc_loss(F.log_softmax(x, 2).transpose(0, 1), flat, lengths, torch.tensor([len(text) for text in texts]), blank,
                          reduction, zero_infinity)
        value = each.mean()
        value.backward()
        tensors.update({name + "/x": x, name + "/labels": labels, name + "/loss": value.reshape(1), name + "/dx": x.grad})
        cases[name] = json.dumps({"input_shape": [steps, classes], "layers": layers,
                                  "loss": dict(spec, type="ctc", labels=labels.shape[1])})

    linear, softmax, masking = [{"type": "linear"}], [{"type": "softmax"}], [{"type": "masking"}]
    apart = [{"type": "map", "expression": "x + 0"}]
    add("plain", {}, linear)
    add("activation", {}, softmax)
    add("probabilities", {"from_logits": False}, softmax + apart)
    add("blank", {"blank": 4}, linear, blank=4, texts=[[1, 2, 3], [0, 0], [], [0], [1, 1, 1], [3, 2], [2]], pad=4)
    add("masked", {}, masking, lengths=[7, 4, 2, 5, 1, 3, 6], size=6)
    add("normalized", {"normalize": True}, linear, reduction="mean")
    add("too_long", {"zero_infinity": True}, masking, lengths=[2, 3, 1, 4, 7, 5, 1])
    save("ctc.safetensors", tensors, cases)
