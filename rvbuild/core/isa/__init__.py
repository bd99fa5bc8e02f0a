"""Which instruction set a program needs: what it says, and what its instructions say."""
