"""Conditioning schemes: how a discriminator uses labels. One file each, head and loss together."""
