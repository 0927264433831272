"""The command line: one module per command, and what only commands need.

`parser` turns arguments into a row of `commands`, which imports the module of that command alone.
Commands may import any other package; none imports them.
"""
