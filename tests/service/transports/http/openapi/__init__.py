"""Tests of the document of the API, and of clients that are made of it."""
