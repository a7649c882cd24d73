"""Mail on an IMAP server: a replica on this disk that the tools work on, and a process that keeps it in step."""
