# SPDX-License-Identifier: BSD-3-Clause
"""The same iteration as forms.py, as one writes it in PyTorch."""
from __future__ import annotations

import numpy as np
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from forms import ALPHA, BATCH, L2, NODES, Model, Problem, copies

Parts = list[torch.Tensor]  # w1, b1, w2, b2 of all nodes


class Torch:
    def __init__(self, problem: Problem) -> None:
        self.x, self.y, self.w = (torch.from_numpy(a) for a in (problem.x, problem.y, problem.w))
        self.parts: Parts = [torch.from_numpy(part) for part in copies(problem.start).parts()]

    def models(self) -> Model:
        return Model(*(part.detach().numpy() for part in self.parts))

    @torch.no_grad()
    def update(self, gradients: Parts) -> None:
        """x_i ← Σ_j w_ij x_j − α (g_i + the ℓ2 term, which costs less here than in autograd)"""
        mixed: Parts = []
        for k, (part, gradient) in enumerate(zip(self.parts, gradients)):
            new = torch.mm(self.w, part.view(NODES, -1)).view(part.shape).sub_(gradient, alpha=ALPHA)
            mixed.append(new.sub_(part, alpha=ALPHA * L2) if k in (0, 2) else new)
        self.parts = mixed


class TorchLoop(Torch):
    """A model for each node, autograd, node after node."""

    def step(self, rows: np.ndarray) -> None:
        gradients = [torch.empty_like(part) for part in self.parts]
        chosen = torch.from_numpy(rows)
        for i in range(NODES):
            w1, b1, w2, b2 = leaves = [part[i].detach().requires_grad_() for part in self.parts]
            h = torch.sigmoid(torch.addmm(b1, self.x[chosen[i]], w1))
            z = torch.addmm(b2, h, w2)
            loss = binary_cross_entropy_with_logits(z, self.y[chosen[i]], reduction="sum") / BATCH
            for gradient, own in zip(gradients, torch.autograd.grad(loss, leaves)):
                gradient[i] = own
        self.update(gradients)


class TorchBatched(Torch):
    """All nodes in each batched product, autograd."""

    def step(self, rows: np.ndarray) -> None:
        chosen = torch.from_numpy(rows)
        w1, b1, w2, b2 = leaves = [part.requires_grad_() for part in self.parts]
        h = torch.sigmoid(torch.baddbmm(b1[:, None], self.x[chosen], w1))
        z = torch.baddbmm(b2[:, None], h, w2)
        loss = binary_cross_entropy_with_logits(z, self.y[chosen], reduction="sum") / BATCH
        self.update(list(torch.autograd.grad(loss, leaves)))


class TorchManual(Torch):
    """All nodes in each batched product, gradients by hand."""

    @torch.no_grad()
    def step(self, rows: np.ndarray) -> None:
        chosen = torch.from_numpy(rows)
        w1, b1, w2, b2 = self.parts
        x = self.x[chosen]
        h = torch.baddbmm(b1[:, None], x, w1).sigmoid_()
        d2 = torch.baddbmm(b2[:, None], h, w2).sigmoid_().sub_(self.y[chosen]).div_(BATCH)
        d1 = torch.bmm(d2, w2.transpose(1, 2)).mul_(h).mul_(1 - h)
        self.update([torch.bmm(x.transpose(1, 2), d1), d1.sum(1), torch.bmm(h.transpose(1, 2), d2), d2.sum(1)])
