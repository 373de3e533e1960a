"""The playground: the page at ``/``, the files that it is made of, and the route that serves them."""
