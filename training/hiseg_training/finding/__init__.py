"""What the finder learns from: whole photos, reduced once and kept, and the views that are made of them."""
