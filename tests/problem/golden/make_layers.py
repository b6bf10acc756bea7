# SPDX-License-Identifier: BSD-3-Clause
"""Writes layers_torch.txt: losses and gradients of gn-lenet and resnet20 on 32x32 colour images, by PyTorch in float64.

Weights, pixels and labels are numbers that golden_layers_test.cpp makes in the same way. For each network: name, number
of weights, the sum of the samples' losses, the gradient's norm, and every 97th number of the gradient, in the order of
src/problem/layered.cpp: layer after layer, weights [out, in, k, k] or [inputs, outputs], then the bias or beta.

    python3 make_layers.py > layers_torch.txt        # Debian 12: python3-torch 1.13.1+dfsg-4 wrote what is kept
"""
import sys

import torch
from torch import nn
from torch.nn import functional

SAMPLES, STEP = 4, 97


def hashed(count, first):
    """In [-1, 1), the same in C++."""
    words = (torch.arange(first, first + count, dtype=torch.int64) * 2654435761) % 2**32
    words = (words ^ (words >> 15)) * 2246822519 % 2**32
    return (words >> 8).to(torch.float64) / 2**23 - 1


class GnLenet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.gn1 = nn.Conv2d(3, 32, 5, padding=2), nn.GroupNorm(2, 32)
        self.conv2, self.gn2 = nn.Conv2d(32, 32, 5, padding=2), nn.GroupNorm(2, 32)
        self.conv3, self.gn3 = nn.Conv2d(32, 64, 5, padding=2), nn.GroupNorm(2, 64)
        self.fc = nn.Linear(64 * 4 * 4, 10)

    def forward(self, x):
        for conv, norm in ((self.conv1, self.gn1), (self.conv2, self.gn2), (self.conv3, self.gn3)):
            x = functional.max_pool2d(functional.relu(norm(conv(x))), 2)
        return self.fc(torch.flatten(x, 1))


class Block(nn.Module):
    def __init__(self, inputs, channels):
        super().__init__()
        self.stride = 1 if inputs == channels else 2
        self.conv1 = nn.Conv2d(inputs, channels, 3, stride=self.stride, padding=1, bias=False)
        self.gn1 = nn.GroupNorm(2, channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.gn2 = nn.GroupNorm(2, channels)
        self.pad = (channels - inputs) // 2

    def forward(self, x):
        y = self.gn2(self.conv2(functional.relu(self.gn1(self.conv1(x)))))
        if self.stride == 2:
            x = functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.pad, self.pad))
        return functional.relu(y + x)


class Resnet20(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.gn = nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.GroupNorm(2, 16)
        channels = [16, 16, 16, 16, 32, 32, 32, 64, 64, 64]
        self.blocks = nn.Sequential(*(Block(a, b) for a, b in zip(channels, channels[1:])))
        self.fc = nn.Linear(64, 10)

    def forward(self, x):
        x = self.blocks(functional.relu(self.gn(self.conv(x))))
        return self.fc(functional.avg_pool2d(x, 8).flatten(1))


def fill(model):
    """Weights of about the usual size: in 1/sqrt(inputs); gamma about 1."""
    first = 0
    with torch.no_grad():
        for module in model.modules():
            for name, tensor in module.named_parameters(recurse=False):
                numbers = hashed(tensor.numel(), first)
                first += tensor.numel()
                if isinstance(module, nn.GroupNorm):
                    numbers = 1 + numbers / 2 if name == "weight" else numbers / 4
                else:
                    inputs = module.weight[0].numel()
                    numbers = numbers / inputs**0.5
                if isinstance(module, nn.Linear) and name == "weight":
                    tensor.copy_(numbers.reshape(tensor.shape[1], tensor.shape[0]).T)
                else:
                    tensor.copy_(numbers.reshape(tensor.shape))


def gradient_of(model):
    parts = []
    for module in model.modules():
        for name, tensor in module.named_parameters(recurse=False):
            is_matrix = isinstance(module, nn.Linear) and name == "weight"
            parts.append((tensor.grad.T if is_matrix else tensor.grad).reshape(-1))
    return torch.cat(parts)


def batch(samples):
    pixels = ((hashed(samples * 3072, 0) + 1) * 128).floor()
    return pixels.reshape(samples, 3, 32, 32) / 255, torch.arange(samples) * 3 % 10


def main():
    torch.set_num_threads(1)
    for name, model in (("gn-lenet", GnLenet()), ("resnet20", Resnet20())):
        model.double()
        fill(model)
        x, labels = batch(SAMPLES)
        loss = functional.cross_entropy(model(x), labels, reduction="sum")
        loss.backward()
        gradient = gradient_of(model)
        print(name, gradient.numel(), f"{loss.item():.12g}", f"{gradient.norm().item():.12g}")
        print(" ".join(f"{value:.9g}" for value in gradient[::STEP].tolist()))
    print(f"PyTorch {torch.__version__}", file=sys.stderr)


if __name__ == "__main__":
    main()
