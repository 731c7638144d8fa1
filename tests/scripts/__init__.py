"""The commands of the checkout: what they are made of."""
