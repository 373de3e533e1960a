"""The microservice: an image and the boxes of the people in it go in, one mask per person comes out."""
