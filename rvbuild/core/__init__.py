"""What rvbuild speaks of and decides: names, recipes, locks, derivations, plans, errors, ports.

Knows: words and rules. Must not know: files, processes, the network, a clock, the screen, kinds of
sources other than Go modules, whose sets a recipe declares.
"""
