"""The command `assistant`: one file per group of commands. A surface: it shows and asks, and decides nothing."""
