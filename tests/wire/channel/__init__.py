"""The channel against vectors, an independent implementation and attackers."""
