"""Whether all is well, for those who run it: what is overdue, failing or unheard of."""
