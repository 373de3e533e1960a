"""One server a file, each as its own documentation shows it; they run in environments of their own."""
