"""The paper's tables and figures, measured again: ``python -m book.reproduction``.

Reads `data/paper`, writes `data/results`; works inside the checkout only.
"""
