"""What outlives a request: the configuration in force, and the memory of the process."""
