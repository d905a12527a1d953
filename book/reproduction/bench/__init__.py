"""How long things take, as ratios within one run: ``python -m book.reproduction
bench``.

`valuation` times the values of the agents, `engine` training, evaluation and the
server's step. Each method is compared with a twin that does the same the literal way,
and the two must give the same result. Calls of different methods take turns, so that
whatever else the machine does hits all of them.
"""
