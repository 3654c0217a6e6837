"""The stand-in for OnlySocial."""
