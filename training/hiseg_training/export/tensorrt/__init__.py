"""What TensorRT needs of a model, checked and written without it: plans are built where the GPU is."""
