"""Release and grade problem sets: one source a set, every student graded alone.

`notebook` makes the versions of a source, `repair` a submission whole, `sandbox` runs
it out of reach of solutions and hidden tests, `judge` compares what its functions
return, `batch` does so for a folder, `feedback` writes what student and teacher read.
"""
