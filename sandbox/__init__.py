"""Stand-ins for the video platforms: they keep the real contracts and refuse what the real ones refuse."""
