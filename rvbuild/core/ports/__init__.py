"""The doors between the core and the adapters, one small port a file.

A port says what the engine needs of something outside, and no more: at most five methods. What a
store can do is several ports; `store.Store` has them side by side.
"""
