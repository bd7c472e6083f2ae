"""Icons, emoji, translations and demonstration data; read as files beside this module."""
