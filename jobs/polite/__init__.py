"""Asking other people's servers for pages: slowly, with a name, within limits, and nowhere it must not go."""
