"""Everything torch: reads the data, builds and trains the models, exports and publishes them."""
