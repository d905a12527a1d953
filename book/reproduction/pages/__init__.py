"""Tables and verdicts of the book's pages, made from the records."""
