"""`openapi.json`: the document, its examples, and the errors that each route answers with."""
