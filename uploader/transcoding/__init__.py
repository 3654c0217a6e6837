"""From a film or an episode to an HLS package: probing, splitting, transcoding, merging, packaging."""
