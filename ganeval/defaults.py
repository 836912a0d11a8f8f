"""What is taken where nobody says otherwise. Imports nothing: the command line shows it before it loads anything."""

PROTOCOL = "small-v2"
