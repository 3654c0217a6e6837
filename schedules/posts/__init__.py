"""Social posts (seed 003): saved, their media uploaded ahead, published at the second."""
