"""What is done: resolving, planning's tasks in their order, realising one derivation.

Knows: the core and its ports. Must not know: an adapter of any port, kinds of sources other than
Go modules, the command line.
"""
