"""Between jobs and an engine: admission control, the fair queue, the rule of batching, and the dispatch of batches."""
