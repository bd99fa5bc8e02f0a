"""What one run of rvbuild uses and does, for the command line and for Python programs."""
