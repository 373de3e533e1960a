"""What each stage of training makes small: foreground, distillation, instances."""
