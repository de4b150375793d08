#!/usr/bin/env python3
"""Writes the golden vectors of tests/golden with PyTorch (torch 2, CPU): all, or those of the generators that are named.

    python3 tests/golden/generate.py [losses ...]

Files, each with the model as Mica's JSON in its metadata:
  LAYERS.safetensors   CASE/x, CASE/dy, CASE/y, CASE/dx, CASE/weight/NAME, CASE/gradient/NAME, CASE/after/NAME
  losses.safetensors   CASE/x, CASE/labels, CASE/loss, CASE/dx; contrastive.safetensors: losses that are layers alone
  ctc.safetensors      as losses.safetensors; labels are rows of numbers of classes
  callbacks.safetensors  CASE/scores, CASE/rates: of Keras 3's callbacks
  schedules.safetensors  CASE: the rates of forty updates
  train_*.safetensors  x, labels, losses (one a step), initial/NAME, final/NAME
"""
import glob
import importlib
import os
import sys

FOLDER = os.path.dirname(os.path.abspath(__file__))
ALL = sorted(os.path.basename(path)[:-3] for path in glob.glob(os.path.join(FOLDER, "*.py")))

if __name__ == "__main__":
    for name in sys.argv[1:] or [name for name in ALL if name not in ("common", "generate")]:
        importlib.import_module(name).make()
