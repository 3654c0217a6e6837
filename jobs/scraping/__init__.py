"""Scripts that read other people's catalogs, with selectors an operator keeps in a source's configuration."""
