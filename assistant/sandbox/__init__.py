"""Runs code that nobody vouches for: what it may reach is said before it starts, and the system holds it to that.

Knows no skills, models or documents: a command, folders, and one socket. `machine` says what this computer can do,
`bubblewrap` is the box around a process, `confine` what the process gives up itself before foreign code runs in it,
`proxy` its only way to the network.
"""
