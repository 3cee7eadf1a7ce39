"""Exporters for servers that the tests do not run: schema, feed and query templates, in a folder."""
