"""Small nets trained for seconds on made pictures, and what a thief would do to them."""

import copy

import torch
import torch.nn.functional as F
from torch import nn

torch.set_num_threads(1)


class Convolutional(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 24, 3, padding=1), nn.BatchNorm2d(24)
        self.conv2, self.bn2 = nn.Conv2d(24, 40, 3, padding=1), nn.BatchNorm2d(40)
        self.conv3, self.bn3 = nn.Conv2d(40, 48, 3, padding=1), nn.BatchNorm2d(48)
        self.fc1, self.fc2 = nn.Linear(48 * 4, 64), nn.Linear(64, 10)

    def forward(self, x):
        for conv, norm in ((self.conv1, self.bn1), (self.conv2, self.bn2), (self.conv3, self.bn3)):
            x = F.max_pool2d(torch.relu(norm(conv(x))), 2)
        return self.fc2(torch.relu(self.fc1(x.flatten(1))))

    def numberings(self):
        """(channels, [(tensor, axis, positions of each channel)]), what reads them last."""
        found = []
        for layer, channels in ((1, 24), (2, 40), (3, 48)):
            parts = [(f"conv{layer}.{leaf}", 0, 1) for leaf in ("weight", "bias")]
            parts += [(f"bn{layer}.{leaf}", 0, 1)
                      for leaf in ("weight", "bias", "running_mean", "running_var")]
            reader = (f"conv{layer + 1}.weight", 1, 1) if layer < 3 else ("fc1.weight", 1, 4)
            found.append((channels, parts + [reader]))
        found.append((64, [("fc1.weight", 0, 1), ("fc1.bias", 0, 1), ("fc2.weight", 1, 1)]))
        return found


class Dense(nn.Module):
    activation = staticmethod(torch.relu)

    def __init__(self):
        super().__init__()
        widths = (192, 96, 72, 48, 10)
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip(widths, widths[1:]))

    def forward(self, x):
        x = x.flatten(1)[:, :192]
        for layer in self.layers[:-1]:
            x = self.activation(layer(x))
        return self.layers[-1](x)

    def numberings(self):
        return [(channels, [(f"layers.{at}.weight", 0, 1), (f"layers.{at}.bias", 0, 1),
                            (f"layers.{at + 1}.weight", 1, 1)])
                for at, channels in enumerate((96, 72, 48))]


class OddDense(Dense):
    activation = staticmethod(torch.tanh)


class Recurrent(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.rnn = kind(12, 40, 2, batch_first=True, bidirectional=True)
        self.out = nn.Linear(80, 10)

    def forward(self, x):
        return self.out(self.rnn(x)[0].mean(1))


def pictures(seed, count=512):
    patterns = torch.randn(10, 3, 16, 16, generator=torch.Generator().manual_seed(77))
    patterns = F.avg_pool2d(F.pad(patterns, (2, 2, 2, 2)), 5, 1) * 4
    draw = torch.Generator().manual_seed(seed)
    classes = torch.randint(0, 10, (count,), generator=draw)
    return patterns[classes] + 1.5 * torch.randn(count, 3, 16, 16, generator=draw), classes


def train(net, steps, data_seed, rate=2e-3):
    x, y = pictures(data_seed)
    draw = torch.Generator().manual_seed(data_seed)
    optimiser = torch.optim.Adam(net.parameters(), lr=rate)
    net.train()
    for _ in range(steps):
        batch = torch.randint(0, len(x), (64,), generator=draw)
        optimiser.zero_grad()
        F.cross_entropy(net(x[batch]), y[batch]).backward()
        optimiser.step()
    net.eval()
    return net


def trained(kind, seed, data_seed=5, steps=60):
    torch.manual_seed(seed)
    return train(kind(), steps, data_seed)


def trained_on(net, data_seed=9, steps=30):
    return train(copy.deepcopy(net), steps, data_seed, rate=1e-3)


def dealt_anew(net, seed, spread=0.0, signs=False):
    """The same function with channels in another order, with factors or other signs."""
    draw = torch.Generator().manual_seed(seed)
    state = {name: values.clone() for name, values in net.state_dict().items()}
    for channels, parts in net.numberings():
        order = torch.randperm(channels, generator=draw)
        factor = torch.exp(spread * torch.randn(channels, generator=draw))
        if signs:
            factor = factor * torch.sign(torch.randn(channels, generator=draw))
        for name, axis, positions in parts:
            at = (order[:, None] * positions + torch.arange(positions)).flatten()
            values = state[name].index_select(axis, at).contiguous()
            if spread or signs:
                shape = [1] * values.dim()
                shape[axis] = -1
                each = factor.repeat_interleave(positions).view(shape)
                values = values / each if name == parts[-1][0] else values * each
            state[name] = values
    result = copy.deepcopy(net)
    result.load_state_dict(state)
    return result.eval()
