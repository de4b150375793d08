"""callbacks.safetensors: what Keras's own callbacks make of sequences of scores: the rate behind each epoch, and how many there are."""
import json
import os
from types import SimpleNamespace

import numpy as np

from common import save

# A score that falls, waits, falls again and rises; one that falls by little; one that goes up and down.
SCORES = {
    "valley": [3, 2.5, 2.4, 2.45, 2.5, 2.41, 1.9, 1.8, 1.85, 1.95, 1.9, 1.81, 1.7] + [1.75 + 0.05 * i for i in range(17)],
    "slow": [1 - 0.01 * i for i in range(30)],
    "waves": [1 + (i * 7 % 5) * 0.1 - 0.004 * i for i in range(30)],
}

CASES = [
    ("valley", {"type": "early_stopping"}),
    ("valley", {"type": "early_stopping", "patience": 3}),
    ("valley", {"type": "early_stopping", "patience": 5, "restore_best_weights": True}),
    ("slow", {"type": "early_stopping", "patience": 4, "min_delta": 0.025}),
    ("slow", {"type": "early_stopping", "patience": 2, "start_from_epoch": 6, "mode": "max"}),
    ("valley", {"type": "early_stopping", "patience": 4, "baseline": 2.0}),
    ("valley", {"type": "early_stopping", "patience": 9, "baseline": 2.0}),
    ("waves", {"type": "early_stopping", "patience": 6}),
    ("waves", {"type": "early_stopping", "patience": 3, "mode": "max"}),
    ("valley", {"type": "reduce_lr_on_plateau", "patience": 2}),
    ("valley", {"type": "reduce_lr_on_plateau", "patience": 3, "factor": 0.5, "cooldown": 2}),
    ("slow", {"type": "reduce_lr_on_plateau", "patience": 2, "factor": 0.5, "min_delta": 0.025, "min_lr": 0.01}),
    ("slow", {"type": "reduce_lr_on_plateau", "patience": 4, "factor": 0.25, "mode": "max"}),
    ("waves", {"type": "reduce_lr_on_plateau", "patience": 1, "factor": 0.5, "cooldown": 1}),
]

NAMES = {"early_stopping": "EarlyStopping", "reduce_lr_on_plateau": "ReduceLROnPlateau"}


def run(keras, scores, description):
    """The rates behind the epochs, as many as there are."""
    arguments = {key: value for key, value in description.items() if key != "type"}
    callback = getattr(keras.callbacks, NAMES[description["type"]])(monitor="loss", **arguments)
    optimizer = SimpleNamespace(learning_rate=np.float32(1))
    model = SimpleNamespace(optimizer=optimizer, stop_training=False, get_weights=list, set_weights=lambda weights: None)
    callback.set_model(model)
    callback.on_train_begin()
    rates = []
    for epoch, score in enumerate(scores):
        callback.on_epoch_end(epoch, {"loss": score})
        rates.append(float(optimizer.learning_rate))
        if model.stop_training:
            break
    return rates


def make():
    os.environ["KERAS_BACKEND"] = "torch"
    import keras
    tensors, cases = {}, {}
    for i, (name, description) in enumerate(CASES):
        case = f"{i}_{description['type']}"
        cases[case] = {**description, "monitor": "loss"}
        tensors[case + "/scores"] = np.array(SCORES[name])
        tensors[case + "/rates"] = np.array(run(keras, SCORES[name], description))
    save("callbacks.safetensors", tensors, {"cases": json.dumps(cases)})
