"""The types that every other package uses: image, box, job, result, errors, canvas. No I/O and no framework."""
