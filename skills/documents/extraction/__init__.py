"""Text out of files of many formats, as passages with their places. Runs in its own process; imports nothing of ours.

`python -P -c "… from extraction.child import main"` (see `documents.reader`) is its one way in.
"""
