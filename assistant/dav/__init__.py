"""CalDAV and CardDAV: a copy of an account's collections on disk, kept in step with the server in both directions.

`replicas` is what skills read and write by (folders of .ics and .vcf files); `engine` and all below it speak to the
server, in the background. Knows no calendar and no contact beyond their content lines.
"""
