"""``hiseg video``: video in, annotated video out, from a file, a camera, a URL or a pipe."""
