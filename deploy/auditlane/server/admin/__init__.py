"""Operating the installation over HTTP: tenants, lag, dead letters, the health of every part."""
