"""How bytes come from elsewhere: HTTP, mirrors, pinned files, the configuration of apt.

Knows: transports and addresses. Must not know: stores, recipes, what a kind makes of the bytes.
"""
