"""Text out of files of many formats, as passages with their places. Runs in its own process; imports nothing of ours.

`documents.reader` starts it, fenced: it reads the user's folders of documents and nothing else, and has no network.
"""
