"""An application that cannot be imported."""
raise LookupError("on purpose")
