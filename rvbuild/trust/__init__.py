"""Keys: who signs, whose signatures count, and what a signed record says.

Knows: ed25519, files of keys, DSSE envelopes. Must not know: caches, stores, what is done with a
verified statement.
"""
