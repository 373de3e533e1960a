"""Turns encoded images and raw frames into pixels, within limits that are checked before anything is decoded."""
