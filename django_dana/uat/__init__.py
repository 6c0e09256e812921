"""DANA's acceptance test (UAT): the scenarios that its merchant portal demands of a shop before it goes live."""
