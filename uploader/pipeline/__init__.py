"""What scripts and handlers of the pipeline do with the catalog: subtitles, matches, files in the storage."""
