"""Media: kinds by name, sizes by header, thumbnails. One module per kind."""
