"""What is waited in tests: nothing, but it is written down."""


class Waits(list[float]):
    """Instead of sleeping: what would have been waited."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)
