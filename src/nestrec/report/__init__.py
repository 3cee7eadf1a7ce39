"""Reports: tables, charts and HTML pages of evaluations, comparisons and search configs."""
