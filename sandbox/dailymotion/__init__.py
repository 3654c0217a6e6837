"""The stand-in for Dailymotion: three dialects on the API port, an upload host on a port of its own."""
