"""The verbs: a module each, named in one table, imported only when called.

A module has `SUMMARY`-free functions: `declare(arguments)` adds the verb's options, `run(console,
options)` does it and raises for failure. A verb with verbs of its own (`friend add`) is named in
`GROUPS`, and its module has a pair of such functions for each.
"""
