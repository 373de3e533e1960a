"""The command line ``hiseg``: one module for each command."""
