"""Git: how it is run, what its objects are, where a repository of this machine keeps them.

Knows: git's formats and its command line. Must not know: kinds of sources, what a tree is for.
"""
