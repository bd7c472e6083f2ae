"""The drawn widgets: buttons, fields, the virtual list, cards and bubbles."""
