"""`openapi.json`, which consists of the document, its examples, and the errors of each route."""
