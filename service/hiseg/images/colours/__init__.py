"""Converts colours to sRGB, which models were trained with and screens take numbers for that come without a word."""
