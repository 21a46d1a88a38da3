"""What each function opens: settings, secrets and connections become the objects that it works with."""
