"""Training networks with PyTorch: the embedding and CNNs."""
