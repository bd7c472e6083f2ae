"""What the client decides, without tkinter: the windows and the command line share it."""
