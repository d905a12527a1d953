"""The paper's tables and figures, measured again: `plan` says which runs stand behind which of them, `choice` how their
settings were chosen, `execution` runs what is missing, `estimation` says how long that takes, `verification` repeats
what is recorded.
"""
