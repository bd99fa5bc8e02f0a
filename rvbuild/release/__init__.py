"""What releases do with pins: which may move, to what, and what follows."""
