"""OCI images as files: their layouts, their layers, and what is wrong with them.

Know: the image specification, and how to read what somebody else packed. Must not know:
recipes, stores, registries.
"""
