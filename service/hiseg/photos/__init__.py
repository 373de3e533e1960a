"""Many photos at once: their masks by the models here or by a server, within bounds, past failures, and resumed."""
