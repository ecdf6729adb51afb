"""Stand-in for cuda-python 12.3, which has no module cuda.bindings."""
