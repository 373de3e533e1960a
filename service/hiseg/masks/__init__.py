"""From a model's logits to one person's pixels, and from pixels to the formats people ask for."""
