"""Losses of the three stages of training, and the schedules of distillation."""
