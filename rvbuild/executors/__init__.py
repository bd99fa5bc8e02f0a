"""Runs actions: in a sandbox of this machine.

Knows: bubblewrap, seccomp, limits, compile caches. Must not know: recipes, derivations, plans.
"""
