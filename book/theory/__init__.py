"""What single chapters prove with; no part of the library needs it.

`guarantee`, `problems` and `quadratics` belong to "Is it fair?", `memory` to "A memory
of contributions", `cheating` to "When agents cheat".
"""
