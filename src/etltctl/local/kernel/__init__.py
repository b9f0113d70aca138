"""What the command, the server and its services all stand on: files, protocols, keys and processes."""
