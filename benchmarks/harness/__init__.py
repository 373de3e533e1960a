"""What benchmarks, load tests and tests share: a real service, a real Triton, engines that only take time."""
