"""What is made of a text: cleaned, summarised, its names found, turned into numbers; each by a tool one may replace."""
