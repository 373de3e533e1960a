"""Speed, measured side by side; nothing here passes or fails."""
