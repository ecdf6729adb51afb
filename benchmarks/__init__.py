"""The project's performance figures, one runnable module each: `python -m benchmarks.latency --help`."""
