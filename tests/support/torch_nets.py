#!/usr/bin/python3
"""Nets with batch norms and weight norms, as PyTorch stores them and as it folds them.

usage: torch_nets.py FOLDER SEED

Writes FOLDER/norms.pt, exported.onnx (torch.onnx.export folds convolutions' norms), fused.pt
(torch.nn.utils.fusion folds the others as well), plain.pt and its weights as directions and
lengths: hooked.pt (torch.nn.utils.weight_norm) and parametrised.pt (the same under the names of
torch.nn.utils.parametrizations.weight_norm, which this torch is too old for)."""

import copy
import pathlib
import sys

import torch
from torch import nn
from torch.nn.utils import fusion


class Block(nn.Module):
    """A depthwise convolution and one of single points, with a skip around them."""

    def __init__(self, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 1)
        self.bn2 = nn.BatchNorm2d(channels, eps=1e-3)

    def forward(self, x):
        y = torch.relu(self.bn1(self.conv1(x)))
        return torch.relu(x + self.bn2(self.conv2(y)))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 24, 3, bias=False), nn.BatchNorm2d(24), nn.ReLU())
        self.blocks = nn.Sequential(Block(24), Block(24), nn.Conv2d(24, 40, 3), nn.BatchNorm2d(40),
                                    nn.ReLU(), Block(40))
        self.fc = nn.Linear(40, 10)

    def forward(self, x):
        return self.fc(self.blocks(self.stem(x)).mean((2, 3)))


class Decoder(nn.Module):
    """What the exporter does not fold."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(20, 64)
        self.fc_bn = nn.BatchNorm1d(64)
        self.up1 = nn.ConvTranspose2d(64, 32, 4, stride=2)
        self.up1_bn = nn.BatchNorm2d(32)
        self.up2 = nn.ConvTranspose2d(32, 24, 4, stride=2, bias=False)
        self.up2_bn = nn.BatchNorm2d(24, eps=1e-12)
        self.last = nn.Conv2d(24, 3, 3)


def train_norms(net):
    """What statistics and gains training leaves is of no account, but that they are all unlike."""
    for module in net.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            nn.init.normal_(module.weight, 1, 0.2)
            nn.init.normal_(module.bias, 0, 0.2)
            module.running_mean.normal_(0, 0.5)
            module.running_var.uniform_(0.3, 3)
    return net.eval()


def fused(decoder):
    made = copy.deepcopy(decoder)
    for name in ("up1", "up2"):
        conv, norm = getattr(made, name), getattr(made, name + "_bn")
        conv.weight, conv.bias = fusion.fuse_conv_bn_weights(
            conv.weight, conv.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight,
            norm.bias, transpose=True)
    norm = made.fc_bn
    scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)  # as fuse_linear_bn_weights
    made.fc.weight = nn.Parameter(made.fc.weight * scale.unsqueeze(-1))
    made.fc.bias = nn.Parameter((made.fc.bias - norm.running_mean) * scale + norm.bias)
    return {name: values for name, values in made.state_dict().items() if "_bn." not in name}


def vocoder():
    return nn.Sequential(nn.Conv1d(40, 96, 7), nn.ConvTranspose1d(96, 48, 8, stride=4),
                         nn.Conv1d(48, 48, 3), nn.Conv1d(48, 32, 3, dilation=3), nn.Linear(32, 24),
                         nn.Conv1d(24, 1, 7))


def under_new_names(state):
    new = {"weight_g": "parametrizations.weight.original0",
           "weight_v": "parametrizations.weight.original1"}
    return {".".join([*name.split(".")[:-1], new.get(name.split(".")[-1], name.split(".")[-1])]): v
            for name, v in state.items()}


def main():
    folder = pathlib.Path(sys.argv[1])
    torch.manual_seed(int(sys.argv[2]))
    folder.mkdir(parents=True)
    net, decoder, voice = train_norms(Net()), train_norms(Decoder()), vocoder()
    torch.save(net.state_dict(), folder / "norms.pt")
    torch.onnx.export(net, torch.zeros(1, 3, 16, 16), folder / "exported.onnx", opset_version=13)
    torch.save(decoder.state_dict(), folder / "decoder.pt")
    torch.save(fused(decoder), folder / "fused.pt")
    for module in voice:
        nn.utils.weight_norm(module)
        module.weight_g.data.mul_(torch.rand_like(module.weight_g) + 0.5)
    torch.save(voice.state_dict(), folder / "hooked.pt")
    torch.save(under_new_names(voice.state_dict()), folder / "parametrised.pt")
    for module in voice:
        nn.utils.remove_weight_norm(module)
    torch.save(voice.state_dict(), folder / "plain.pt")


if __name__ == "__main__":
    main()
