"""rvbuild: reproducible builds for riscv64, from recipes.

Knows: the public names. Must not know: anything that costs start-up time.
"""

__version__ = "0.1.0"
