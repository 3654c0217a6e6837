"""Workers serve no pages."""

urlpatterns: list[object] = []
