"""`openapi.json`: the document, its examples, and the errors of each route."""
