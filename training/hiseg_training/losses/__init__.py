"""What the stages are trained to make small."""
