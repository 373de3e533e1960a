"""Training, one stage after the other: fine alone, coarse alone, then fine with the coarse stage's view."""
