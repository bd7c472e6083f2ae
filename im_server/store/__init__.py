"""im.db: members, billers as last told, and the archive of chat messages."""
