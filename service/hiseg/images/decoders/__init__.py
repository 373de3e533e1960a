"""Decodes files whose headers were read to RGB, giving the libraries no more of a file than they need."""
