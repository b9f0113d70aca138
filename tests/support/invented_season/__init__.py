"""The generator of the invented Formula 1 season that the package ships as a data file."""
