"""Somebody else's stores, asked for what was built before: folders, web servers, buckets.

Knows: how objects and records are had from a cache, and put there. Must not know: what they mean,
who may be trusted, which caches there are.
"""
