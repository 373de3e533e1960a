"""From COCO files to augmented canvases."""
