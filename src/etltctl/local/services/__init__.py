"""The embedded services, one package each, with the same front door: its module `service`."""
