"""Measures what the product promises. `python -m bench [FIGURE ...]`; the figures are in `__main__.py`."""
