"""How an event reads in a template."""

from django import template

from jobs.history import spoken_type, spoken_who

register = template.Library()
register.filter("spoken_type", spoken_type)
register.filter("spoken_who", spoken_who)
