#!/usr/bin/env python3
"""Writes the golden vectors of tests/golden with PyTorch (torch 2, CPU): all, or those of the generators that are named.

    python3 tests/golden/generate.py [losses ...]

Files, each with the model as Mica's JSON in its metadata:
  LAYERS.safetensors   CASE/x, CASE/dy, CASE/y, CASE/dx, CASE/weight/NAME, CASE/gradient/NAME, CASE/after/NAME
  losses.safetensors   CASE/x, CASE/labels, CASE/loss, CASE/dx
  train_*.safetensors  x, labels, losses (one a step), initial/NAME, final/NAME
"""
import importlib
import sys

ALL = [
    "layers",
    "losses",
    "parameters",
    "training",
    "activations",
]

if __name__ == "__main__":
    for name in sys.argv[1:] or ALL:
        importlib.import_module(name).make()
