"""`python -m mosegedge` is the same as `mosegedge`."""

from mosegedge.cli.main import main

if __name__ == "__main__":
    main()
