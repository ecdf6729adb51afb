"""The command line: parses, calls the library, prints. Modules here import the library inside their functions."""
