"""The staff page `/pipeline/`."""
