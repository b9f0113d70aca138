"""Tests that share one server: with this file the folder is a package, whose fixtures end with it."""
