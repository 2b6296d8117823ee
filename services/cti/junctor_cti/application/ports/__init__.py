"""What cti needs of the outside world, as its adapters give it."""
