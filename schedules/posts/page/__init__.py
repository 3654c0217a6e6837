"""The staff page `/posts/`: what it shows, and what people do there."""
