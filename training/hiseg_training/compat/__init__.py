"""What exists for upstream (PINTO0309's human-instance-segmentation) alone: its models, files and commands."""
