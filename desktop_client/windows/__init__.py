"""The windows: they build widgets, show what presenters tell, and call back. They decide nothing."""
