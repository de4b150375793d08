"""losses.safetensors: losses of outputs, and their gradients; contrastive.safetensors: losses of several inputs, as layers.

Formulas are Keras 3's (keras/src/losses/losses.py) in torch, or PyTorch's own functions where both are the same."""
import json
import math

import torch
import torch.nn.functional as F

from common import Layers, save, single

EPSILON = 1e-7


def of_probabilities(activation, function):
    """A loss of probabilities as one of logits."""
    return lambda x, t: function(activation(x), t)


def per_sample(function):
    """The mean over the samples of a function that gives a number for each."""
    return lambda x, t: function(x.flatten(1), t.flatten(1)).mean()


def huber(delta):
    return lambda x, t: F.huber_loss(x, t, delta=delta)


def percentage(x, t):
    return 100 * ((x - t).abs() / t.abs().clamp(min=EPSILON)).mean()


def logarithmic(x, t):
    return F.mse_loss((x.clamp(min=EPSILON) + 1).log(), (t.clamp(min=EPSILON) + 1).log())


def log_cosh(x, t):
    return (torch.logaddexp(x - t, t - x) - math.log(2)).mean()


def poisson(x, t):
    return (x - t * (x + EPSILON).log()).mean()


def cosine(x, t):
    def unit(v):
        return v / v.square().sum(-1, keepdim=True).clamp(min=EPSILON * EPSILON).sqrt()
    return -(unit(x) * unit(t)).sum(-1).mean()


def divergence(x, t):
    t = t.clamp(EPSILON, 1)
    return (t * (t / x.clamp(EPSILON, 1)).log()).sum(1).mean()


def binary(smoothing=0.0):
    return lambda x, t: F.binary_cross_entropy_with_logits(x, t * (1 - smoothing) + smoothing / 2)


def focal(alpha=0.25, gamma=2.0, smoothing=0.0, balancing=False):
    def function(x, t):
        t = t * (1 - smoothing) + smoothing / 2
        p = torch.sigmoid(x)
        q = t * (1 - p) + (1 - t) * p
        loss = q**gamma * F.binary_cross_entropy_with_logits(x, t, reduction="none")
        return ((t * alpha + (1 - t) * (1 - alpha)) * loss if balancing else loss).mean()
    return function


def categorical_focal(alpha=0.25, gamma=2.0, smoothing=0.0):
    def function(x, t):
        if t.dtype == torch.int32:
            t = F.one_hot(t.long(), x.shape[1]).double()
        t = t * (1 - smoothing) + smoothing / x.shape[1]
        logs = F.log_softmax(x, 1)
        return -(alpha * (1 - logs.exp())**gamma * t * logs).sum(1).mean()
    return function


def hinge(power, x, t):
    t = torch.where(t == 0, -1.0, t)
    return ((1 - t * x).clamp(min=0)**power).mean()


def categorical_hinge(x, t):
    return (1 + ((1 - t) * x).amax(1) - (t * x).sum(1)).clamp(min=0).mean()


def dice(smooth=0.0):
    return per_sample(lambda p, t: 1 - (2 * (p * t).sum(1) + smooth) / (p.sum(1) + t.sum(1) + smooth + EPSILON))


def tversky(alpha=0.5, beta=0.5, smooth=0.0):
    def function(p, t):
        both = (p * t).sum(1)
        missed, wrong = ((1 - p) * t).sum(1), (p * (1 - t)).sum(1)
        return 1 - (both + smooth) / (both + alpha * missed + beta * wrong + smooth + EPSILON)
    return per_sample(function)


def sparse(smoothing=0.0, ignored=None):
    """Ignored places count in no mean of a sample; a sample of no other places loses 0."""
    def function(x, t):
        each = F.cross_entropy(x, t.long(), label_smoothing=smoothing, ignore_index=-100 if ignored is None else ignored,
                               reduction="none")
        if ignored is None or t.dim() < 2:
            return each.mean()
        return (each.flatten(1).sum(1) / (t != ignored).flatten(1).sum(1).clamp(min=1)).mean()
    return function


def make_objectives():
    torch.manual_seed(8)
    tensors, cases = {}, {}

    def loss(name, spec, layers, labels, function, shape):
        x = single(2 * torch.randn(7, *shape)).requires_grad_(True)
        value = function(x, labels)
        value.backward()
        tensors.update({name + "/x": x, name + "/labels": labels, name + "/loss": value.reshape(1), name + "/dx": x.grad})
        cases[name] = json.dumps({"input_shape": list(shape), "layers": layers, "loss": spec})

    linear = [{"type": "linear"}]
    softmax, sigmoid = [{"type": "softmax"}], [{"type": "sigmoid"}]
    apart = [{"type": "map", "expression": "x + 0"}]  # keeps the loss from looking through the activation

    def by_sigmoid(function):
        return of_probabilities(torch.sigmoid, function)

    def by_softmax(function):
        return of_probabilities(lambda x: F.softmax(x, 1), function)

    def both(name, type_, settings, labels, function, shape, activation):
        """From logits, from the activation, and from probabilities that are known to be nothing else."""
        loss(name + "_logits", dict(settings, type=type_), linear, labels, function, shape)
        loss(name + "_activation", dict(settings, type=type_), activation, labels, function, shape)
        loss(name + "_probabilities", dict(settings, type=type_, from_logits=False), activation + apart, labels, function, shape)

    classes = torch.randint(0, 5, (7,), dtype=torch.int32)
    shares = single(torch.softmax(torch.randn(7, 5), 1))
    bits = single(torch.randint(0, 2, (7, 3)).double())
    values = single(torch.randn(7, 3))
    counts = single(torch.randint(0, 4, (7, 3)).double())
    signs = single(2 * bits - 1)
    hot = single(F.one_hot(classes.long(), 5).double())
    places = torch.randint(0, 4, (7, 2, 3), dtype=torch.int32)
    places[2] = 3
    hot_places = single(F.one_hot(places.long(), 4).permute(0, 3, 1, 2).double())
    image = single(torch.randint(0, 2, (7, 1, 3, 2)).double())
    empty = image.clone()
    empty[1] = 0

    loss("mse", "mean_squared_error", linear, values, F.mse_loss, (3,))
    loss("mae", "mean_absolute_error", linear, values, F.l1_loss, (3,))
    loss("mape", "mean_absolute_percentage_error", linear, values, percentage, (3,))
    loss("msle", "mean_squared_logarithmic_error", linear, counts, logarithmic, (3,))
    loss("huber", "huber", linear, values, huber(1.0), (3,))
    loss("huber_delta", {"type": "huber", "delta": 0.375}, linear, values, huber(0.375), (3,))
    loss("log_cosh", "log_cosh", linear, values, log_cosh, (3,))
    loss("poisson", "poisson", [{"type": "softplus"}], counts, lambda x, t: poisson(F.softplus(x), t), (3,))
    loss("cosine", "cosine_similarity", linear, values, cosine, (3,))
    loss("cosine_rows", "cosine_similarity", linear, single(torch.randn(7, 2, 3)), cosine, (2, 3))
    loss("hinge", "hinge", linear, bits, lambda x, t: hinge(1, x, t), (3,))
    loss("squared_hinge", "squared_hinge", linear, signs, lambda x, t: hinge(2, x, t), (3,))
    loss("hinge_classes", "hinge", linear, (classes > 2).int(), lambda x, t: hinge(1, x, t.double().reshape(-1, 1)), (1,))
    loss("categorical_hinge", "categorical_hinge", linear, hot, categorical_hinge, (5,))
    loss("categorical_hinge_classes", "categorical_hinge", linear, classes,
         lambda x, t: categorical_hinge(x, F.one_hot(t.long(), 5)), (5,))
    loss("dice", "dice", sigmoid, image, by_sigmoid(dice()), (1, 3, 2))
    loss("dice_smooth", {"type": "dice", "smooth": 1}, sigmoid, empty, by_sigmoid(dice(1.0)), (1, 3, 2))
    loss("tversky", "tversky", sigmoid, image, by_sigmoid(tversky()), (1, 3, 2))
    loss("tversky_settings", {"type": "tversky", "alpha": 0.25, "beta": 0.75, "smooth": 0.5}, sigmoid, empty,
         by_sigmoid(tversky(0.25, 0.75, 0.5)), (1, 3, 2))

    both("binary", "binary_crossentropy", {}, bits, binary(), (3,), sigmoid)
    both("binary_smoothed", "binary_crossentropy", {"label_smoothing": 0.25}, bits, binary(0.25), (3,), sigmoid)
    loss("binary_classes", "binary_crossentropy", linear, (classes > 2).int(),
         lambda x, t: binary()(x, t.double().reshape(-1, 1)), (1,))
    both("binary_focal", "binary_focal_crossentropy", {}, bits, focal(), (3,), sigmoid)
    both("binary_focal_settings", "binary_focal_crossentropy",
         {"alpha": 0.75, "gamma": 0.5, "label_smoothing": 0.125, "apply_class_balancing": True}, bits,
         focal(0.75, 0.5, 0.125, True), (3,), sigmoid)
    both("categorical", "categorical_crossentropy", {}, shares, F.cross_entropy, (5,), softmax)
    both("categorical_smoothed", "categorical_crossentropy", {"label_smoothing": 0.25}, shares,
         lambda x, t: F.cross_entropy(x, t, label_smoothing=0.25), (5,), softmax)
    loss("categorical_classes", {"type": "categorical_crossentropy", "label_smoothing": 0.125}, linear, classes, sparse(0.125), (5,))
    loss("categorical_places", "categorical_crossentropy", linear, hot_places, F.cross_entropy, (4, 2, 3))
    both("categorical_focal", "categorical_focal_crossentropy", {}, shares, categorical_focal(), (5,), softmax)
    both("categorical_focal_settings", "categorical_focal_crossentropy", {"alpha": 0.75, "gamma": 0.5, "label_smoothing": 0.125},
         shares, categorical_focal(0.75, 0.5, 0.125), (5,), softmax)
    loss("categorical_focal_classes", "categorical_focal_crossentropy", linear, classes, categorical_focal(), (5,))
    both("divergence", "kl_divergence", {}, shares, by_softmax(divergence), (5,), softmax)
    both("sparse", "sparse_categorical_crossentropy", {}, classes, sparse(), (5,), softmax)
    both("sparse_settings", "sparse_categorical_crossentropy", {"label_smoothing": 0.25, "ignore_class": 3}, classes,
         sparse(0.25, 3), (5,), softmax)
    loss("sparse_places", "sparse_categorical_crossentropy", linear, places, sparse(), (4, 2, 3))
    both("sparse_places_settings", "sparse_categorical_crossentropy", {"label_smoothing": 0.25, "ignore_class": 3}, places,
         sparse(0.25, 3), (4, 2, 3), [{"type": "op", "op": "Softmax", "attributes": {"axis": 1}}])
    loss("sparse_places_permuted", "sparse_categorical_crossentropy", softmax + [{"type": "permute", "dims": [2, 1]}],
         places[:, 0].contiguous(), lambda x, t: F.cross_entropy(x.permute(0, 2, 1), t.long()), (3, 4))

    def last(function):
        """Of classes along the last axis."""
        return lambda x, t: function(x.movedim(-1, 1), t)

    each = places[:, 0].contiguous()
    both("sparse_last", "sparse_categorical_crossentropy", {"axis": -1}, each,
         last(lambda x, t: F.cross_entropy(x, t.long())), (3, 4), softmax)
    both("sparse_last_settings", "sparse_categorical_crossentropy", {"axis": -1, "label_smoothing": 0.25, "ignore_class": 3}, each,
         last(lambda x, t: F.cross_entropy(x, t.long(), label_smoothing=0.25, ignore_index=3)), (3, 4), softmax)
    loss("sparse_last_image", {"type": "sparse_categorical_crossentropy", "axis": 3}, linear, places,
         last(lambda x, t: F.cross_entropy(x, t.long())), (2, 3, 4))
    loss("sparse_last_alone", {"type": "sparse_categorical_crossentropy", "axis": -1}, linear, classes, sparse(), (5,))
    rows = single(torch.softmax(torch.randn(7, 3, 4), 2))
    both("categorical_last", "categorical_crossentropy", {"axis": -1}, rows,
         lambda x, t: F.cross_entropy(x.movedim(2, 1), t.movedim(2, 1)), (3, 4), softmax)
    loss("categorical_focal_last", {"type": "categorical_focal_crossentropy", "axis": -1}, linear, rows,
         lambda x, t: categorical_focal()(x.flatten(0, 1), t.flatten(0, 1)), (3, 4))
    loss("divergence_last", {"type": "kl_divergence", "axis": -1}, softmax, rows,
         lambda x, t: divergence(F.softmax(x, 2).flatten(0, 1), t.flatten(0, 1)), (3, 4))
    loss("categorical_hinge_last", {"type": "categorical_hinge", "axis": -1}, linear, single(F.one_hot(each.long(), 4).double()),
         lambda x, t: categorical_hinge(x.flatten(0, 1), t.flatten(0, 1)), (3, 4))

    # Steps that a mask leaves out lose nothing, and count in no mean: Keras's sum over the steps that count, by how many they are.
    real = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [1, 1, 1, 1, 0], [0, 0, 1, 1, 0], [0] * 5, [1, 0, 0, 0, 0], [1] * 5]).bool()

    def masked(name, spec, layers, labels, function, features):
        """function gives a number for each step."""
        x = single(2 * torch.randn(7, 5, features)) * real[..., None]
        x.requires_grad_(True)
        value = function(x, labels)[real].mean()
        value.backward()
        tensors.update({name + "/x": x, name + "/labels": labels, name + "/loss": value.reshape(1), name + "/dx": x.grad})
        cases[name] = json.dumps({"input_shape": [5, features], "layers": [{"type": "masking"}] + layers, "loss": spec})

    words = torch.randint(0, 4, (7, 5), dtype=torch.int32)

    def steps(x, t):
        return F.cross_entropy(x.movedim(2, 1), t.long(), reduction="none")

    masked("masked_sparse", {"type": "sparse_categorical_crossentropy", "axis": -1}, [], words, steps, 4)
    masked("masked_sparse_activation", {"type": "sparse_categorical_crossentropy", "axis": -1}, softmax, words, steps, 4)
    masked("masked_mse", "mean_squared_error", linear, single(torch.randn(7, 5, 3)), lambda x, t: (x - t).square().mean(2), 3)
    masked("masked_binary", "binary_crossentropy", sigmoid, single(torch.randint(0, 2, (7, 5, 1)).double()),
           lambda x, t: F.binary_cross_entropy_with_logits(x, t, reduction="none").mean(2), 1)
    both_out = words.clone()
    both_out[0, 1:3] = 2
    x_real = real.clone()
    real = real & (both_out != 2)
    masked("masked_ignored", {"type": "sparse_categorical_crossentropy", "axis": -1, "ignore_class": 2}, [], both_out, steps, 4)
    real = x_real
    save("losses.safetensors", tensors, cases)


# ---- Of embeddings ----

def info_nce(temperature):
    def function(x, y):
        s = F.normalize(x) @ F.normalize(y).T / temperature
        own = torch.arange(len(x))
        return (F.cross_entropy(s, own, reduction="none") + F.cross_entropy(s.T, own, reduction="none")) / 2
    return function


def make_contrastive():
    cases = Layers()

    def add(name, text, count, function, batch=5):
        names = ["a", "b", "c"][:count]
        towers = [{"type": "dense", "name": n, "units": 3, "use_bias": False, "inputs": ["input"]} for n in names]
        cases.add(name, (4,), towers + [dict(text, inputs=names)], lambda x, *w: function(*[F.linear(x, v) for v in w]),
                  [(n + ".weight", (3, 4)) for n in names], batch)

    def triplet(margin=1.0, p=2.0):
        return lambda a, b, c: F.triplet_margin_loss(a, b, c, margin=margin, p=p, reduction="none")

    add("triplet", {"type": "triplet_margin"}, 3, triplet())
    add("triplet_settings", {"type": "triplet_margin", "margin": 0.25, "p": 3}, 3, triplet(0.25, 3.0))
    add("triplet_blocks", {"type": "triplet_margin", "margin": 2, "p": 1}, 3, triplet(2.0, 1.0))
    add("info_nce", {"type": "info_nce"}, 2, info_nce(0.1))
    add("info_nce_warm", {"type": "info_nce", "temperature": 2}, 2, info_nce(2.0), 7)
    add("info_nce_two", {"type": "info_nce", "temperature": 0.5}, 2, info_nce(0.5), 2)
    cases.save("contrastive.safetensors")


def make():
    make_objectives()
    make_contrastive()
