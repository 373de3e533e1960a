"""What all transports share and no transport knows: options, boxes, the exchange around a request, and answers."""
