"""Clocks, temperature, power and throttling, read through the vendors' own interfaces; all of them optional."""
