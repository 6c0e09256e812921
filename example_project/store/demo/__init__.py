"""The demo: all processes of the shop at once, and a story told with them."""
