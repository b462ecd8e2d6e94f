"""Text: where the lines of a CSV file end."""
