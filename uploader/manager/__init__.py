"""The manager of video jobs: transcoding and uploads, looked at and looked after."""
