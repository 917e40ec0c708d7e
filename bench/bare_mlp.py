"""What a student would write: digits, an MLP 64-128-128-10, SGD with momentum, ten epochs, test accuracy."""

import torch
from sklearn.datasets import load_digits
from torch import nn

torch.manual_seed(0)
x, y = load_digits(return_X_y=True)
x, y = torch.tensor(x / 16, dtype=torch.float32), torch.tensor(y)
order = torch.randperm(len(x))
train, test = order[:1294], order[1437:]
mean, std = x[train].mean(), x[train].std()
x = (x - mean) / std
net = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 10))
optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=10 * 11)
for _ in range(10):
    for index in train[torch.randperm(len(train))].split(128):
        loss = nn.functional.cross_entropy(net(x[index]), y[index])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
print(f"test accuracy {(net(x[test]).argmax(1) == y[test]).float().mean():.4f}")
