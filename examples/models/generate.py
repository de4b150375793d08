#!/usr/bin/env python3
"""Writes the job files of this folder: well-known networks, layer by layer as PyTorch's torchvision has them.

Usage: python3 examples/models/generate.py [FOLDER]

Parameters get torchvision's names ("layer1.0.conv1.weight"), so that weights saved from there as .safetensors load by
"weights". Batch normalisation has PyTorch's constants: epsilon 1e-5, and a momentum of 0.1, which Keras writes as 0.9.
"""
import json
import os
import sys

MNIST = {
    "format": "idx",
    "train": {"images": "train-images-idx3-ubyte.gz", "labels": "train-labels-idx1-ubyte.gz"},
    "test": {"images": "t10k-images-idx3-ubyte.gz", "labels": "t10k-labels-idx1-ubyte.gz"},
    "normalize": {"divide_by": 255},
}
CIFAR10 = {
    "format": "npy",
    "train": {"inputs": "train-images.npy", "labels": "train-labels.npy"},
    "test": {"inputs": "test-images.npy", "labels": "test-labels.npy"},
    "normalize": {"mean": [123.675, 116.28, 103.53], "std": [58.395, 57.12, 57.375]},
}
SEQUENCES = {"format": "npy", "train": {"inputs": "sequences.npy", "labels": "labels.npy"}}
CHARACTERS = {"format": "text", "train": "input.txt", "tokens": "characters", "window": 256}
IMAGES = {
    "format": "npy",
    "train": {"inputs": "images.npy", "labels": "labels.npy"},
    "normalize": {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]},
}


class Net:
    """A list of layers; `last` is the name of the newest, `channels` how many it gives."""

    def __init__(self, shape):
        self.shape, self.layers, self.last, self.channels = shape, [], "input", shape[0]

    def add(self, kind, name, **keys):
        inputs = keys.pop("inputs", None)
        self.layers.append({"type": kind, "name": name, **({"inputs": inputs} if inputs else {}), **keys})
        self.last = name
        return name

    def conv(self, name, filters, kernel, stride=1, padding=None, groups=1, bias=False, inputs=None, activation=None):
        keys = {"filters": filters, "kernel_size": kernel}
        if stride > 1:
            keys["strides"] = stride
        if kernel > 1:
            keys["padding"] = kernel // 2 if padding is None else padding
        if groups > 1:
            keys["groups"] = groups
        if not bias:
            keys["use_bias"] = False
        if activation:
            keys["activation"] = activation
        keys["kernel_initializer"] = "he_normal"
        self.channels = filters
        return self.add("conv2d", name, inputs=inputs, **keys)

    def norm(self, name):
        return self.add("batch_normalization", name, momentum=0.9, epsilon=1e-5)


def mlp():
    net = Net([1, 28, 28])
    net.add("flatten", "flatten")
    net.add("dense", "fc1", units=512, activation="relu")
    net.add("dense", "fc2", units=512, activation="relu")
    net.add("dense", "fc3", units=10)
    return net


def lenet():
    net = Net([1, 28, 28])
    net.conv("conv1", 32, 3, padding=0, bias=True, activation="relu")
    net.add("max_pooling2d", "pool1", pool_size=2)
    net.conv("conv2", 64, 3, padding=0, bias=True, activation="relu")
    net.add("max_pooling2d", "pool2", pool_size=2)
    net.add("flatten", "flatten")
    net.add("dense", "fc1", units=64, activation="relu")
    net.add("dense", "fc2", units=10)
    return net


def basic_block(net, name, width, stride):
    """Two 3x3 convolutions beside a shortcut."""
    start, channels = net.last, net.channels
    net.conv(name + ".conv1", width, 3, stride, inputs=[start])
    net.norm(name + ".bn1")
    net.add("relu", name + ".relu1")
    net.conv(name + ".conv2", width, 3)
    join(net, name, net.norm(name + ".bn2"), start, channels, width, stride)


def narrow_block(net, name, width, stride):
    """Two 3x3 convolutions beside a shortcut without parameters: every second place, and channels of zeros around its own."""
    start, channels = net.last, net.channels
    net.conv(name + ".conv1", width, 3, stride, inputs=[start])
    net.norm(name + ".bn1")
    net.add("relu", name + ".relu1")
    net.conv(name + ".conv2", width, 3)
    branch = net.norm(name + ".bn2")
    if stride > 1:
        end, around = 1 << 30, (width - channels) // 2
        start = net.add("op", name + ".places", inputs=[start], op="Slice",
                        attributes={"starts": [0, 0], "ends": [end, end], "axes": [2, 3], "steps": [stride, stride]})
        start = net.add("op", name + ".channels", op="Pad", attributes={"pads": [around, around], "axes": [1]})
    net.add("add", name + ".add", inputs=[branch, start])
    net.add("relu", name + ".relu")


def bottleneck(net, name, width, stride):
    """1x1, 3x3, 1x1 to four times the width, beside a shortcut; the stride is that of the 3x3 (ResNet 1.5)."""
    start, channels = net.last, net.channels
    net.conv(name + ".conv1", width, 1, inputs=[start])
    net.norm(name + ".bn1")
    net.add("relu", name + ".relu1")
    net.conv(name + ".conv2", width, 3, stride)
    net.norm(name + ".bn2")
    net.add("relu", name + ".relu2")
    net.conv(name + ".conv3", 4 * width, 1)
    join(net, name, net.norm(name + ".bn3"), start, channels, 4 * width, stride)


def join(net, name, branch, start, channels, width, stride):
    """Adds the shortcut: the block's input, or a 1x1 convolution of it where the shapes differ."""
    if stride > 1 or channels != width:
        net.conv(name + ".downsample.0", width, 1, stride, inputs=[start])
        start = net.norm(name + ".downsample.1")
    net.channels = width
    net.add("add", name + ".add", inputs=[branch, start])
    net.add("relu", name + ".relu")


def resnet(block, depth):
    net = Net([3, 224, 224])
    net.conv("conv1", 64, 7, 2)
    net.norm("bn1")
    net.add("relu", "relu")
    net.add("max_pooling2d", "maxpool", pool_size=3, strides=2, padding=1)
    for stage, (width, blocks) in enumerate(zip((64, 128, 256, 512), depth)):
        for i in range(blocks):
            block(net, f"layer{stage + 1}.{i}", width, 2 if stage and not i else 1)
    net.add("global_average_pooling", "avgpool")
    net.add("dense", "fc", units=1000)
    return net


def resnet20():
    """He et al. 2015, section 4.2: 0.27 million parameters for images of 32 x 32."""
    net = Net([3, 32, 32])
    net.conv("conv1", 16, 3)
    net.norm("bn1")
    net.add("relu", "relu")
    for stage, width in enumerate((16, 32, 64)):
        for i in range(3):
            narrow_block(net, f"layer{stage + 1}.{i}", width, 2 if stage and not i else 1)
    net.add("global_average_pooling", "avgpool")
    net.add("dense", "linear", units=10)
    return net


def mobilenet_v2():
    net = Net([3, 224, 224])

    def unit(name, filters, kernel, stride=1, groups=1):
        net.conv(name + ".0", filters, kernel, stride, groups=groups)
        net.norm(name + ".1")
        net.add("relu6", name + ".2")

    unit("features.0", 32, 3, 2)
    index = 1
    for expand, filters, blocks, stride in ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1),
                                            (6, 160, 3, 2), (6, 320, 1, 1)):
        for i in range(blocks):
            name, start, channels = f"features.{index}.conv", net.last, net.channels
            step, hidden, at = stride if i == 0 else 1, channels * expand, 0
            if expand > 1:
                unit(f"{name}.{at}", hidden, 1)
                at += 1
            unit(f"{name}.{at}", hidden, 3, step, hidden)
            net.conv(f"{name}.{at + 1}", filters, 1)
            net.norm(f"{name}.{at + 2}")
            if step == 1 and channels == filters:
                net.add("add", f"features.{index}.add", inputs=[net.last, start])
            index += 1
    unit(f"features.{index}", 1280, 1)
    net.add("global_average_pooling", "avgpool")
    net.add("dropout", "classifier.0", rate=0.2)
    net.add("dense", "classifier.1", units=1000)
    return net


def vgg16():
    net = Net([3, 224, 224])
    index = 0
    for width in (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0):
        if width:
            net.conv(f"features.{index}", width, 3, bias=True, activation="relu")
        else:
            net.add("max_pooling2d", f"features.{index}", pool_size=2)
        index += 2 if width else 1
    net.add("flatten", "flatten")
    for index, units in ((0, 4096), (3, 4096)):
        net.add("dense", f"classifier.{index}", units=units, activation="relu")
        net.add("dropout", f"classifier.{index + 2}", rate=0.5)
    net.add("dense", "classifier.6", units=1000)
    return net


def lstm():
    net = Net([64, 64])
    net.add("lstm", "lstm1", units=256, return_sequences=True)
    net.add("lstm", "lstm2", units=256)
    net.add("dense", "fc", units=64)
    return net


def transformer():
    """The encoder of Vaswani et al. 2017 with norms first, as torch.nn.TransformerEncoder, and the mean over all places."""
    net = Net([128, 256])
    for i in range(4):
        net.add("transformer_encoder", f"encoder.layers.{i}", intermediate_dim=1024, num_heads=4, activation="gelu",
                normalize_first=True)
    net.add("op", "mean", op="ReduceMean", attributes={"axes": [1], "keepdims": 0})
    net.add("dense", "fc", units=64)
    return net


def gpt():
    """A decoder of 6 layers over characters: 65 of them, and what is unknown."""
    net, begin = Net([256]), {"type": "random_normal", "stddev": 0.02}
    net.add("embedding", "tokens", input_dim=66, output_dim=384, embeddings_initializer=begin)
    net.add("position_embedding", "places", sequence_length=256, initializer=begin, inputs=["tokens"])
    net.add("add", "sum", inputs=["tokens", "places"])
    for i in range(6):
        net.add("transformer_decoder", f"decoder.layers.{i}", intermediate_dim=1536, num_heads=6, activation="gelu",
                normalize_first=True)
    net.add("layer_normalization", "norm", epsilon=1e-5)
    net.add("dense", "scores", units=66)
    net.add("permute", "turned", dims=[2, 1])
    return net


NETS = {
    "mlp": (mlp, MNIST, 128),
    "lenet": (lenet, MNIST, 128),
    "lstm": (lstm, SEQUENCES, 32),
    "resnet20": (resnet20, CIFAR10, 128),
    "resnet18": (lambda: resnet(basic_block, (2, 2, 2, 2)), IMAGES, 8),
    "resnet50": (lambda: resnet(bottleneck, (3, 4, 6, 3)), IMAGES, 8),
    "mobilenet_v2": (mobilenet_v2, IMAGES, 8),
    "vgg16": (vgg16, IMAGES, 8),
    "transformer": (transformer, SEQUENCES, 32),
    "gpt": (gpt, CHARACTERS, 16),
}


def text(net, data, batch):
    """A job, a line for each layer."""
    rest = {"data": data, "loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"],
            "optimizer": {"type": "adam", "learning_rate": 0.001}, "batch_size": batch, "epochs": 1, "seed": 1}
    layers = ",\n".join("            " + json.dumps(layer) for layer in net.layers)
    keys = ",\n".join(f"    {json.dumps(key)}: {json.dumps(value)}" for key, value in rest.items())
    return ('{\n    "model": {\n        "input_shape": %s,\n        "layers": [\n%s\n        ]\n    },\n%s\n}\n'
            % (json.dumps(net.shape), layers, keys))


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
    for name, (make, data, batch) in NETS.items():
        with open(os.path.join(folder, name + ".json"), "w", encoding="utf-8") as file:
            file.write(text(make(), data, batch))


if __name__ == "__main__":
    main()
