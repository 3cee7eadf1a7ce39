"""Conditions over the columns of an item table, such as `genres contains 'Comedy' and year >= 1990`."""
