"""The member's program: windows, presenters, session. Also without a window (`cli`)."""
