"""Pipeline jobs: every run of a script that feeds the library, and what such runs are about."""
