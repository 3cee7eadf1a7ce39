"""Files and folders that are written atomically and durably; leftovers of killed runs are removed by the next one."""
