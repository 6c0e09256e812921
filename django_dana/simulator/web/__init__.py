"""The simulator over HTTP: server, API, checkout, control API and overview."""
