"""The same model and the same work around it behind other people's servers, under the same load."""
