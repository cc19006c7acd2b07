"""The transfer report: what a frozen encoder's vectors are worth for the user's own labels."""
