"""The command line: reads words, calls one operation of `app`, draws what it returns.

Knows: options, the terminal, exit codes. Must not know: how anything is done.
"""
