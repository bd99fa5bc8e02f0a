"""Kinds of sources: what each is, declared once."""
