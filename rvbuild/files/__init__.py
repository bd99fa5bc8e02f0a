"""Files and folders by their descriptors: opening without following, removal of anything.

Knows: the kernel's calls. Must not know: stores, steps, archives.
"""
